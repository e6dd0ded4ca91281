//! `media-cache put`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use indicatif::HumanBytes;
use media_cache::{Blob, CacheControl, FetchedMedia, PutOutcome, Spool, SpooledBody, Validators};
use media_cache_http_downloader::{SNIFFED_BYTES, clean_filename, filename_for, match_extension, media_type};
use media_cache_server::stored_document;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use url::Url;

use crate::config::Settings;
use crate::directory_options::key_in;
use crate::policy::text;
use crate::service_option::ServiceOption;
use crate::store_options::StoreOptions;
use crate::{output, progress};

/// Input that cannot be read twice, such as a pipe, is kept in a temporary file if it has more bytes than this.
const SPOOL_ABOVE: u64 = 4 << 20;

/// The number of bytes to read at a time.
const PIECE: usize = 64 << 10;

/// `media-cache put`.
#[derive(Args)]
pub struct Put {
    /// The URL to store the file for
    url: String,
    /// The file, which may be a pipe; `-` for standard input
    file: PathBuf,
    /// The media type; by default, it is detected from the bytes
    #[arg(long = "type", value_name = "TYPE")]
    mimetype: Option<String>,
    /// The file name to store; by default, that of the file, or else one derived from the URL
    #[arg(long, value_name = "NAME")]
    filename: Option<String>,
    /// Print the stored entry as a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceOption,
    #[command(flatten)]
    store: StoreOptions,
}

impl Put {
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let service = self.service.client(settings)?;
        let url = Url::parse(&self.url).with_context(|| format!("{} is not a URL", self.url))?;
        let limit = self.store.ingest.max_body_bytes();
        let body = body(&self.file, limit).await.with_context(|| format!("cannot read {}", self.file.display()))?;
        anyhow::ensure!(!body.is_empty(), "{} is empty", self.file.display());
        anyhow::ensure!(body.len() <= limit, "{} is too large: the limit is {limit} bytes; see --max-body-mb", self.file.display());
        let mimetype = media_type(self.mimetype.as_deref(), &body.head(SNIFFED_BYTES)?);
        let own_name = self.file.file_name().map(|name| name.to_string_lossy().into_owned()).filter(|name| name != "-");
        let given = self.filename.or(own_name).as_deref().and_then(clean_filename);
        let filename = given.map(|name| match_extension(&name, &mimetype));
        let filename = filename.unwrap_or_else(|| filename_for(None, &url, &mimetype));
        let (cache_control, validators) = (CacheControl::default(), Validators::default());
        let media = FetchedMedia { body, mimetype, filename, cache_control, validators };
        let document = match service {
            Some(service) => service.put(&self.url, media).await?,
            None => put(Arc::new(self.store), settings, &self.url, media).await?,
        };
        if self.json {
            output::json_value(&document)?;
        } else {
            let done = if document["known"] == true { "kept the existing entry" } else { "stored" };
            let (filename, mimetype, size) = (text(&document["filename"]), text(&document["mimetype"]), document["size"].as_u64());
            output::line(format_args!("{done}: {filename}, {mimetype}, {}", HumanBytes(size.unwrap_or(0))))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Stores media in a directory. Returns the same document as a service.
async fn put(store: Arc<StoreOptions>, settings: &Settings, url: &str, media: FetchedMedia) -> anyhow::Result<Value> {
    let bar = progress::spinner();
    let cache = store.open(settings, &bar).await?;
    let put = cache.put(url, media).await;
    bar.finish_and_clear();
    let key = key_in(&cache, url);
    let closed = cache.close().await;
    let PutOutcome { media, known, not_stored } = put?;
    closed?;
    if let Some(why) = &not_stored {
        anyhow::bail!("nothing was stored for {url}: {}", media_cache::describe(why));
    }
    Ok(stored_document(&key, known, &media))
}

/// The bytes of a file. Anything but a regular file can be read only once and may be endless, so reading stops one byte after `limit`.
async fn body(file: &Path, limit: u64) -> std::io::Result<Blob> {
    if file.as_os_str() == "-" {
        return spooled(tokio::io::stdin(), limit).await;
    }
    // Opening a pipe blocks until another process writes to it.
    let path = file.to_owned();
    let opened = tokio::task::spawn_blocking(move || File::open(path)).await.map_err(std::io::Error::other)??;
    let kind = opened.metadata()?.file_type();
    if kind.is_file() || kind.is_dir() {
        Blob::from_file(opened.into())
    } else {
        spooled(tokio::fs::File::from(opened), limit).await
    }
}

async fn spooled(input: impl AsyncRead + Unpin, limit: u64) -> std::io::Result<Blob> {
    let mut input = input.take(limit.saturating_add(1));
    let mut body = SpooledBody::new(SPOOL_ABOVE, Spool::temporary(), None);
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        if input.read_buf(&mut piece).await? == 0 {
            return body.finish().await.map_err(std::io::Error::other);
        }
        body.append(piece.into()).await.map_err(std::io::Error::other)?;
    }
}
