//! The transcoder that lets an installed `ffmpeg` with x264 encode: smaller files, and H.264 from a build the operator chose.
//!
//! Only raw pictures go to the process. The untrusted file is read by the same code as for the embedded encoder, and the same code
//! writes the MP4, so limits and timing do not depend on what is installed. Pictures stream through the pipe a few at a time.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

use super::bitstream::EncodedVideo;
use super::frames::Frames;
use super::survey::Survey;
use super::workers::{self, Workers};
use super::yuv::{I420, Matrix, VideoFormat};
use super::{Deadline, Limits, TranscodeError, Transcoder, mp4};

/// Pictures between the decoder and the pipe, so that neither waits for each of the other's steps.
const PICTURES_IN_FLIGHT: usize = 2;

/// How much of what the process complains about is kept, in bytes. The first lines are the ones that explain.
const COMPLAINT_BYTES: usize = 1024;

/// Transcodes with an installed `ffmpeg`, at most one job a core at a time.
#[derive(Debug)]
pub struct FfmpegTranscoder {
    program: PathBuf,
    limits: Limits,
    workers: Workers,
}

impl FfmpegTranscoder {
    /// A transcoder that starts this program, a path or a name to look up on `PATH`, and whose jobs may cost this much each.
    #[must_use]
    pub fn new(program: PathBuf, limits: Limits) -> Self {
        Self { program, limits, workers: Workers::default() }
    }

    async fn transcode(&self, gif: Bytes) -> Result<Vec<u8>, TranscodeError> {
        let (limits, limit) = (self.limits, self.limits.wall_time);
        let surveyed = gif.clone();
        let survey = Arc::new(workers::run(limit, move |deadline| Survey::of(&surveyed, &limits, deadline)).await?);
        let format = VideoFormat::for_canvas(survey.width, survey.height);

        let mut child = self.start(format)?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(TranscodeError::Ffmpeg("started without pipes".into()));
        };
        let (pictures, received) = mpsc::channel(PICTURES_IN_FLIGHT);
        let decoded = Arc::clone(&survey);
        let decode = workers::run(limit, move |deadline| decode(&gif, &decoded, format, &pictures, deadline));
        // All pipes at once: a process that waits for one of them to be emptied does not empty the others.
        let ((), (), stream, complaint) =
            tokio::try_join!(decode, feed(stdin, received), collect(stdout, &limits), first_complaint(stderr))?;
        check_exit(&mut child, &complaint).await?;
        let finish = move |_: &Deadline| {
            let video = EncodedVideo::from_delimited(&stream, &limits)?;
            mp4::write(&video, format, &survey.delays)
        };
        workers::run(limit, finish).await
    }

    fn start(&self, format: VideoFormat) -> Result<Child, TranscodeError> {
        let mut command = Command::new(&self.program);
        command.args(arguments(format)).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|error| {
            TranscodeError::Ffmpeg(match error.kind() {
                ErrorKind::NotFound if self.program.components().count() > 1 => {
                    format!("{} not found; install it or use the embedded transcoder", self.program.display())
                }
                ErrorKind::NotFound => "not found on PATH; install it or use the embedded transcoder".into(),
                _ => format!("{} does not start: {error}", self.program.display()),
            })
        })
    }
}

impl Transcoder for FfmpegTranscoder {
    fn max_input_bytes(&self) -> u64 {
        self.limits.input_bytes as u64
    }

    fn gif_to_mp4(&self, gif: Bytes) -> BoxFuture<'_, Result<Vec<u8>, TranscodeError>> {
        Box::pin(async move {
            self.limits.check_input(gif.len())?;
            let _slot = self.workers.slot().await?;
            let limit = self.limits.wall_time;
            // Dropped when the time is up, the job kills its process and tells its thread to stop.
            tokio::time::timeout(limit, self.transcode(gif)).await.unwrap_or(Err(TranscodeError::TimedOut { limit }))
        })
    }
}

/// Raw pictures in, Annex B out. The pace of 25 frames a second means nothing: the MP4 gets the GIF's own.
fn arguments(format: VideoFormat) -> Vec<String> {
    let size = format!("{}x{}", format.width, format.height);
    let colours = match format.matrix {
        Matrix::Bt601 => "smpte170m",
        Matrix::Bt709 => "bt709",
    };
    // Without B-frames the output is in the order of the input; delimiters show where a picture ends. The colours are tagged by
    // x264 itself, since ffmpeg's own options may convert them as well.
    let x264 = format!("aud=1:bframes=0:colorprim={colours}:transfer={colours}:colormatrix={colours}:range=tv");
    let quiet = "-hide_banner -loglevel error -nostdin";
    let input = format!("-f rawvideo -pix_fmt yuv420p -s {size} -r 25 -i -");
    let codec = "-an -c:v libx264 -preset veryfast -crf 23 -g 250 -threads 1";
    let words = format!("{quiet} {input} {codec} -x264-params {x264} -f h264 -");
    words.split(' ').map(String::from).collect()
}

