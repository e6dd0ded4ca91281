//! Delivers a body once it is complete, or while it is still arriving.
//!
//! An arriving body becomes readable once its media type is decided: when enough bytes to examine have arrived, or after
//! [`EARLY_DECISION`] if further bytes cannot change the type. Until then, a failure is a failure of the download, which may be retried. A
//! later failure ends the body early.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::media_type::SNIFFED_BYTES;
use crate::options::HttpOptions;
use crate::type_decision::TypeDecision;
use media_cache_interfaces::{Abandoned, ArrivingBody, Blob, FetchError, SpoolError, SpooledBody};

/// How long after the first byte of a body its media type is decided by the bytes that have arrived. If they are not enough, this is
/// repeated after the same time.
const EARLY_DECISION: Duration = Duration::from_secs(1);

/// How long to wait for the end of a body once its media type is decided. By then, bodies from nearby origins are usually complete.
const GRACE: Duration = Duration::from_millis(2);

/// A body with more than this many bytes becomes readable while it is arriving, even if it never pauses.
const STEADY_BYTES: u64 = 1 << 20;

/// The number of seconds after which there may be space again for a body that does not fit now.
const SPACE_AGAIN: u32 = 2;

/// An arriving body whose media type is decided.
pub(crate) struct Started {
    pub body: Blob,
    pub mimetype: String,
    pub abandoned: Abandoned,
}

/// A body on its way to the caller of the fetch.
pub(crate) struct Delivery {
    sink: Sink,
    stage: Stage,
    types: Arc<TypeDecision>,
    received_bytes: u64,
    /// Notified once the body can be read while it is arriving. `None` if this has already happened, or must not happen.
    started: Option<oneshot::Sender<Started>>,
}

/// The destination of the bytes.
enum Sink {
    Spooled(SpooledBody),
    Arriving(ArrivingBody),
    /// No destination: the bytes are dropped.
    Closed,
}

/// The stages that a body passes through before it can be read while it arrives.
enum Stage {
    /// No bytes have arrived yet.
    Empty,
    /// The first bytes arrived at this time, or were not enough to decide the type at this time.
    Undecided(Instant),
    /// The type was decided at this time.
    Decided(Instant, String),
    /// The body is already readable, or must not become readable before it is complete.
    Settled,
}

impl Delivery {
    /// Creates the delivery of a body. `announced` is its declared length, if there is one.
    pub fn new(
        options: &HttpOptions,
        announced: Option<u64>,
        types: Arc<TypeDecision>,
        started: Option<oneshot::Sender<Started>>,
    ) -> Self {
        let sink = Sink::Spooled(SpooledBody::new(options.spool_above, options.spool.clone(), announced));
        Self { sink, stage: if started.is_some() { Stage::Empty } else { Stage::Settled }, types, received_bytes: 0, started }
    }

    /// The number of bytes that were received.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Appends a chunk.
    pub async fn append(&mut self, chunk: Bytes) -> Result<(), FetchError> {
        self.received_bytes += chunk.len() as u64;
        match &mut self.sink {
            Sink::Spooled(body) => body.append(chunk).await.map_err(spool_failed)?,
            Sink::Arriving(body) => body.append(chunk).await.map_err(spool_failed)?,
            Sink::Closed => {}
        }
        if let Stage::Empty = self.stage {
            self.stage = Stage::Undecided(Instant::now());
        }
        if let (Stage::Undecided(_), Sink::Spooled(body)) = (&self.stage, &self.sink)
            && body.received_bytes() >= SNIFFED_BYTES as u64
        {
            let mimetype = self.types.decide(&start_of(body)?)?;
            let may_stream = self.types.may_stream(&mimetype);
            self.stage = if may_stream { Stage::Decided(Instant::now(), mimetype) } else { Stage::Settled };
        }
        if let (Stage::Decided(at, _), Sink::Spooled(body)) = (&self.stage, &self.sink)
            && body.received_bytes() > STEADY_BYTES
            && at.elapsed() >= GRACE
        {
            self.go_on()?;
        }
        Ok(())
    }

