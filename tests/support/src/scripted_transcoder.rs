//! A transcoder whose output can be computed from its input, and which fails if the input requests it.

use std::sync::Mutex;

use futures::future::BoxFuture;
use media_cache::{Blob, Conversion, Original, TranscodeError, Transcoded, Transcoder};

use crate::latch::Latch;

/// A transcoder that returns [`video_of`] each GIF, unless the GIF contains one of these words: `broken` causes an error, `panic` a panic,
/// `keep` the unchanged GIF, `empty` an empty video, `type` a video with an invalid media type, and `extension` a video with an invalid
/// extension.
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
    /// The number of conversions that were requested.
    pub fn requests(&self) -> usize {
        *self.requests.lock().unwrap()
    }

    /// Holds conversions until the latch is opened.
    pub fn hold(&self) -> Latch {
        self.latch.lock().unwrap().insert(Latch::closed()).clone()
    }
}

impl Transcoder for ScriptedTranscoder {
    fn accepted_types(&self) -> Vec<String> {
        vec!["image/gif".into()]
    }

    fn transcode<'a>(&'a self, original: Original<'a>) -> BoxFuture<'a, Result<Transcoded, TranscodeError>> {
        *self.requests.lock().unwrap() += 1;
        let gif = original.body.head(usize::MAX).unwrap();
        let contains = |word: &[u8]| gif.windows(word.len()).any(|part| part == word);
        assert!(!contains(b"panic"), "the GIF requested this panic");
        let broken = TranscodeError { name: "malformed", message: "the GIF requested this error".into() };
        let video = match () {
            () if contains(b"broken") => Err(broken),
            () if contains(b"keep") => Ok(Transcoded::Keep),
            () if contains(b"empty") => Ok(converted(Vec::new(), "video/mp4", "mp4")),
            () if contains(b"type") => Ok(converted(video_of(&gif), "video", "mp4")),
            () if contains(b"extension") => Ok(converted(video_of(&gif), "video/mp4", "../mp4")),
            () => Ok(converted(video_of(&gif), "video/mp4", "mp4")),
        };
        let latch = self.latch.lock().unwrap().clone();
        Box::pin(async move {
            if let Some(latch) = latch {
                latch.pass().await;
            }
            video
        })
    }
}

fn converted(video: Vec<u8>, mimetype: &str, extension: &str) -> Transcoded {
    Transcoded::Converted(Conversion { body: Blob::from(video), mimetype: mimetype.into(), extension: extension.into() })
}