/// Decodes and converts every frame and hands it on, for as long as somebody takes them.
fn decode(
    gif: &[u8],
    survey: &Survey,
    format: VideoFormat,
    pictures: &mpsc::Sender<Vec<u8>>,
    deadline: &Deadline,
) -> Result<(), TranscodeError> {
    let mut frames = Frames::of(gif, survey)?;
    let mut picture = I420::new(format);
    while let Some(canvas) = frames.next_canvas()? {
        deadline.check()?;
        picture.convert(canvas);
        if pictures.blocking_send(picture.bytes.clone()).is_err() {
            break;
        }
    }
    Ok(())
}

/// Writes the pictures, then closes the pipe. A process that stops reading says why by other means, so that is no error here.
async fn feed(mut stdin: ChildStdin, mut pictures: mpsc::Receiver<Vec<u8>>) -> Result<(), TranscodeError> {
    while let Some(picture) = pictures.recv().await {
        if stdin.write_all(&picture).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn collect(stdout: impl AsyncRead + Unpin, limits: &Limits) -> Result<Vec<u8>, TranscodeError> {
    let mut stream = Vec::new();
    let mut within_limit = stdout.take(limits.output_bytes as u64 + 1);
    within_limit.read_to_end(&mut stream).await.map_err(broken_pipe)?;
    limits.check_output(stream.len())?;
    Ok(stream)
}

async fn first_complaint(mut stderr: impl AsyncRead + Unpin) -> Result<String, TranscodeError> {
    let mut complaint = Vec::new();
    let mut buffer = [0; COMPLAINT_BYTES];
    loop {
        let read = stderr.read(&mut buffer).await.map_err(broken_pipe)?;
        if read == 0 {
            let lines = String::from_utf8_lossy(&complaint);
            return Ok(lines.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; "));
        }
        let kept = read.min(COMPLAINT_BYTES - complaint.len());
        complaint.extend_from_slice(&buffer[..kept]);
    }
}

async fn check_exit(child: &mut Child, complaint: &str) -> Result<(), TranscodeError> {
    let status = child.wait().await.map_err(broken_pipe)?;
    match (status.success(), complaint) {
        (true, _) => Ok(()),
        (false, "") => Err(TranscodeError::Ffmpeg(status.to_string())),
        (false, complaint) => Err(TranscodeError::Ffmpeg(complaint.into())),
    }
}

fn broken_pipe(error: std::io::Error) -> TranscodeError {
    TranscodeError::Ffmpeg(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{Video, flat, gif};
    use super::*;

    fn transcoder(program: &str, wall_time: Duration) -> FfmpegTranscoder {
        FfmpegTranscoder::new(program.into(), Limits { wall_time, ..Limits::default() })
    }

    async fn refusal(program: &str) -> String {
        let file = gif(32, 32, &[flat(32, 32, 1, 5)]);
        transcoder(program, Duration::from_secs(600)).gif_to_mp4(file.into()).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_missing_program_is_named_with_what_to_do() {
        let advice = "install it or use the embedded transcoder";
        assert_eq!(refusal("no-such-ffmpeg").await, format!("ffmpeg: not found on PATH; {advice}"));
        assert_eq!(refusal("/no/such/ffmpeg").await, format!("ffmpeg: /no/such/ffmpeg not found; {advice}"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_that_fails_or_gives_nothing_is_an_error() {
        assert_eq!(refusal("false").await, "ffmpeg: exit status: 1");
        assert_eq!(refusal("true").await, "encoding failed: 1 frames went in, 0 came out");
        assert!(refusal("cat").await.starts_with("ffmpeg: cat: "));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_that_hangs_is_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let hanging = directory.path().join("ffmpeg");
        // Written by another process: a file that this one has open for writing cannot be started while a test forks.
        let write = r#"printf '#!/bin/sh\nexec sleep 600\n' > "$0" && chmod +x "$0""#;
        assert!(Command::new("sh").arg("-c").arg(write).arg(&hanging).status().await.unwrap().success());
        let transcoder = transcoder(&hanging.to_string_lossy(), Duration::from_millis(300));
        let job = transcoder.gif_to_mp4(gif(32, 32, &[flat(32, 32, 1, 5)]).into());
        let refused = tokio::time::timeout(Duration::from_secs(20), job).await.unwrap();
        assert!(matches!(refused, Err(TranscodeError::TimedOut { .. })));
    }

    #[tokio::test]
    #[ignore = "needs ffmpeg on PATH"]
    async fn every_frame_keeps_its_colour_and_its_duration() {
        let delays = [0, 2, 7, 65_535, 11];
        let frames: Vec<_> = delays.iter().zip(0..).map(|(&delay, number)| flat(99, 720, number % 4, delay)).collect();
        let file = Bytes::from(gif(99, 720, &frames));
        let mp4 = transcoder("ffmpeg", Duration::from_secs(600)).gif_to_mp4(file).await.unwrap();
        let video = Video::read(mp4);
        assert_eq!(video.durations(), [10, 2, 7, 65_535, 11]);
        assert_eq!(video.colour()[5], 1);
        let pictures = video.pictures();
        for (picture, expected) in pictures.iter().zip([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255; 3], [255, 0, 0]]) {
            let seen = picture.rgb709(50, 50);
            assert!(seen.iter().zip(expected).all(|(seen, expected)| seen.abs_diff(expected) <= 4), "{seen:?} {expected:?}");
        }
        assert_eq!(pictures.len(), 5);
    }
}