    /// Waits until it is time to [go on](Self::go_on), even if there is nothing to append.
    pub async fn due(&self) {
        match &self.stage {
            Stage::Undecided(since) => sleep_until(*since + EARLY_DECISION).await,
            Stage::Decided(at, _) => sleep_until(*at + GRACE).await,
            Stage::Empty | Stage::Settled => std::future::pending().await,
        }
    }

    /// Makes the body readable from now on, if its type is decided or can be decided now.
    pub fn go_on(&mut self) -> Result<(), FetchError> {
        match (std::mem::replace(&mut self.stage, Stage::Settled), &self.sink) {
            (Stage::Undecided(_), Sink::Spooled(body)) => match self.types.decide_early(&start_of(body)?) {
                Some(mimetype) if self.types.may_stream(&mimetype) => self.start(mimetype),
                Some(_) => {}
                None => self.stage = Stage::Undecided(Instant::now()),
            },
            (Stage::Decided(_, mimetype), _) => self.start(mimetype),
            (stage, _) => self.stage = stage,
        }
        Ok(())
    }

    fn start(&mut self, mimetype: String) {
        let (Sink::Spooled(body), Some(started)) = (std::mem::replace(&mut self.sink, Sink::Closed), self.started.take()) else {
            return;
        };
        let (body, arriving) = body.into_arriving();
        let abandoned = arriving.abandoned();
        self.sink = Sink::Arriving(arriving);
        // If the receiver has been dropped, the body is abandoned.
        let _ = started.send(Started { body, mimetype, abandoned });
    }

    /// Ends the delivery. Returns the body, or `None` if it was already readable. In that case, its readers are notified of the end.
    pub async fn end(self, received: Result<(), FetchError>) -> Result<Option<Blob>, FetchError> {
        match (received, self.sink) {
            (Ok(()), Sink::Spooled(body)) => body.finish().await.map(Some).map_err(spool_failed),
            (Ok(()), Sink::Arriving(body)) => {
                body.finish(spool_failed).await;
                Ok(None)
            }
            (Err(failure), Sink::Arriving(body)) => {
                body.fail(failure);
                Ok(None)
            }
            (received, _) => received.map(|()| None),
        }
    }
}

fn start_of(body: &SpooledBody) -> Result<Bytes, FetchError> {
    body.head(SNIFFED_BYTES).map_err(|error| FetchError::Other(format!("cannot read back the received body: {error}")))
}

/// The failure for a body that cannot be kept, which is not the origin's fault.
fn spool_failed(error: SpoolError) -> FetchError {
    tracing::warn!("cannot receive a body: {error}");
    FetchError::Overloaded(Some(SPACE_AGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn large_body_that_never_pauses_becomes_readable_while_it_arrives() {
        let options = Arc::new(HttpOptions::default());
        let types = Arc::new(TypeDecision::new(Some("image/png"), options.clone()).unwrap());
        let (started, mut start) = oneshot::channel();
        let mut delivery = Delivery::new(&options, None, types, Some(started));
        delivery.append(Bytes::from(vec![7; SNIFFED_BYTES])).await.unwrap();
        let Stage::Decided(at, _) = &mut delivery.stage else { panic!("the type is not decided") };
        *at -= GRACE;
        delivery.append(Bytes::from(vec![7; 1000])).await.unwrap();
        assert!(start.try_recv().is_err());
        delivery.append(Bytes::from(vec![7; STEADY_BYTES as usize])).await.unwrap();
        let started = start.try_recv().unwrap();
        assert_eq!((started.mimetype.as_str(), started.body.is_arriving()), ("image/png", true));
        assert!(delivery.end(Ok(())).await.unwrap().is_none());
        assert_eq!(started.body.len(), STEADY_BYTES + SNIFFED_BYTES as u64 + 1000);
    }
}
