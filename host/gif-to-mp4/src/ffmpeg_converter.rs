//! The converter that encodes with an installed `ffmpeg` and x264: smaller files, and H.264 from a build of the operator's choice.
//!
//! The process receives only raw pictures. As in the embedded converter, this crate reads the untrusted file and writes the MP4, so limits
//! and timing do not depend on the installation. Pictures are streamed through the pipe.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

use crate::animation::Animation;
use crate::bitstream::EncodedVideo;
use crate::convert_error::ConvertError;
use crate::convert_gifs::{ConvertGifs, Converted};
use crate::converter::Converter;
use crate::deadline::Deadline;
use crate::level::Level;
use crate::limits::Limits;
use crate::mp4::Video;
use crate::pictures::{Pictures, Shown};
use crate::workers::{self, Workers};
use crate::yuv::{Matrix, VideoFormat};

/// Pictures that are buffered between the decoder and the pipe.
const BUFFERED_PICTURES: usize = 2;

/// The maximum number of bytes of a stream that are not in the video, in total and for each frame: parameter sets, delimiters, and x264's
/// description of itself.
const OVERHEAD_BYTES: usize = 16 << 10;
const FRAME_OVERHEAD_BYTES: usize = 64;

/// The maximum number of bytes kept of the process's error output. The first lines explain the error.
const MAX_STDERR_BYTES: usize = 1024;

/// Converts with an installed `ffmpeg`, at most one job per core at a time.
#[derive(Debug)]
pub struct FfmpegConverter {
    program: PathBuf,
    limits: Limits,
    workers: Workers,
}

impl FfmpegConverter {
    /// A converter that starts this program, a path or a name on `PATH`, with these limits for each conversion.
    #[must_use]
    pub fn new(program: PathBuf, limits: Limits) -> Self {
        Self { program, limits, workers: Workers::default() }
    }

    async fn run(&self, gif: Bytes, which: ConvertGifs) -> Result<Converted, ConvertError> {
        let (limits, wall_time) = (self.limits, self.limits.wall_time);
        let file = gif.clone();
        let inspect = move |deadline: &Deadline| Animation::inspect(&file, &limits, deadline);
        let animation = workers::run(wall_time, inspect).await?;
        if which.keeps(animation.info.delays.len()) {
            return Ok(Converted::Keep);
        }
        let (size, limits) = (gif.len(), which.limits(gif.len(), &limits));
        which.choose(size, &limits, self.encode(gif, animation, limits).await)
    }

    async fn encode(&self, gif: Bytes, animation: Animation, limits: Limits) -> Result<Video, ConvertError> {
        let wall_time = limits.wall_time;
        let animation = Arc::new(animation);
        let format = VideoFormat::for_canvas(animation.info.width, animation.info.height);

        let mut child = self.start(format)?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(ConvertError::Ffmpeg("started without pipes".into()));
        };
        let (sender, pictures) = mpsc::channel(BUFFERED_PICTURES);
        let decoded = Arc::clone(&animation);
        let decode = workers::run(wall_time, move |deadline| decode(&gif, &decoded, format, &sender, deadline));
        // All pipes are served concurrently: a process that blocks on one of them would otherwise never drain the others.
        let max_stream_bytes =
            limits.output_bytes.saturating_add(OVERHEAD_BYTES + animation.info.delays.len() * FRAME_OVERHEAD_BYTES);
        let read = read_video(stdout, max_stream_bytes, &limits);
        let (shown, (), stream, errors) = tokio::try_join!(decode, write_pictures(stdin, pictures), read, read_errors(stderr))?;
        check_exit(&mut child, &errors).await?;
        let finish = move |_: &Deadline| {
            let video = EncodedVideo::from_annex_b(&stream, &limits)?;
            Video::write(&video, format, &shown)
        };
        workers::run(wall_time, finish).await
    }

    fn start(&self, format: VideoFormat) -> Result<Child, ConvertError> {
        let mut command = Command::new(&self.program);
        command.args(arguments(format)).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|error| {
            ConvertError::Ffmpeg(match error.kind() {
                ErrorKind::NotFound if self.program.components().count() > 1 => {
                    format!("{} not found; install it or use the embedded transcoder", self.program.display())
                }
                ErrorKind::NotFound => "not found on PATH; install it or use the embedded transcoder".into(),
                _ => format!("cannot start {}: {error}", self.program.display()),
            })
        })
    }
}

