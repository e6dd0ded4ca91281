//! The commands that work on a directory without a service.

use std::fs::File;
use std::process::Command;

use media_cache_test_skip as skip;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{gif, jpeg, photo, png, poster};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::sha256::sha256;
use media_cache_test_support::videos::frame_times;
use serde_json::Value;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

#[tokio::test]
async fn get_writes_to_a_file_and_to_a_pipe_and_downloads_once() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let file = dir.path("out.png");
    let finished = dir.run(&["get", &url, "-o", file.to_str().unwrap()]).await;
    assert!(finished.stderr.contains("picture.png, image/png") && finished.stderr.contains("downloaded"), "{}", finished.stderr);
    assert!(finished.succeeded().is_empty());
    assert_eq!(std::fs::read(&file).unwrap(), png(1));
    for arguments in [&["get", &url][..], &["get", &url, "-o", "-"]] {
        let finished = dir.run(arguments).await;
        assert!(finished.stderr.contains("from the cache"), "{}", finished.stderr);
        assert_eq!(finished.succeeded(), png(1));
    }
    assert_eq!(origin.requests("/picture.png"), 1);
    assert!(dir.holds(&url));
}

#[tokio::test]
async fn get_converts_an_animated_gif_to_a_video() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/dance.gif", "image/gif", gif(&[10, 40]));
    assert_eq!(frame_times(&dir.run(&["get", &url]).await.succeeded()), [10, 40]);
}

#[tokio::test]
async fn get_writes_a_large_file_unchanged() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/poster.png", "image/png", poster(1));
    assert!(dir.run(&["get", &url]).await.succeeded() == poster(1));
    assert!(dir.run(&["get", &url]).await.succeeded() == poster(1));
    assert_eq!(origin.requests("/poster.png"), 1);
}

#[tokio::test]
async fn put_stores_a_file_or_standard_input() {
    let dir = ServiceDirectory::create();
    let file = dir.write("own name.jpg", &jpeg(1));
    let said = dir.run(&["put", NOWHERE, file.to_str().unwrap()]).await.succeeded_text();
    assert!(said.starts_with("stored: own name.jpg, image/jpeg"), "{said}");
    assert_eq!(dir.run(&["get", NOWHERE]).await.succeeded(), jpeg(1));
    let said = dir.run_with_input(&["put", NOWHERE, "-"], &png(2)).await.succeeded_text();
    assert!(said.starts_with("kept the existing entry: own name.jpg"), "{said}");
    assert_eq!(dir.run(&["get", NOWHERE]).await.succeeded(), jpeg(1));

    let other = "https://nowhere.invalid/other.png";
    let said = dir.run_with_input(&["put", other, "-"], &png(2)).await.succeeded_text();
    assert!(said.starts_with("stored: other.png, image/png"), "{said}");
    assert_eq!(dir.run(&["get", other]).await.succeeded(), png(2));
}

#[tokio::test]
async fn put_accepts_a_type_and_a_file_name_and_converts_gifs() {
    let dir = ServiceDirectory::create();
    let arguments = ["put", NOWHERE, "-", "--type", "image/webp", "--filename", "../x.webp"];
    let said = dir.run_with_input(&arguments, b"who knows").await.succeeded_text();
    assert!(said.starts_with("stored: x.webp, image/webp"), "{said}");
    let said = dir.run_with_input(&["put", "https://nowhere.invalid/dance.gif", "-"], &gif(&[10, 20])).await.succeeded_text();
    assert!(said.starts_with("stored: dance.mp4, video/mp4"), "{said}");
}

#[tokio::test]
async fn put_stores_a_large_file_unchanged() {
    let dir = ServiceDirectory::create();
    let file = dir.write("poster.png", &poster(1));
    dir.run(&["put", NOWHERE, file.to_str().unwrap()]).await.succeeded();
    assert!(std::fs::read(dir.media_file(NOWHERE)).unwrap() == poster(1));
    assert_eq!(dir.sidecar(NOWHERE)["sha256"], sha256(poster(1)));
}

#[tokio::test]
async fn rm_removes_entries_and_reports_urls_that_are_not_stored() {
    let dir = ServiceDirectory::create();
    let other = "https://nowhere.invalid/other.png";
    dir.run_with_input(&["put", NOWHERE, "-"], &png(1)).await.succeeded();
    let finished = dir.run(&["rm", NOWHERE]).await;
    assert_eq!(finished.stderr, "");
    assert_eq!(finished.succeeded_text(), "");
    assert!(!dir.holds(NOWHERE));

    dir.run_with_input(&["put", NOWHERE, "-"], &png(1)).await.succeeded();
    let said = dir.run(&["rm", other, NOWHERE]).await.failed();
    assert!(said.contains(other) && !said.contains(NOWHERE), "{said}");
    assert!(!dir.holds(NOWHERE), "the other one is still removed");
}

#[tokio::test]
async fn rm_reports_undeletable_entries_and_removes_the_others() {
    let dir = ServiceDirectory::create();
    let other = "https://nowhere.invalid/other.png";
    for url in [NOWHERE, other] {
        dir.run_with_input(&["put", url, "-"], &png(1)).await.succeeded();
    }
    // A mount point cannot be unlinked.
    let sidecar = dir.sidecar_file(NOWHERE);
    let mount = |program: &str, arguments: &[&str]| Command::new(program).args(arguments).arg(&sidecar).output();
    let mounted = mount("mount", &["--bind", sidecar.to_str().unwrap()]).is_ok_and(|mounted| mounted.status.success());
    if skip::unless(mounted, "permission to mount a file") {
        return;
    }
    let removed = dir.run(&["rm", NOWHERE, other]).await;
    mount("umount", &[]).unwrap();
    let said = removed.failed();
    assert!(said.contains(&format!("cannot remove {NOWHERE}: ")) && said.contains("cannot delete "), "{said}");
    assert!(!dir.holds(other));
}

