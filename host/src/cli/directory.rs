//! The commands that work on a directory without a service.

use std::io::{IsTerminal, Read, Write};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use futures::TryStreamExt;
use indicatif::{HumanBytes, ProgressBar};
use media_cache::download::{DownloadQueue, GateOptions, clean_filename, filename_for, media_type};
use media_cache::service::{entry_document, stats_document};
use media_cache::{Blob, MediaCache, Source};
use url::Url;

use super::open::{Intake, Place};

/// Entries that are asked for at a time.
const PAGE: u32 = 1000;

/// What the commands share that may add an entry.
#[derive(Args)]
struct Adding {
    /// The budget on disk, in MiB; unless it is given, nothing is evicted
    #[arg(long, value_name = "MB", help_heading = "Storage")]
    max_size_mb: Option<NonZeroU64>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    intake: Intake,
}

impl Adding {
    async fn open(&self) -> anyhow::Result<(MediaCache, ProgressBar)> {
        let bar = ProgressBar::new_spinner();
        let builder = self.place.builder(self.max_size_mb.unwrap_or_else(|| self.place.ample_budget(self.intake.room())))?;
        let queue = DownloadQueue::new(GateOptions::default());
        let builder = self.intake.configure(builder, queue, Some(bar.clone()), None)?;
        Ok((self.place.open(builder, &bar).await?, bar))
    }
}

/// Opens a cache for a command that adds nothing.
async fn open(place: &Place) -> anyhow::Result<MediaCache> {
    let bar = ProgressBar::new_spinner();
    let cache = place.open(place.builder(place.ample_budget(0))?, &bar).await?;
    bar.finish_and_clear();
    Ok(cache)
}

/// `media-cache get`.
#[derive(Args)]
pub struct Get {
    /// What to get
    url: String,
    /// Where to write the bytes; `-` or nothing for standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    adding: Adding,
}

impl Get {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let file = self.output.filter(|file| file.as_os_str() != "-");
        if file.is_none() && std::io::stdout().is_terminal() {
            anyhow::bail!("these bytes are not for a terminal; say where they are to go with -o FILE, or with `-o - |`");
        }
        let (cache, bar) = self.adding.open().await?;
        let got = cache.get_or_download(&self.url).await;
        bar.finish_and_clear();
        let media = got.with_context(|| format!("cannot get {}", self.url))?;
        let from = match media.source {
            Source::Origin => "downloaded",
            Source::Memory | Source::Disk => "from the cache",
        };
        eprintln!("{}, {}, {}, {from}", media.filename, media.mimetype, HumanBytes(media.body.len()));
        match &file {
            Some(file) => {
                let out = std::fs::File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
                write_all(&media.body, out).await.with_context(|| format!("cannot write {}", file.display()))?;
            }
            None => write_all(&media.body, std::io::stdout().lock()).await.context("cannot write to standard output")?,
        }
        cache.close().await?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn write_all(body: &Blob, mut out: impl Write) -> std::io::Result<()> {
    let mut pieces = std::pin::pin!(body.stream(0..body.len()));
    while let Some(piece) = pieces.try_next().await? {
        out.write_all(&piece)?;
    }
    out.flush()
}

/// `media-cache put`.
#[derive(Args)]
pub struct Put {
    /// What to store the file for
    url: String,
    /// The file; `-` for standard input
    file: PathBuf,
    /// The media type; unless it is given it is guessed from the bytes
    #[arg(long = "type", value_name = "TYPE")]
    mimetype: Option<String>,
    /// The file name to store; unless it is given it is that of the file, or taken from the URL
    #[arg(long, value_name = "NAME")]
    filename: Option<String>,
    #[command(flatten)]
    adding: Adding,
}

impl Put {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let url = Url::parse(&self.url).with_context(|| format!("{} is not a URL", self.url))?;
        let body = self.body()?;
        anyhow::ensure!(!body.is_empty(), "{} is empty", self.file.display());
        let limit = self.adding.intake.max_body_bytes();
        anyhow::ensure!(
            body.len() <= limit,
            "{} has {} bytes, and the limit is {limit}; see --max-body-mb",
            self.file.display(),
            body.len()
        );
        let mimetype = media_type(self.mimetype.as_deref(), &body.head(8192)?);
        let own_name = self.file.file_name().map(|name| name.to_string_lossy().into_owned()).filter(|name| name != "-");
        let filename = self.filename.or(own_name).as_deref().and_then(clean_filename);
        let filename = filename.unwrap_or_else(|| filename_for(None, &url, &mimetype));
        let (cache, bar) = self.adding.open().await?;
        let put = cache.put(&self.url, body, &mimetype, &filename).await;
        bar.finish_and_clear();
        let outcome = put?;
        if let Some(why) = &outcome.not_stored {
            anyhow::bail!("nothing was stored for {}: {}", self.url, media_cache::describe(why));
        }
        let (media, size) = (&outcome.media, HumanBytes(outcome.media.body.len()));
        let done = if outcome.known { "kept what was stored before" } else { "stored" };
        println!("{done}: {}, {}, {size}", media.filename, media.mimetype);
        cache.close().await?;
        Ok(ExitCode::SUCCESS)
    }

    fn body(&self) -> anyhow::Result<Blob> {
        let read = || {
            if self.file.as_os_str() == "-" {
                let mut bytes = Vec::new();
                std::io::stdin().read_to_end(&mut bytes)?;
                return Ok(Blob::from(bytes));
            }
            Blob::from_file(std::fs::File::open(&self.file)?.into())
        };
        read().with_context(|| format!("cannot read {}", self.file.display()))
    }
}

/// `media-cache rm`.
#[derive(Args)]
pub struct Rm {
    /// What to remove
    #[arg(required = true)]
    urls: Vec<String>,
    #[command(flatten)]
    place: Place,
}

impl Rm {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let cache = open(&self.place).await?;
        let mut code = ExitCode::SUCCESS;
        for url in &self.urls {
            if !cache.remove(url).await? {
                eprintln!("media-cache: nothing is stored for {url}");
                code = ExitCode::FAILURE;
            }
        }
        cache.close().await?;
        Ok(code)
    }
}

/// `media-cache ls`.
#[derive(Args)]
pub struct Ls {
    /// One JSON object a line, with all there is to know
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Ls {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let cache = open(&self.place).await?;
        let listed = self.list(&cache).await;
        cache.close().await?;
        // Whoever reads only the first lines has what they wanted.
        match listed.map_err(|error| error.downcast::<std::io::Error>()) {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(Ok(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            Err(Ok(error)) => Err(error).context("cannot write to standard output"),
            Err(Err(error)) => Err(error),
        }
    }

    async fn list(&self, cache: &MediaCache) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if !self.json {
            writeln!(out, "{:>10}  {:>6}  {:<24}  URL", "SIZE", "HITS", "TYPE")?;
        }
        let mut after = None;
        loop {
            let page = cache.entries(after, PAGE).await?;
            for entry in page.entries {
                if self.json {
                    writeln!(out, "{}", entry_document(&entry))?;
                } else {
                    let size = HumanBytes(entry.size).to_string();
                    writeln!(out, "{size:>10}  {:>6}  {:<24}  {}", entry.hits, entry.mimetype, entry.url)?;
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

/// `media-cache stats`.
#[derive(Args)]
pub struct Stats {
    #[command(flatten)]
    place: Place,
}

impl Stats {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let cache = open(&self.place).await?;
        let document = stats_document(&cache.status().await?, &cache.load_report());
        cache.close().await?;
        println!("{document:#}");
        Ok(ExitCode::SUCCESS)
    }
}