impl Converter for FfmpegConverter {
    fn max_input_bytes(&self) -> u64 {
        self.limits.input_bytes as u64
    }

    fn convert(&self, gif: Bytes, which: ConvertGifs) -> BoxFuture<'_, Result<Converted, ConvertError>> {
        Box::pin(async move {
            if which == ConvertGifs::Never {
                return Ok(Converted::Keep);
            }
            self.limits.check_input(gif.len())?;
            let _permit = self.workers.acquire().await?;
            let limit = self.limits.wall_time;
            // When the time is up, dropping the job kills its process and stops its thread.
            tokio::time::timeout(limit, self.run(gif, which)).await.unwrap_or(Err(ConvertError::TimedOut { limit }))
        })
    }
}

/// Raw pictures in, Annex B out. The frame rate of 25 is a placeholder: the MP4 has the delays of the GIF.
fn arguments(format: VideoFormat) -> Vec<String> {
    let size = format!("{}x{}", format.width, format.height);
    let colours = match format.matrix {
        Matrix::Bt601 => "smpte170m",
        Matrix::Bt709 => "bt709",
    };
    // Without B-frames the output is in the order of the input; delimiters (`aud`) separate the pictures. x264 tags the colours,
    // since the options of ffmpeg itself might convert them as well.
    let colours = format!("colorprim={colours}:transfer={colours}:colormatrix={colours}:range=tv");
    // The level must not be derived from the placeholder.
    let level = Level::of(format).map_or_else(String::new, |level| format!(":level={}", level.0));
    let x264 = format!("aud=1:bframes=0:{colours}{level}");
    let quiet = "-hide_banner -loglevel error -nostdin";
    let input = format!("-f rawvideo -pix_fmt yuv420p -s {size} -r 25 -i -");
    let codec = "-an -c:v libx264 -preset veryfast -crf 23 -g 250 -threads 1";
    let words = format!("{quiet} {input} {codec} -x264-params {x264} -f h264 -");
    words.split(' ').map(String::from).collect()
}

/// Decodes, converts and sends every picture, until the receiver is closed. Returns the durations of the pictures.
fn decode(
    gif: &[u8],
    animation: &Animation,
    format: VideoFormat,
    sender: &mpsc::Sender<Vec<u8>>,
    deadline: &Deadline,
) -> Result<Shown, ConvertError> {
    let mut pictures = Pictures::new(gif, animation, format)?;
    while let Some(picture) = pictures.next(deadline)? {
        if sender.blocking_send(picture.bytes.clone()).is_err() {
            // The receiver was closed. It reports the reason, or the number of pictures will not match.
            break;
        }
    }
    Ok(pictures.finish())
}

