//! A transcoder whose output can be computed from its input, and which fails on request.

use std::sync::Mutex;

use bytes::Bytes;
use futures::future::BoxFuture;
use media_cache::{Blob, Conversion, TranscodeError, Transcoded, Transcoder};

use crate::latch::Latch;

/// A transcoder that returns [`video_of`] each GIF. It fails for a GIF that contains `broken` and panics for one that contains `panic`.
#[derive(Debug, Default)]
pub struct ScriptedTranscoder {
    requests: Mutex<usize>,
    latch: Mutex<Option<Latch>>,
}

/// The output of the transcoder for a GIF.
#[must_use]
pub fn video_of(gif: &[u8]) -> Vec<u8> {
    [b"a video of ".as_slice(), gif].concat()
}

impl ScriptedTranscoder {
    /// How many conversions were requested.
    pub fn requests(&self) -> usize {
        *self.requests.lock().unwrap()
    }

    /// Holds up conversions until the latch is opened.
    pub fn hold(&self) -> Latch {
        self.latch.lock().unwrap().insert(Latch::closed()).clone()
    }
}

impl Transcoder for ScriptedTranscoder {
    fn accepted_types(&self) -> Vec<String> {
        vec!["image/gif".into()]
    }

    fn transcode<'a>(&'a self, gif: Bytes, _mimetype: &'a str) -> BoxFuture<'a, Result<Transcoded, TranscodeError>> {
        *self.requests.lock().unwrap() += 1;
        let contains = |word: &[u8]| gif.windows(word.len()).any(|part| part == word);
        assert!(!contains(b"panic"), "the GIF asked for this panic");
        let broken = TranscodeError { name: "malformed", message: "the GIF asked for this error".into() };
        let video = if contains(b"broken") { Err(broken) } else { Ok(mp4(video_of(&gif))) };
        let latch = self.latch.lock().unwrap().clone();
        Box::pin(async move {
            if let Some(latch) = latch {
                latch.pass().await;
            }
            video
        })
    }
}

fn mp4(video: Vec<u8>) -> Transcoded {
    Transcoded::Converted(Conversion { body: Blob::from(video), mimetype: "video/mp4".into(), extension: "mp4".into() })
}
