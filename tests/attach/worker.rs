//! A process that uses a directory together with others, until it is killed or its standard input is closed.
//!
//! It gets media of random URLs, with a downloader that records each download in a file, and puts media of its own, which it records after
//! the put has been acknowledged.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use media_cache::{FetchError, FetchedMedia};

use crate::shared::{LARGE, open, text};

/// The environment variable with the directory of the cache. It is only set in workers.
pub const DIRECTORY: &str = "MEDIA_CACHE_ATTACH_WORKER";

/// The number of URLs.
pub const URLS: usize = 400;

/// The number of calls that a worker makes at once.
const TASKS: usize = 4;

/// The content of the media at a URL. Every fourth is large.
pub fn content(url: &str) -> String {
    let is_large = url.bytes().map(usize::from).sum::<usize>().is_multiple_of(4);
    url.repeat(if is_large { LARGE / url.len() } else { 1 })
}

/// The file in which all workers record something, next to the directory of the cache.
pub fn records(directory: &Path, name: &str) -> PathBuf {
    directory.with_extension(name)
}

fn record(directory: &Path, name: &str, line: &str) {
    let mut file: File = OpenOptions::new().create(true).append(true).open(records(directory, name)).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Runs in the processes that `processes` starts. As a test, it does nothing.
#[test]
fn worker() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let directory = PathBuf::from(directory);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(directory));
}

async fn run(directory: PathBuf) {
    let cache = open(&directory).await;
    record(&directory, "ready", "ready");
    let is_over = Arc::new(AtomicBool::new(false));
    let over = is_over.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        over.store(true, Ordering::Relaxed);
    });
    let tasks = (0..TASKS).map(|task| {
        let (cache, directory, is_over) = (cache.clone(), directory.clone(), is_over.clone());
        tokio::spawn(async move {
            let process = std::process::id();
            let mut number = (process as usize).wrapping_mul(31) + task * 97;
            while !is_over.load(Ordering::Relaxed) {
                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let url = format!("test:{}", (number >> 33) % URLS);
                let downloads = directory.clone();
                let downloader = move |url: String| {
                    record(&downloads, "downloads", &format!("{url} {process}"));
                    std::future::ready(Ok::<_, FetchError>(FetchedMedia::new(content(&url), "text/plain", "a.txt")))
                };
                match cache.get_or_download_with(&url, downloader).await {
                    Ok(media) if text(&media).await == content(&url) => {}
                    Ok(_) => record(&directory, "failures", &format!("wrong bytes for {url}")),
                    Err(error) => record(&directory, "failures", &format!("cannot get {url}: {error}")),
                }
                if number.is_multiple_of(5) {
                    let url = format!("put:{process}:{number}");
                    match cache.put(&url, FetchedMedia::new(content(&url), "text/plain", "a.txt")).await {
                        Ok(outcome) if outcome.not_stored.is_none() => record(&directory, "puts", &url),
                        Ok(outcome) => record(&directory, "failures", &format!("not stored: {:?}", outcome.not_stored)),
                        Err(error) => record(&directory, "failures", &format!("cannot put {url}: {error}")),
                    }
                }
            }
        })
    });
    futures::future::join_all(tasks.collect::<Vec<_>>()).await;
    cache.close().await.unwrap();
}
