//! The next start completes or undoes a refresh that was interrupted at any point.

use std::fs;
use std::path::Path;

use media_cache::FetchedMedia;
use media_cache_test_support::cache_directory::{
    INDEX_LOG, LOCK, OWN_DIRECTORY, disk_usage, listing, media_file, sidecar, sidecar_file,
};
use media_cache_test_support::cache_requests::body;
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::{Found, found, stats};
use media_cache_test_support::scripted_origin::fetched;

const URL: &str = "test:a";

/// The files of a version of an entry.
struct Version {
    media: Vec<u8>,
    sidecar: Vec<u8>,
}

impl Version {
    fn read(directory: &Path) -> Self {
        let read = |path| fs::read(path).unwrap();
        Self { media: read(media_file(directory, URL)), sidecar: read(sidecar_file(directory, URL)) }
    }
}

fn media(bytes: &str) -> FetchedMedia {
    fetched(bytes.to_owned(), "image/png", "a.png")
}

/// An entry before and after a refresh, and the index log from before the refresh.
async fn versions(old: &str, new: &str) -> (Version, Version, Vec<u8>) {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.serves(URL, media(old));
    cache.get_or_download(URL).await.unwrap();
    cache.close().await.unwrap();
    let (before, log) = (Version::read(&rig.directory()), fs::read(rig.directory().join(INDEX_LOG)).unwrap());
    let cache = rig.open().await;
    rig.origin.serves(URL, media(new));
    assert!(cache.refresh(URL).await.unwrap().modified);
    cache.close().await.unwrap();
    (before, Version::read(&rig.directory()), log)
}

/// The bytes of a file, by its extension.
type File = (&'static str, Vec<u8>);

/// The states in which a kill or a power failure can leave the directory: the files, whether the next start must find the new version, and
/// how many files it must remove.
fn states(old: &Version, new: &Version) -> Vec<(Vec<File>, bool, u64)> {
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let (dat, json) = (("dat", old.media.clone()), ("json", old.sidecar.clone()));
    let pair = |more: &[File]| [&[dat.clone(), json.clone()], more].concat();
    let (new_dat, new_json) = (("dat.new", new.media.clone()), ("json.new", new.sidecar.clone()));
    vec![
        (pair(&[]), false, 0),
        (pair(&[("dat.new.tmp", half(&new.media))]), false, 1),
        (pair(&[("dat.new.tmp", new.media.clone())]), false, 1),
        (pair(std::slice::from_ref(&new_dat)), false, 1),
        (pair(&[new_dat.clone(), ("json.new.tmp", half(&new.sidecar))]), false, 2),
        (pair(&[new_dat.clone(), new_json.clone()]), true, 0),
        // The media was renamed, but the sidecar was not.
        (vec![("dat", new.media.clone()), json.clone(), new_json.clone()], true, 0),
        (vec![("dat", new.media.clone()), ("json", new.sidecar.clone())], true, 0),
        // Data that the disk lost in a power failure.
        (pair(&[("dat.new", half(&new.media)), new_json.clone()]), false, 2),
        (pair(&[("dat.new", Vec::new()), new_json.clone()]), false, 2),
        (pair(&[new_dat.clone(), ("json.new", half(&new.sidecar))]), false, 2),
        (pair(&[new_dat.clone(), ("json.new", Vec::new())]), false, 2),
        (pair(std::slice::from_ref(&new_json)), false, 1),
        (pair(&[("json.new", b"{}".to_vec())]), false, 1),
        // Other bytes of the right length.
        (pair(&[("dat.new", vec![0; new.media.len()]), new_json]), false, 2),
    ]
}

#[tokio::test]
async fn start_recovers_one_whole_version_from_every_step_of_a_refresh() {
    // The new media differs in size, or has the same size, so that only the digest distinguishes the versions.
    for (old_bytes, new_bytes) in [("the first version", "the second"), ("version 1", "version 2")] {
        let (old, new, log) = versions(old_bytes, new_bytes).await;
        for (number, (files, is_new, leftovers)) in states(&old, &new).into_iter().enumerate() {
            for with_log in [false, true] {
                let case = format!("state {number} of {new_bytes:?}, {with_log}");
                let rig = CacheRig::create();
                fs::create_dir_all(rig.directory()).unwrap();
                for (extension, bytes) in &files {
                    fs::write(media_file(&rig.directory(), URL).with_extension(extension), bytes).unwrap();
                }
                if with_log {
                    fs::create_dir(rig.directory().join(OWN_DIRECTORY)).unwrap();
                    fs::write(rig.directory().join(INDEX_LOG), &log).unwrap();
                }
                let cache = rig.open().await;
                let loaded = found(&cache);
                assert_eq!(loaded, Found { entries: 1, leftovers, from_index: loaded.from_index, ..Found::default() }, "{case}");
                let (version, bytes) = if is_new { (&new, new_bytes) } else { (&old, old_bytes) };
                for _ in 0..2 {
                    let media = cache.get(URL).await.unwrap().unwrap_or_else(|| panic!("{case}: nothing is stored"));
                    assert_eq!(String::from_utf8(body(&media).await).unwrap(), bytes, "{case}");
                }
                let on_disk = Version::read(&rig.directory());
                assert!(on_disk.media == version.media && on_disk.sidecar == version.sidecar, "{case}");
                let counters = stats(&cache).await;
                assert_eq!((counters.disk_bytes, counters.damaged), (disk_usage(&rig.directory()).0, 0), "{case}");
                cache.close().await.unwrap();
                let cache = rig.open().await;
                assert_eq!(found(&cache), Found { entries: 1, from_index: 1, ..Found::default() }, "{case}");
                assert_eq!(rig.origin.requests(URL), 0, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn new_files_without_a_stored_entry_become_an_entry_if_complete_or_are_removed() {
    let (_, new, _) = versions("the first version", "the second").await;
    for (extensions, entries, leftovers) in [(&["dat.new"][..], 0, 1), (&["json.new"], 0, 1), (&["dat.new", "json.new"], 1, 0)] {
        let rig = CacheRig::create();
        fs::create_dir_all(rig.directory()).unwrap();
        for extension in extensions {
            let bytes = if extension.starts_with("dat") { &new.media } else { &new.sidecar };
            fs::write(media_file(&rig.directory(), URL).with_extension(extension), bytes).unwrap();
        }
        let cache = rig.open().await;
        assert_eq!(found(&cache), Found { entries, leftovers, ..Found::default() }, "{extensions:?}");
        let names =
            listing(&rig.directory()).into_keys().filter(|name| ![LOCK, OWN_DIRECTORY].map(Into::into).contains(name)).count();
        assert_eq!(names as u64, 2 * entries, "{extensions:?}");
    }
}

#[tokio::test]
async fn new_files_under_the_name_of_another_entry_are_removed() {
    let (old, new, _) = versions("the first version", "the second").await;
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.serves("test:b", media("another"));
    cache.get_or_download("test:b").await.unwrap();
    cache.close().await.unwrap();
    for (extension, bytes) in [("dat.new", &new.media), ("json.new", &old.sidecar)] {
        fs::write(media_file(&rig.directory(), "test:b").with_extension(extension), bytes).unwrap();
    }
    let cache = rig.open().await;
    assert_eq!(found(&cache), Found { entries: 1, from_index: 1, leftovers: 2, ..Found::default() });
    assert_eq!(body(&cache.get("test:b").await.unwrap().unwrap()).await, b"another");
    assert_eq!(sidecar(&rig.directory(), "test:b")["url"], "test:b");
}