#[tokio::test]
async fn ls_lists_the_least_recently_used_first() {
    let dir = ServiceDirectory::create();
    let urls = ["a", "b", "c"].map(|name| format!("https://nowhere.invalid/{name}.png"));
    for (url, seed) in urls.iter().zip(0..) {
        dir.run_with_input(&["put", url, "-"], &photo(seed)).await.succeeded();
    }
    let service = dir.serve().await;
    service.media(&urls[0]).await.is("hit");
    service.stop().await;
    let said = dir.run(&["ls"]).await.succeeded_text();
    let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["SIZE", "HITS", "TYPE", "URL"]);
    let row = |line: &[&str]| (line[2].to_owned(), line[3].to_owned(), line[4].to_owned());
    let expected = [("0", &urls[1]), ("0", &urls[2]), ("1", &urls[0])];
    let expected = expected.map(|(hits, url)| (hits.to_owned(), "image/png".to_owned(), url.clone()));
    assert_eq!(lines[1..].iter().map(|line| row(line)).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn ls_as_json_has_every_field_of_an_entry() {
    let dir = ServiceDirectory::create();
    dir.run_with_input(&["put", NOWHERE, "-"], &photo(1)).await.succeeded();
    let service = dir.serve().await;
    service.media(NOWHERE).await.is("hit");
    service.stop().await;
    let [entry] = dir.listed().await.try_into().unwrap();
    let stored = dir.sidecar(NOWHERE)["ts"].as_f64().unwrap();
    assert_eq!((&entry["url"], &entry["mimetype"]), (&NOWHERE.into(), &"image/png".into()));
    assert_eq!((&entry["filename"], &entry["hits"]), (&"picture.png".into(), &1.into()));
    assert_eq!((&entry["size"], &entry["disk_size"]), (&photo(1).len().into(), &dir.disk_usage().into()));
    assert_eq!(entry["stored_at"].as_f64(), Some(stored));
    assert!(entry["accessed_at"].as_f64().unwrap() >= stored);
}

#[tokio::test]
async fn stats_reports_how_much_is_stored() {
    let dir = ServiceDirectory::create();
    dir.run_with_input(&["put", NOWHERE, "-"], &photo(1)).await.succeeded();
    let document: Value = serde_json::from_str(&dir.run(&["stats"]).await.succeeded_text()).unwrap();
    let stats = &document["media_cache"];
    assert_eq!((&stats["total_entries"], &stats["total_bytes"]), (&1.into(), &photo(1).len().into()));
    assert_eq!((&stats["disk_bytes"], &stats["max_size_mb"]), (&dir.disk_usage().into(), &500.0.into()));
}

#[tokio::test]
async fn commands_without_a_budget_evict_nothing_from_an_oversized_directory() {
    let dir = ServiceDirectory::create();
    let urls = write_entries_of_200_mib(&dir);
    assert_eq!(dir.order().await, urls);
    dir.run(&["stats"]).await.succeeded();
    dir.run(&["rm", "https://nowhere.invalid/nothing"]).await.failed();
    assert_eq!(dir.order().await, urls);
    assert!(urls.iter().all(|url| dir.holds(url)));
}

#[tokio::test]
async fn put_without_a_budget_evicts_nothing_from_an_oversized_directory() {
    let dir = ServiceDirectory::create();
    let urls = write_entries_of_200_mib(&dir);
    let file = dir.write("poster.png", &poster(1));
    dir.run(&["put", NOWHERE, file.to_str().unwrap()]).await.succeeded();
    assert!(dir.holds(NOWHERE));
    let held: Vec<bool> = urls.iter().map(|url| dir.holds(url)).collect();
    assert_eq!(held, [true; 3], "without a configured budget, existing entries are not evicted");
}

/// Entries in sparse files, which use almost no disk space.
fn write_entries_of_200_mib(dir: &ServiceDirectory) -> Vec<String> {
    const SIZE: u64 = 200 << 20;
    std::fs::create_dir(dir.cache()).unwrap();
    let write = |number: u64| {
        let url = format!("https://nowhere.invalid/{number}.mp4");
        File::create(dir.media_file(&url)).unwrap().set_len(SIZE).unwrap();
        let sidecar = serde_json::json!({
            "mimetype": "video/mp4", "filename": "film.mp4", "url": url, "ts": 1_700_000_000.5 + number as f64, "size": SIZE,
        });
        std::fs::write(dir.sidecar_file(&url), sidecar.to_string()).unwrap();
        url
    };
    (0..3).map(write).collect()
}

#[tokio::test]
async fn put_with_a_budget_evicts_entries_to_stay_within_it() {
    let dir = ServiceDirectory::create();
    let url = |seed: u64| format!("https://nowhere.invalid/{seed}.png");
    std::fs::create_dir(dir.cache()).unwrap();
    for seed in 0..20 {
        std::fs::write(dir.media_file(&url(seed)), photo(seed)).unwrap();
        let sidecar = serde_json::json!({ "url": url(seed), "size": photo(seed).len(), "ts": seed });
        std::fs::write(dir.sidecar_file(&url(seed)), sidecar.to_string()).unwrap();
    }
    assert_eq!(dir.order().await.len(), 20);
    let put = ["put", &url(19), "-", "--max-size-mb", "1"];
    dir.run_with_input(&put, &photo(19)).await.succeeded();
    let fitting = (7 << 17) / (26 * 4096);
    assert_eq!(dir.order().await, (20 - fitting..20).map(url).collect::<Vec<_>>(), "the most recently used entries remain");
    assert!(dir.disk_usage() <= 7 << 17, "an eighth is reserved");
}