/// Writes the pictures, then closes the pipe. It is not an error here if the process stops reading, since the process itself reports the
/// reason.
async fn write_pictures(mut stdin: ChildStdin, mut pictures: mpsc::Receiver<Vec<u8>>) -> Result<(), ConvertError> {
    while let Some(picture) = pictures.recv().await {
        if stdin.write_all(&picture).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Reads a stream of at most `max_bytes` bytes.
async fn read_video(stdout: impl AsyncRead + Unpin, max_bytes: usize, limits: &Limits) -> Result<Vec<u8>, ConvertError> {
    let mut stream = Vec::new();
    let mut within_limit = stdout.take((max_bytes as u64).saturating_add(1));
    within_limit.read_to_end(&mut stream).await.map_err(io_failed)?;
    if stream.len() > max_bytes {
        return Err(ConvertError::OutputTooLarge { bytes: stream.len(), limit: limits.output_bytes });
    }
    Ok(stream)
}

/// Reads everything that the process reports, and returns the beginning.
async fn read_errors(mut stderr: impl AsyncRead + Unpin) -> Result<String, ConvertError> {
    let mut kept = Vec::new();
    let mut buffer = [0; MAX_STDERR_BYTES];
    loop {
        let read = stderr.read(&mut buffer).await.map_err(io_failed)?;
        if read == 0 {
            let lines = String::from_utf8_lossy(&kept);
            return Ok(lines.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; "));
        }
        let room = MAX_STDERR_BYTES - kept.len();
        kept.extend_from_slice(&buffer[..read.min(room)]);
    }
}

async fn check_exit(child: &mut Child, errors: &str) -> Result<(), ConvertError> {
    let status = child.wait().await.map_err(io_failed)?;
    match (status.success(), errors) {
        (true, _) => Ok(()),
        (false, "") => Err(ConvertError::Ffmpeg(status.to_string())),
        (false, errors) => Err(ConvertError::Ffmpeg(errors.into())),
    }
}

fn io_failed(error: std::io::Error) -> ConvertError {
    ConvertError::Ffmpeg(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use media_cache_test_skip as skip;

    use super::*;
    use crate::test_support::{VideoFile, flat, gif, video};

    fn converter(program: &str, wall_time: Duration) -> FfmpegConverter {
        FfmpegConverter::new(program.into(), Limits { wall_time, ..Limits::default() })
    }

    async fn failure(program: &str) -> String {
        let file = gif(32, 32, &[flat(32, 32, 1, 5)]);
        converter(program, Duration::from_secs(600)).convert(file.into(), ConvertGifs::Always).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn error_for_a_missing_program_names_it_and_gives_advice() {
        let advice = "install it or use the embedded transcoder";
        assert_eq!(failure("no-such-ffmpeg").await, format!("ffmpeg: not found on PATH; {advice}"));
        assert_eq!(failure("/no/such/ffmpeg").await, format!("ffmpeg: /no/such/ffmpeg not found; {advice}"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn failing_or_silent_program_is_an_error() {
        assert_eq!(failure("false").await, "ffmpeg: exit status: 1");
        assert_eq!(failure("true").await, "encoding failed: 1 frames went in, 0 came out");
        assert!(failure("cat").await.starts_with("ffmpeg: cat: "));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn hanging_program_is_killed() {
        let directory = tempfile::tempdir().unwrap();
        let hanging = directory.path().join("ffmpeg");
        // Another process writes the file: a program cannot start while a fork of this process has it open for writing.
        let write = r#"printf '#!/bin/sh\nexec sleep 600\n' > "$0" && chmod +x "$0""#;
        assert!(Command::new("sh").arg("-c").arg(write).arg(&hanging).status().await.unwrap().success());
        let converter = converter(&hanging.to_string_lossy(), Duration::from_millis(300));
        let job = converter.convert(gif(32, 32, &[flat(32, 32, 1, 5)]).into(), ConvertGifs::Always);
        let result = tokio::time::timeout(Duration::from_secs(20), job).await.unwrap();
        assert!(matches!(result, Err(ConvertError::TimedOut { .. })));
    }

    #[tokio::test]
    async fn every_frame_keeps_its_colour_and_duration() {
        if skip::unless_installed("ffmpeg") {
            return;
        }
        let delays = [0, 2, 7, 65_535, 11];
        let frames: Vec<_> = delays.iter().zip(0..).map(|(&delay, number)| flat(99, 720, number % 4, delay)).collect();
        let file = Bytes::from(gif(99, 720, &frames));
        let converted = converter("ffmpeg", Duration::from_secs(600)).convert(file, ConvertGifs::Always).await.unwrap();
        let video = VideoFile::read(video(Ok(converted)).unwrap());
        assert_eq!(video.durations(), [10, 2, 7, 65_535, 11]);
        assert_eq!(video.colour()[5], 1);
        assert_eq!(video.level(), Level::of(VideoFormat::for_canvas(99, 720)).unwrap().0);
        let pictures = video.pictures();
        for (picture, expected) in pictures.iter().zip([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255; 3], [255, 0, 0]]) {
            let seen = picture.rgb709(50, 50);
            assert!(seen.iter().zip(expected).all(|(seen, expected)| seen.abs_diff(expected) <= 4), "{seen:?} {expected:?}");
        }
        assert_eq!(pictures.len(), 5);
    }
}
