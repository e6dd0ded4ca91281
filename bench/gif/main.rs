//! Compares the speed and the video sizes of the embedded converter with those of ffmpeg with x264 at `veryfast`.
//!
//! ```sh
//! cargo bench -p media-cache-gif-to-mp4 --bench gif -- [--rounds N] [DIR...]
//! ```
//!
//! The bench generates its GIFs, the same ones in every run, and adds those in the directories. Both converters convert each GIF in turn,
//! on one thread, N times. Times are user and system processor time, excluding the start of ffmpeg.
//!
//! Both are lossy, so they are compared at the same quality: ffmpeg encodes with several values of `-crf`, and its bytes and its time are
//! interpolated to the SSIM of the embedded converter (measured against the picture that enters the encoders).

mod corpus;
mod drawing;
mod ffmpeg;
mod gif_file;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use media_cache_gif_to_mp4::{ConvertGifs, Converted, Deadline, Limits, gif_to_mp4};
use rustix::time::{ClockId, clock_gettime};

use crate::corpus::Sample;
use crate::ffmpeg::{CRFS, DEFAULT_CRF, Encoded};

/// The results for one GIF.
struct Compared {
    ours: Encoded,
    /// ffmpeg with its default `-crf`.
    usual: Encoded,
    /// ffmpeg at the quality of the embedded converter.
    same: Encoded,
}

fn main() -> anyhow::Result<()> {
    let (mut rounds, mut directories) = (3, Vec::new());
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => rounds = arguments.next().context("--rounds needs a number")?.parse()?,
            option if option.starts_with('-') => bail!("unknown option {option}"),
            directory => directories.push(PathBuf::from(directory)),
        }
    }
    ensure!(rounds > 0, "--rounds must be at least 1");
    let mut samples = corpus::corpus();
    for directory in &directories {
        samples.extend(read_directory(directory)?);
    }
    let scratch = tempfile::tempdir()?;
    println!(
        "milliseconds and bytes: ours / ffmpeg with -crf {DEFAULT_CRF} / ratio to ffmpeg at the same quality; SSIM in decibels: ours / ffmpeg"
    );
    let mut compared = Vec::new();
    for sample in &samples {
        let result = compare(sample, scratch.path(), rounds).with_context(|| sample.name.clone())?;
        report(&sample.name, sample.gif.len(), std::slice::from_ref(&result));
        compared.push(result);
    }
    report("all", samples.iter().map(|sample| sample.gif.len()).sum(), &compared);
    let mean = |ratio: fn(&Compared) -> f64| (compared.iter().map(|it| ratio(it).ln()).sum::<f64>() / compared.len() as f64).exp();
    let (time, bytes) = (mean(|it| it.ours.milliseconds / it.same.milliseconds), mean(|it| it.ours.bytes / it.same.bytes));
    println!("geometric mean of the ratios at the same quality: time {time:.2}, bytes {bytes:.2}");
    Ok(())
}

fn read_directory(directory: &Path) -> anyhow::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for entry in directory.read_dir().with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "gif") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            samples.push(Sample { name, gif: std::fs::read(&path)? });
        }
    }
    samples.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(samples)
}

fn compare(sample: &Sample, scratch: &Path, rounds: u32) -> anyhow::Result<Compared> {
    let (gif, ours, theirs) = (scratch.join("in.gif"), scratch.join("ours.mp4"), scratch.join("ffmpeg.mp4"));
    std::fs::write(&gif, &sample.gif)?;
    let source = ffmpeg::probe(&gif)?;
    let (mut milliseconds, mut curve) = (0.0, Vec::new());
    for round in 0..rounds {
        let before = processor_milliseconds();
        let limits = Limits { wall_time: Duration::from_secs(600), ..Limits::default() };
        let converted = gif_to_mp4(&sample.gif, ConvertGifs::Always, &limits, &Deadline::starting_now(limits.wall_time))?;
        milliseconds += (processor_milliseconds() - before) / f64::from(rounds);
        let Converted::Video(video) = converted else { bail!("not converted") };
        for (number, crf) in CRFS.into_iter().enumerate() {
            let spent = source.encode(crf, &theirs)?;
            if round == 0 {
                std::fs::write(&ours, &video)?;
                let bytes = theirs.metadata()?.len() as f64;
                curve.push(Encoded { milliseconds: 0.0, bytes, quality: source.quality(&theirs)? });
            }
            curve[number].milliseconds += spent / f64::from(rounds);
        }
    }
    let ours = Encoded { milliseconds, bytes: ours.metadata()?.len() as f64, quality: source.quality(&ours)? };
    let usual = CRFS
        .iter()
        .position(|&crf| crf == DEFAULT_CRF)
        .and_then(|at| curve.get(at).copied())
        .context("no result for the default -crf")?;
    let same = Encoded::at_quality(&curve, ours.quality).context("no curve")?;
    Ok(Compared { ours, usual, same })
}

/// The processor time of this thread.
fn processor_milliseconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn report(name: &str, gif: usize, compared: &[Compared]) {
    let sum = |part: fn(&Compared) -> f64| compared.iter().map(part).sum::<f64>();
    let (ours, usual) = (sum(|it| it.ours.milliseconds), sum(|it| it.usual.milliseconds));
    let time = ours / sum(|it| it.same.milliseconds);
    let (our_bytes, usual_bytes) = (sum(|it| it.ours.bytes), sum(|it| it.usual.bytes));
    let bytes = our_bytes / sum(|it| it.same.bytes);
    let quality = sum(|it| it.ours.quality) / compared.len() as f64;
    let usual_quality = sum(|it| it.usual.quality) / compared.len() as f64;
    println!(
        "{name:16} {gif:9}  time {ours:7.1} / {usual:7.1} / {time:4.2}  bytes {our_bytes:8} / {usual_bytes:8} / {bytes:4.2}  \
         quality {quality:4.1} / {usual_quality:4.1}"
    );
}
