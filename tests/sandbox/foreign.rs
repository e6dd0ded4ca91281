//! When the cache starts, it removes its own incomplete files from the directory, and does not touch the files of other programs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use media_cache_test_support::cache_directory::{
    NEITHER, disk_usage, file_stem, files_exist, listing, media_file, sidecar_file, write_python_entry,
};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::{CacheRig, SMALL, entry_budget};
use media_cache_test_support::cache_state::{order, stats};

const TS: &str = "1732286259.25";

fn good_entry(directory: &Path, url: &str) {
    write_python_entry(directory, url, b"bytes", "image/png", "a.png", TS);
}

#[tokio::test]
async fn leftovers_of_interrupted_writes_are_removed() {
    let rig = CacheRig::create();
    let directory = rig.directory();
    good_entry(&directory, "test:a");
    let leftovers = [
        format!("{}.dat.tmp", file_stem("test:a")),
        format!("{}.json.tmp", file_stem("test:a")),
        format!("{}.dat.tmp", file_stem("test:b")),
        "media-cache.index".to_owned(),
    ];
    for name in &leftovers {
        fs::write(directory.join(name), "half of somethi").unwrap();
    }
    let cache = rig.open().await;
    let report = cache.load_report().unwrap();
    assert_eq!((report.leftovers, report.damaged, report.entries), (4, 0, 1));
    assert_eq!(disk_usage(&directory), (SMALL, 2));
}

/// Opens a directory with one valid entry and one that `damage` has damaged, and asserts that only the damaged one is removed.
async fn assert_dropped(what: &str, damage: impl FnOnce(&Path)) {
    let rig = CacheRig::create();
    let directory = rig.directory();
    good_entry(&directory, "test:good");
    good_entry(&directory, "test:bad");
    damage(&directory);
    let cache = rig.open().await;
    let report = cache.load_report().unwrap();
    assert_eq!((report.entries, report.damaged, report.leftovers), (1, 1, 0), "{what}");
    assert_eq!(files_exist(&directory, "test:bad"), NEITHER, "{what}");
    assert_eq!(order(&cache).await, ["test:good"], "{what}");
    assert_eq!(stats(&cache).await.disk_bytes, SMALL, "{what}");
    fill(&cache, &["test:bad"]).await;
    assert_eq!(rig.origin.requests("test:bad"), 1, "{what}");
}

#[tokio::test]
async fn media_without_a_sidecar_and_sidecar_without_media_are_dropped() {
    assert_dropped("media without sidecar", |dir| fs::remove_file(sidecar_file(dir, "test:bad")).unwrap()).await;
    assert_dropped("sidecar without media", |dir| fs::remove_file(media_file(dir, "test:bad")).unwrap()).await;
}

#[tokio::test]
async fn entry_whose_size_differs_from_its_sidecar_is_dropped() {
    assert_dropped("too short", |dir| fs::write(media_file(dir, "test:bad"), "byte").unwrap()).await;
    assert_dropped("too long", |dir| fs::write(media_file(dir, "test:bad"), "bytes!").unwrap()).await;
    assert_dropped("empty", |dir| fs::write(media_file(dir, "test:bad"), "").unwrap()).await;
}

