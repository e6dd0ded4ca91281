//! Transcoding: how many GIFs, what became of them, how long it took, and how much went in and came out.

use std::time::Instant;

use bytes::Bytes;
use futures::future::BoxFuture;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::durations::{Durations, TRANSCODES};
use super::{InProgress, Measured};
use crate::transcode::{TranscodeError, Transcoder};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
}

pub(super) struct Transcodes {
    time: Family<Ended, Durations>,
    read: Counter,
    written: Counter,
    in_progress: Gauge,
}

impl Transcodes {
    pub fn register(registry: &mut Registry) -> Self {
        let transcodes = Self {
            time: Family::new_with_constructor(|| Durations::new(TRANSCODES)),
            read: Counter::default(),
            written: Counter::default(),
            in_progress: Gauge::default(),
        };
        let help = "Time that transcoding took, by how it ended; GIFs that were too large to be read are not among them";
        registry.register("transcode_seconds", help, transcodes.time.clone());
        registry.register("transcode_input_bytes", "Bytes of GIFs that went into transcoding", transcodes.read.clone());
        registry.register("transcode_output_bytes", "Bytes of films that came out", transcodes.written.clone());
        registry.register("transcodes_in_progress", "GIFs that are being transcoded", transcodes.in_progress.clone());
        transcodes
    }

    async fn measure(&self, transcoder: &(impl Transcoder + ?Sized), gif: Bytes) -> Result<Vec<u8>, TranscodeError> {
        let _in_progress = InProgress::new(&self.in_progress);
        self.read.inc_by(gif.len() as u64);
        let begun = Instant::now();
        let film = transcoder.gif_to_mp4(gif).await;
        let outcome = match &film {
            Ok(film) => {
                self.written.inc_by(film.len() as u64);
                "success"
            }
            Err(error) => error.name(),
        };
        self.time.get_or_create(&Ended { outcome }).observe(begun.elapsed());
        film
    }
}

impl<T: Transcoder + ?Sized> Transcoder for Measured<T> {
    fn gif_to_mp4(&self, gif: Bytes) -> BoxFuture<'_, Result<Vec<u8>, TranscodeError>> {
        Box::pin(self.metrics.0.transcodes.measure(&*self.inner, gif))
    }

    fn max_input_bytes(&self) -> u64 {
        self.inner.max_input_bytes()
    }
}
