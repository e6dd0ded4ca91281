//! Other implementations of the format can share the directory: the cache reads their entries, and they can read its entries.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use media_cache_test_support::cache_directory::{file_stem, listing, media_file, sidecar, sidecar_file, write_python_entry};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::{CacheRig, SMALL};
use media_cache_test_support::cache_state::{order, stats};
use media_cache_test_support::random::noise;
use media_cache_test_support::scripted_origin::fetched;
use serde::Deserialize;

/// URL, media, type, file name and time, as Python writes them, oldest first.
const THEIRS: [(&str, &[u8], &str, &str, &str); 9] = [
    ("https://example.com/tiny", b"1e-05", "image/png", "tiny.png", "1e-05"),
    ("https://example.com/one", b"1", "image/png", "one.png", "1"),
    ("https://example.com/e9", b"e9", "image/png", "e9.png", "1.5e+09"),
    ("https://example.com/whole", b"whole", "image/jpeg", "whole.jpg", "1600000000"),
    ("https://example.com/a.png?x=%22&y=<>", b"\x89PNG", "image/png", "plain.png", "1700000000.0"),
    (
        "https://example.com/\u{fc}ber/\u{1f381}",
        b"\xff\xd8\xff",
        "image/jpeg",
        "\u{fc}berraschung \u{1f381}.jpg",
        "1732286259.1234567",
    ),
    ("https://example.com/quoted", b"q", "text/plain; charset=\"utf-8\"", "a \"b\" \\ c.txt", "1732286259.5"),
    ("mxc://matrix.org/abc", b"", "application/octet-stream", "media", "1732286260.75"),
    ("https://cdn.example.com/attachments/1/2/cat.webm", b"\x1aE\xdf\xa3", "video/webm", "cat.webm", "1732286261"),
];

#[tokio::test]
async fn entries_written_by_another_implementation_are_loaded_and_served() {
    let rig = CacheRig::create();
    let directory = rig.directory();
    // Not written in chronological order.
    for (url, media, mimetype, filename, ts) in THEIRS.iter().rev() {
        write_python_entry(&directory, url, media, mimetype, filename, ts);
    }
    let cache = rig.open().await;
    let report = cache.load_report().unwrap();
    assert_eq!((report.entries, report.damaged, report.leftovers, report.from_index), (9, 0, 0, 0));
    assert_eq!(order(&cache).await, THEIRS.map(|(url, ..)| url), "the oldest entry is the coldest");
    assert_eq!(stats(&cache).await.disk_bytes, 9 * SMALL - 4096, "the media of one entry is empty");
    for (url, media, mimetype, filename, ts) in THEIRS {
        let found = cache.get(url).await.unwrap().unwrap();
        // Other implementations may write paths as file names. The cache makes them safe.
        let safe = filename.rsplit('\\').next().unwrap().trim();
        assert_eq!((body(&found).await, found.mimetype(), found.filename()), (media.to_vec(), mimetype, safe), "{url}");
        let stored = UNIX_EPOCH + Duration::from_millis((ts.parse::<f64>().unwrap() * 1000.0).round() as u64);
        assert_eq!(found.stored_at(), stored, "{url}");
    }
    assert_eq!(stats(&cache).await.hits, 9);
}

#[tokio::test]
async fn files_written_by_another_implementation_are_never_modified() {
    let rig = CacheRig::create();
    let directory = rig.directory();
    for (url, media, mimetype, filename, ts) in THEIRS {
        write_python_entry(&directory, url, media, mimetype, filename, ts);
    }
    let before: BTreeMap<_, _> = listing(&directory);
    let cache = rig.open().await;
    for (url, ..) in THEIRS {
        cache.get(url).await.unwrap().unwrap();
    }
    cache.close().await.unwrap();
    let after = listing(&directory);
    assert!(
        before.iter().all(|(name, content)| after.get(name) == Some(content)),
        "none of the other implementation's files has changed"
    );
}

#[tokio::test]
async fn entries_of_another_implementation_keep_their_order_across_a_restart() {
    let rig = CacheRig::create();
    for (url, media, mimetype, filename, ts) in THEIRS {
        write_python_entry(&rig.directory(), url, media, mimetype, filename, ts);
    }
    // Moves the clock past the times of these entries.
    rig.clock.advance(Duration::from_secs(100_000_000));
    let cache = rig.open().await;
    cache.get(THEIRS[3].0).await.unwrap().unwrap();
    let before = order(&cache).await;
    cache.close().await.unwrap();
    let cache = rig.open().await;
    assert_eq!((cache.load_report().unwrap().from_index, order(&cache).await), (9, before));
}