#[tokio::test]
async fn entry_with_an_invalid_sidecar_is_dropped() {
    let whole = r#"{"mimetype": "image/png", "filename": "a.png", "url": "test:bad", "ts": 1.5, "size": 5}"#;
    let sidecars: [(&str, Vec<u8>); 9] = [
        ("empty", Vec::new()),
        ("cut short", whole.as_bytes()[..40].to_vec()),
        ("zeros, as left behind by a crash", vec![0; 100]),
        ("a list", b"[]".to_vec()),
        ("not JSON", b"\x89PNG\r\n\x1a\n".to_vec()),
        ("without URL", br#"{"ts": 1.5, "size": 5}"#.to_vec()),
        ("without size", br#"{"url": "test:bad", "ts": 1.5}"#.to_vec()),
        ("a negative size", br#"{"url": "test:bad", "ts": 1.5, "size": -5}"#.to_vec()),
        ("endless", [whole.as_bytes(), &vec![b' '; 200_000]].concat()),
    ];
    for (what, content) in sidecars {
        assert_dropped(what, |dir| fs::write(sidecar_file(dir, "test:bad"), content).unwrap()).await;
    }
}

#[tokio::test]
async fn entry_with_the_sidecar_of_another_url_is_dropped() {
    assert_dropped("a copy of another entry's sidecar", |dir| {
        fs::copy(sidecar_file(dir, "test:good"), sidecar_file(dir, "test:bad")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_link_in_place_of_a_sidecar_is_not_followed() {
    assert_dropped("a link", |dir| {
        let elsewhere = dir.join("elsewhere");
        fs::rename(sidecar_file(dir, "test:bad"), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, sidecar_file(dir, "test:bad")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn foreign_files_are_left_unchanged() {
    let rig = CacheRig::create();
    let directory = rig.directory();
    good_entry(&directory, "test:a");
    let stem = file_stem("test:a");
    let upper = file_stem("test:other").to_uppercase();
    let foreign = [
        "notes.txt".to_owned(),
        "x.dat".into(),
        "x.json".into(),
        ".tmp".into(),
        ".hidden".into(),
        "media-cache.conf".into(),
        "media-cache.index.bak".into(),
        stem.clone(),
        format!("{stem}.tmp"),
        format!("{stem}.png"),
        format!("{stem}.dat.bak"),
        format!("{stem}.dat.tmp.tmp"),
        format!("{stem}0.dat"),
        format!("{}.dat", &stem[1..]),
        format!("{upper}.dat"),
        format!("{upper}.json"),
        "überraschung 🎁".into(),
    ];
    for name in &foreign {
        fs::write(directory.join(name), format!("the content of {name}")).unwrap();
    }
    fs::create_dir_all(directory.join("subdirectory/deeper")).unwrap();
    fs::write(directory.join("subdirectory").join(format!("{stem}.dat")), "not an entry of ours").unwrap();
    fs::write(directory.join("subdirectory/deeper/file.tmp"), "nor is this").unwrap();
    let before = listing(&directory);
    let inside = listing(&directory.join("subdirectory"));

    let cache = rig.open_with(|builder| entry_budget(builder, SMALL)).await;
    assert_eq!(
        (cache.load_report().unwrap().entries, cache.load_report().unwrap().leftovers, cache.load_report().unwrap().damaged),
        (1, 0, 0)
    );
    fill(&cache, &["test:b", "test:c"]).await;
    cache.remove("test:c").await.unwrap();
    cache.close().await.unwrap();

    let mut after = listing(&directory);
    for name in &foreign {
        assert_eq!(after.get(OsStr::new(name)), before.get(OsStr::new(name)), "{name}");
        after.remove(OsStr::new(name));
    }
    let names: Vec<_> = after.into_keys().collect();
    assert_eq!(names, [".media-cache", "media-cache.lock", "subdirectory"], "the cache left nothing else behind");
    assert_eq!(listing(&directory.join("subdirectory")), inside);
    assert_eq!(fs::read(directory.join("subdirectory/deeper/file.tmp")).unwrap(), b"nor is this");
}

#[tokio::test]
async fn directory_with_the_name_of_an_entry_file_is_left_unchanged() {
    for extension in ["dat", "json", "dat.tmp", "json.tmp"] {
        let rig = CacheRig::create();
        let directory = rig.directory();
        good_entry(&directory, "test:a");
        let odd = media_file(&directory, "test:b").with_extension(extension);
        fs::create_dir(&odd).unwrap();
        fs::write(odd.join("inside"), "somebody's").unwrap();
        let cache = rig.open().await;
        assert_eq!((cache.load_report().unwrap().entries, cache.load_report().unwrap().leftovers), (1, 0), "{extension}");
        assert_eq!(body(&cache.get("test:a").await.unwrap().unwrap()).await, b"bytes");
        cache.close().await.unwrap();
        assert_eq!(fs::read(odd.join("inside")).unwrap(), b"somebody's", "{extension}");
    }
}

#[tokio::test]
async fn foreign_file_whose_name_is_not_utf8_is_left_unchanged() {
    let rig = CacheRig::create();
    let directory = rig.directory();
    good_entry(&directory, "test:a");
    let odd = directory.join(OsStr::from_bytes(b"caf\xe9.jpg"));
    fs::write(&odd, "an old picture").unwrap();
    let cache = rig.open().await;
    assert_eq!(cache.load_report().unwrap().entries, 1);
    assert_eq!(fs::read(odd).unwrap(), b"an old picture");
}
