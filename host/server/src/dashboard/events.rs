//! `/dashboard/events`: what the page shows, once a second, as server-sent events (the HTML standard, section 9.2).
//!
//! Documents are made only while they are read: a stream without a reader costs nothing, and a slow reader gets fewer documents. A stream
//! ends after ten minutes, so that a token that was withdrawn does not keep it open; the page then opens another one.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::Value;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::dashboard::document::document;
use crate::dashboard::state::MAX_STREAMS;
use crate::problem::Problem;
use crate::service::Service;
use media_cache_requests::query;

/// The time between two documents.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a stream lasts.
const MAX_TIME: Duration = Duration::from_secs(600);

/// `GET /dashboard/events`: an event `history` with all samples, and then an event `state` every second.
pub(crate) async fn stream(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    query::none(&uri)?;
    let permit = service.dashboard().stream().ok_or_else(|| {
        let why = format!("there are already {MAX_STREAMS} streams of events; close another dashboard");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-streams", why).with_retry_after(5)
    })?;
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stream = EventStream { service, ticks, begun: Instant::now(), has_history: false };
    let events = stream::unfold((stream, permit), async |(mut stream, permit)| {
        let event = stream.next().await?;
        Some((Ok::<_, std::convert::Infallible>(event), (stream, permit)))
    });
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response())
}

struct EventStream {
    service: Service,
    ticks: Interval,
    begun: Instant,
    has_history: bool,
}

impl EventStream {
    /// The next event. `None` at the end of the stream.
    async fn next(&mut self) -> Option<String> {
        if !std::mem::replace(&mut self.has_history, true) {
            return Some(event("history", &self.service.dashboard().samples()));
        }
        if self.begun.elapsed() > MAX_TIME {
            return None;
        }
        let mut stopping = self.service.dashboard().stopping();
        let next = async {
            self.ticks.tick().await;
            document(&self.service).await
        };
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => None,
            document = next => Some(event("state", &document)),
        }
    }
}

/// An event. JSON on one line needs no further escaping.
fn event(name: &str, document: &Value) -> String {
    format!("event: {name}\ndata: {document}\n\n")
}
