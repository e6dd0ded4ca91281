//! Runs ffmpeg to encode, and to measure how much quality a video has lost.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// The qualities that ffmpeg encodes with, the best one first.
pub const CRFS: [u32; 5] = [17, 20, 23, 26, 29];

/// The default quality of ffmpeg.
pub const DEFAULT_CRF: u32 = 23;

/// The quality that represents a lossless video, in decibels.
const LOSSLESS: f64 = 60.0;

/// The result of encoding a GIF.
#[derive(Clone, Copy)]
pub struct Encoded {
    /// Processor time.
    pub milliseconds: f64,
    pub bytes: f64,
    /// SSIM in decibels.
    pub quality: f64,
}

impl Encoded {
    /// Estimates the result at a quality by interpolating between measured qualities, or extrapolating by at most one step.
    pub fn at_quality(curve: &[Self], quality: f64) -> Option<Self> {
        let mut curve = curve.to_vec();
        curve.sort_by(|one, other| one.quality.total_cmp(&other.quality));
        let above = curve.iter().position(|it| it.quality >= quality).unwrap_or(curve.len()).clamp(1, curve.len().checked_sub(1)?);
        let (low, high) = (curve[above - 1], curve[above]);
        let step = high.quality - low.quality;
        let share = if step > 0.0 { ((quality - low.quality) / step).clamp(-1.0, 2.0) } else { 0.0 };
        let between = |low: f64, high: f64| (low.ln() * (1.0 - share) + high.ln() * share).exp();
        Some(Self { milliseconds: between(low.milliseconds, high.milliseconds), bytes: between(low.bytes, high.bytes), quality })
    }
}

/// A GIF with its size.
pub struct Source {
    gif: PathBuf,
    width: u32,
    height: u32,
}

/// Reads the size of a GIF.
pub fn probe(gif: &Path) -> anyhow::Result<Source> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", "v", "-show_entries", "stream=width,height", "-of", "csv=p=0"]).arg(gif);
    let found = command.output().context("cannot start ffprobe")?;
    let text = String::from_utf8_lossy(&found.stdout);
    let (width, height) = text.trim().split_once(',').context("ffprobe found no picture")?;
    Ok(Source { gif: gif.into(), width: width.parse()?, height: height.parse()? })
}

impl Source {
    /// The filter from the GIF to the input of an encoder, with the same colour matrix as the embedded converter.
    fn filter(&self) -> String {
        let matrix = if self.height.next_multiple_of(2) < 720 { "bt601" } else { "bt709" };
        let size = format!("{}:{}", self.width.next_multiple_of(2), self.height.next_multiple_of(2));
        let colours = format!("out_color_matrix={matrix}:out_range=tv:flags=accurate_rnd+full_chroma_int+bitexact");
        format!("pad={size},scale={colours},format=yuv420p")
    }

    /// Encodes, and returns the processor time in milliseconds.
    pub fn encode(&self, crf: u32, video: &Path) -> anyhow::Result<f64> {
        let mut command = Command::new("ffmpeg");
        command.args(["-hide_banner", "-nostdin", "-y", "-benchmark", "-threads", "1", "-i"]).arg(&self.gif);
        command.args(["-fps_mode", "passthrough", "-enc_time_base", "1:100", "-an", "-filter_threads", "1", "-vf", &self.filter()]);
        command.args(["-c:v", "libx264", "-preset", "veryfast", "-crf", &crf.to_string(), "-threads", "1"]);
        command.args(["-movflags", "+faststart"]).arg(video);
        let report = run(command)?;
        let seconds = |name: &str| -> Option<f64> { report.split_once(name)?.1.split_once('s')?.0.parse().ok() };
        // With a resolution of a millisecond.
        let spent = seconds("bench: utime=").zip(seconds(" stime=")).map(|(user, system)| (user + system) * 1e3);
        Ok(spent.context("ffmpeg did not report its time")?.max(0.5))
    }

    /// The similarity of a video to the GIF at each of its frames: the SSIM in decibels.
    pub fn quality(&self, video: &Path) -> anyhow::Result<f64> {
        let shared = format!("crop={}:{}:0:0,settb=1/100", self.width / 2 * 2, self.height / 2 * 2);
        let filter = format!("[0:v]{},{shared}[gif];[1:v]format=yuv420p,{shared}[video];[gif][video]ssim", self.filter());
        let mut command = Command::new("ffmpeg");
        command.args(["-hide_banner", "-nostdin", "-i"]).arg(&self.gif).arg("-i").arg(video);
        command.args(["-lavfi", &filter, "-f", "null", "-"]);
        let report = run(command)?;
        let found = report.split_once(" All:").and_then(|(_, rest)| rest.split_whitespace().next()).context("no SSIM")?;
        let lost = 1.0 - found.parse::<f64>()?;
        Ok(if lost > 0.0 { (-10.0 * lost.log10()).min(LOSSLESS) } else { LOSSLESS })
    }
}

/// Runs a command and returns what it reports.
fn run(mut command: Command) -> anyhow::Result<String> {
    let output = command.output().context("cannot start ffmpeg")?;
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "ffmpeg failed: {report}");
    Ok(report)
}