#[tokio::test]
async fn sidecars_with_missing_or_unknown_fields_are_loaded() {
    let rig = CacheRig::create();
    let directory = rig.directory();
    fs::create_dir_all(&directory).unwrap();
    let sidecars = [
        ("test:bare", r#"{"url": "test:bare", "size": 5}"#),
        ("test:null", r#"{"url": "test:null", "size": 5, "mimetype": null, "filename": null, "ts": null}"#),
        ("test:more", "{\n  \"size\": 5,\n  \"url\": \"test:more\",\n  \"etag\": [1, {\"a\": null}],\n  \"ts\": 12\n}\n"),
        ("test:far", r#"{"url": "test:far", "size": 5, "ts": 1e+300}"#),
        ("test:past", r#"{"url": "test:past", "size": 5, "ts": -1.5}"#),
        ("test:float", r#"{"url": "test:float", "size": 5.0, "ts": 13}"#),
    ];
    for (url, json) in sidecars {
        fs::write(sidecar_file(&directory, url), json).unwrap();
        fs::write(media_file(&directory, url), "bytes").unwrap();
    }
    let cache = rig.open().await;
    assert_eq!((cache.load_report().unwrap().entries, cache.load_report().unwrap().damaged), (6, 0));
    for (url, _) in sidecars {
        let found = cache.get(url).await.unwrap().unwrap();
        assert_eq!((found.mimetype(), found.filename()), ("application/octet-stream", "media"), "{url}");
    }
}

#[tokio::test]
async fn sidecar_with_an_unpaired_surrogate_in_its_file_name_is_loaded() {
    let rig = CacheRig::create();
    let directory = rig.directory();
    write_python_entry(&directory, "test:a", b"bytes", "image/png", "caf?.png", "1732286259.5");
    // Python represents a header byte that it cannot decode as an unpaired surrogate, and writes it as this escape.
    let json = fs::read_to_string(sidecar_file(&directory, "test:a")).unwrap().replace('?', "\\udce9");
    fs::write(sidecar_file(&directory, "test:a"), json).unwrap();
    let cache = rig.open().await;
    assert_eq!((cache.load_report().unwrap().entries, cache.load_report().unwrap().damaged), (1, 0));
    assert_eq!(body(&cache.get("test:a").await.unwrap().unwrap()).await, b"bytes");
}

/// The fields that all implementations share.
#[derive(Debug, Deserialize)]
struct FiveFields {
    mimetype: String,
    filename: String,
    url: String,
    ts: f64,
    size: u64,
}

#[tokio::test]
async fn sidecar_can_be_read_by_a_program_that_knows_only_the_five_shared_fields() {
    let rig = CacheRig::create();
    let directory = rig.directory();
    let cache = rig.open().await;
    let media = noise(1, 10_000);
    let url = "https://example.com/\u{fc}?\"x\"";
    rig.clock.advance(Duration::from_millis(1234));
    rig.origin.serves(url, fetched(media.clone(), "image/png", "\u{fc}berraschung \u{1f381}.png"));
    fill(&cache, &[url]).await;

    let json = fs::read(sidecar_file(&directory, url)).unwrap();
    let read: FiveFields = serde_json::from_slice(&json).unwrap();
    assert_eq!((read.mimetype.as_str(), read.filename.as_str()), ("image/png", "\u{fc}berraschung \u{1f381}.png"));
    assert_eq!((read.url.as_str(), read.size), (url, 10_000));
    let stored = rig.clock.wall().duration_since(UNIX_EPOCH).unwrap();
    assert!((read.ts - stored.as_secs_f64()).abs() < 0.000_5, "{} is not {stored:?}", read.ts);
    assert_eq!(fs::read(media_file(&directory, url)).unwrap(), media, "the file contains exactly the media");
    let fields: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&json).unwrap();
    let kinds = ["mimetype", "filename", "url"].map(|name| fields[name].is_string());
    assert_eq!(kinds, [true; 3]);
    assert!(fields["ts"].is_f64() && fields["size"].is_u64(), "as Python writes a float and an integer");
}

#[tokio::test]
async fn time_in_whole_seconds_is_written_as_a_float() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a"]).await;
    let fields = sidecar(&rig.directory(), "test:a");
    assert!(fields["ts"].is_f64(), "{}", fields["ts"]);
}

#[tokio::test]
async fn files_are_named_after_the_sha_256_of_the_url() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["https://example.com/"]).await;
    let expected = "0f115db062b7c0dd030b16878c99dea5c354b49dc37b38eb8846179c7783e9d7";
    assert_eq!(file_stem("https://example.com/"), expected);
    for extension in ["dat", "json"] {
        assert!(rig.directory().join(expected).with_extension(extension).is_file());
    }
}
