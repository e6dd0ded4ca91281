//! The caches to compare.

use std::hint::black_box;

use anyhow::ensure;
use bytes::Bytes;
use media_cache::{FetchError, FetchedMedia, MediaCache, NoTranscoder};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Bytes of an entry.
pub const SIZE: usize = 10_000;

pub trait Subject {
    fn name(&self) -> &'static str;

    /// Stores each of these URLs.
    fn put(&mut self, runtime: &Runtime, urls: &[String]) -> anyhow::Result<()>;

    /// Gets these URLs in turn, this many times in total. All of them are stored.
    fn get(&mut self, runtime: &Runtime, urls: &[String], count: usize) -> anyhow::Result<()>;
}

fn body() -> Bytes {
    vec![b'x'; SIZE].into()
}

/// A downloader that needs no network.
pub async fn make(_url: String) -> Result<FetchedMedia, FetchError> {
    Ok(FetchedMedia::new(body(), "image/png", "1.png"))
}

pub struct Ours {
    cache: MediaCache,
    _directory: TempDir,
}

impl Ours {
    /// A cache with memory for this many entries.
    pub fn open(runtime: &Runtime, entries: usize) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let builder = MediaCache::builder().directory(directory.path()).downloader(make).transcoder(NoTranscoder);
        let cache = runtime.block_on(builder.max_memory_items(entries as u32).open())?;
        Ok(Self { cache, _directory: directory })
    }
}

impl Subject for Ours {
    fn name(&self) -> &'static str {
        "media-cache"
    }

    fn put(&mut self, runtime: &Runtime, urls: &[String]) -> anyhow::Result<()> {
        runtime.block_on(async {
            for url in urls {
                self.cache.put(url, body(), "image/png", "1.png").await?;
            }
            Ok(())
        })
    }

    fn get(&mut self, runtime: &Runtime, urls: &[String], count: usize) -> anyhow::Result<()> {
        runtime.block_on(async {
            for url in urls.iter().cycle().take(count) {
                let media = self.cache.get(url).await?;
                ensure!(media.is_some_and(|media| black_box(&media.body).in_memory().is_some()), "{url} is not resident");
            }
            Ok(())
        })
    }
}

pub struct Foyer(foyer_memory::Cache<String, Bytes>);

impl Foyer {
    pub fn new(entries: usize) -> Self {
        // By default it has shards, each with its part of the capacity. The capacity is large enough that no shard evicts anything.
        Self(foyer_memory::CacheBuilder::new(16 * entries).build())
    }
}

impl Subject for Foyer {
    fn name(&self) -> &'static str {
        "foyer"
    }

    fn put(&mut self, _: &Runtime, urls: &[String]) -> anyhow::Result<()> {
        for url in urls {
            self.0.insert(url.clone(), body());
        }
        Ok(())
    }

    fn get(&mut self, _: &Runtime, urls: &[String], count: usize) -> anyhow::Result<()> {
        for url in urls.iter().cycle().take(count) {
            let media = self.0.get(url).map(|entry| entry.value().clone());
            ensure!(black_box(media).is_some(), "{url} is not stored");
        }
        Ok(())
    }
}

pub struct Moka(moka::sync::Cache<String, Bytes>);

impl Moka {
    pub fn new(entries: usize) -> Self {
        Self(moka::sync::Cache::new(16 * entries as u64))
    }
}

impl Subject for Moka {
    fn name(&self) -> &'static str {
        "moka"
    }

    fn put(&mut self, _: &Runtime, urls: &[String]) -> anyhow::Result<()> {
        for url in urls {
            self.0.insert(url.clone(), body());
        }
        Ok(())
    }

    fn get(&mut self, _: &Runtime, urls: &[String], count: usize) -> anyhow::Result<()> {
        for url in urls.iter().cycle().take(count) {
            ensure!(black_box(self.0.get(url)).is_some(), "{url} is not stored");
        }
        Ok(())
    }
}
