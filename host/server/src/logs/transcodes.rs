//! Logs each conversion.

use std::time::Instant;

use futures::future::BoxFuture;
use media_cache::{Original, TranscodeError, Transcoded, Transcoder};

use crate::logs::downloads::Logged;

impl<T: Transcoder + ?Sized> Transcoder for Logged<T> {
    fn accepted_types(&self) -> Vec<String> {
        self.inner.accepted_types()
    }

    fn transcode<'a>(&'a self, original: Original<'a>) -> BoxFuture<'a, Result<Transcoded, TranscodeError>> {
        Box::pin(async move {
            let Original { ref body, mimetype, url } = original;
            let (begun, bytes) = (Instant::now(), body.len());
            let transcoded = self.inner.transcode(original).await;
            let seconds = begun.elapsed().as_secs_f64();
            let logged = url.map(|url| self.log.get().urls.describe(url));
            let (key, host, url) = match &logged {
                Some(logged) => (Some(logged.fingerprint.as_str()), logged.host.as_deref(), logged.text.as_deref()),
                None => (None, None, None),
            };
            match &transcoded {
                Ok(Transcoded::Converted(video)) => {
                    let (converted, size) = (video.mimetype.as_str(), video.body.len());
                    tracing::debug!(key, host, url, mimetype, bytes, converted, size, seconds, "converted");
                }
                Ok(Transcoded::Keep) => {
                    tracing::debug!(key, host, url, mimetype, bytes, seconds, "not converted, as configured; storing the original");
                }
                Err(error) => {
                    let (outcome, reason) = (error.name, error.message.as_str());
                    tracing::warn!(
                        key,
                        host,
                        url,
                        mimetype,
                        bytes,
                        outcome,
                        reason,
                        seconds,
                        "conversion failed; storing the original"
                    );
                }
            }
            transcoded
        })
    }
}
