//! The HTTP client with which spans are sent. Requests run on the runtime of the service, since the thread that sends spans has none.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::runtime::Handle;

use crate::traces::export::ExportState;

/// The maximum size of a response, of which only the status matters.
const MAX_RESPONSE: usize = 64 * 1024;

/// A client of the collector.
#[derive(Debug)]
pub struct CollectorClient {
    client: Client,
    runtime: Handle,
    state: Arc<ExportState>,
}

impl CollectorClient {
    /// A client whose requests take at most `timeout`.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn new(runtime: Handle, timeout: Duration, state: Arc<ExportState>) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(timeout).redirect(Policy::none()).no_proxy().build();
        Ok(Self { client: client.context("cannot create the client for --otlp-endpoint")?, runtime, state })
    }
}

impl HttpClient for CollectorClient {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let (client, state) = (self.client.clone(), self.state.clone());
        let sending = self.runtime.spawn(async move {
            let sent = send(client, request).await;
            state.note_failure(match &sent {
                Ok(response) if response.status().is_success() => None,
                Ok(response) => Some(format!("it responded with {}", response.status())),
                Err(error) => Some(innermost(error).to_string()),
            });
            sent
        });
        Box::pin(async move { Ok(sending.await??) })
    }
}

async fn send(client: Client, request: Request<Bytes>) -> reqwest::Result<Response<Bytes>> {
    let mut response = client.execute(request.try_into()?).await.map_err(reqwest::Error::without_url)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > MAX_RESPONSE {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    let mut answer = Response::new(body.into());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = response.headers().clone();
    Ok(answer)
}

/// The cause at the end of a chain of errors.
fn innermost(error: &reqwest::Error) -> &dyn Error {
    let mut cause: &dyn Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause
}
