//! The commands that check and move stored entries, and those that work on the files of single entries.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::Command;

use media_cache_test_skip as skip;
use media_cache_test_support::cache_directory::listing;
use media_cache_test_support::command::CommandOutput;
use media_cache_test_support::images::{photo, png, poster};
use media_cache_test_support::service_directory::ServiceDirectory;
use serde_json::{Value, json};

const NOWHERE: &str = "https://nowhere.invalid/picture.png";
const OTHER: &str = "https://other.invalid/picture.png";

/// A directory with two entries.
async fn two_entries() -> ServiceDirectory {
    let dir = ServiceDirectory::create();
    for (url, seed) in [(NOWHERE, 1), (OTHER, 2)] {
        dir.run_with_input(&["put", url, "-"], &photo(seed)).await.succeeded();
    }
    dir
}

/// The files of entries, and their contents.
fn pairs(dir: &ServiceDirectory) -> BTreeMap<OsString, Option<Vec<u8>>> {
    let is_pair = |name: &OsString| name.to_string_lossy().split('.').next().is_some_and(|hex| hex.len() == 64);
    listing(&dir.cache()).into_iter().filter(|(name, _)| is_pair(name)).collect()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ended_with(output: &CommandOutput, code: i32) {
    assert_eq!(output.code, Some(code), "{output:?}");
}

#[tokio::test]
async fn verify_reports_intact_entries() {
    let dir = two_entries().await;
    let said = dir.run(&["verify"]).await.succeeded_text();
    assert!(said.starts_with("2 entries intact ("), "{said}");
    let said = dir.run(&["verify", "--json", "--max-rate", "1GB", "--jobs", "1"]).await.succeeded_text();
    let bytes = photo(1).len() + photo(2).len();
    let numbers = json!({ "intact": 2, "intact_bytes": bytes, "damaged": 0, "damaged_bytes": 0, "orphans": 0, "orphan_bytes": 0,
        "unreadable": 0, "repaired": 0 });
    assert_eq!(lines(&said), [numbers]);
}

#[tokio::test]
async fn verify_names_damaged_files_and_deletes_them_only_with_repair() {
    let dir = two_entries().await;
    let mut flipped = photo(1);
    flipped[100] ^= 1;
    std::fs::write(dir.media_file(NOWHERE), flipped).unwrap();
    std::fs::write(dir.media_file("https://nowhere.invalid/orphan"), "x").unwrap();
    let before = listing(&dir.cache());

    let checked = dir.run(&["verify"]).await;
    ended_with(&checked, 3);
    let said = checked.text();
    assert!(said.contains(&format!("damaged: {NOWHERE} (")) && said.contains("SHA-256"), "{said}");
    assert!(said.contains("orphan: ") && said.contains("the body has no sidecar") && !said.contains(OTHER), "{said}");
    assert!(said.contains("1 entry intact") && said.contains("1 damaged (") && said.contains("1 orphans (1 B)"), "{said}");
    assert_eq!(listing(&dir.cache()), before, "nothing has changed");

    let repaired = dir.run(&["verify", "--repair", "--json"]).await.succeeded_text();
    let found = lines(&repaired);
    let damaged = found.iter().find(|finding| finding["url"] == NOWHERE).unwrap();
    let expected = (&json!("damaged"), &json!("digest"), &json!(true), &Value::Null);
    assert_eq!((&damaged["kind"], &damaged["problem"], &damaged["repaired"], &damaged["error"]), expected);
    assert_eq!((found.len(), &found[2]["intact"], &found[2]["repaired"]), (3, &json!(1), &json!(2)));
    assert!(!dir.holds(NOWHERE) && dir.holds(OTHER));
    dir.run(&["verify"]).await.succeeded();
}

#[tokio::test]
async fn verify_reports_damage_that_cannot_be_repaired() {
    let dir = two_entries().await;
    std::fs::write(dir.media_file(NOWHERE), "x").unwrap();
    let attribute = |change: &str| {
        let changed = Command::new("chattr").arg(change).arg(dir.media_file(NOWHERE)).output();
        changed.is_ok_and(|changed| changed.status.success())
    };
    if skip::unless(attribute("+i"), "a file system with immutable files, and permission to create one") {
        return;
    }
    let repaired = dir.run(&["verify", "--repair"]).await;
    assert!(attribute("-i"));
    ended_with(&repaired, 3);
    assert!(repaired.text().contains("not repaired: cannot delete "), "{repaired:?}");
    assert!(repaired.text().contains("1 damaged (") && !repaired.text().contains("1 repaired"), "{repaired:?}");
}

#[tokio::test]
async fn verify_of_a_directory_in_use_reports_no_false_damage() {
    let dir = ServiceDirectory::create();
    // Space for a few entries, so that every PUT evicts.
    let service = dir.serve_with(&["--max-size-mb", "1"]).await;
    for seed in 0..8 {
        service.put(&format!("https://nowhere.invalid/{seed}"), "image/png", photo(seed)).await;
    }
    let write = async |start: u64| {
        for seed in start.. {
            let url = format!("https://nowhere.invalid/{}", seed % 20);
            service.put(&url, "image/png", photo(seed % 20)).await;
            if seed % 3 == 0 {
                service.delete(&url).await;
            }
        }
    };
    let check = async {
        for _ in 0..5 {
            let said = dir.run(&["verify", "--json"]).await.succeeded_text();
            assert_eq!(lines(&said).len(), 1, "{said}");
        }
    };
    tokio::select! {
        () = check => {}
        () = write(0) => {}
        () = write(7) => {}
    }
    let said = dir.run(&["verify", "--repair"]).await.failed();
    assert!(said.contains("in use by another media-cache (process ") && said.contains("wait until it ends"), "{said}");
    service.stop().await;
    dir.run(&["verify", "--repair"]).await.succeeded();
}

#[tokio::test]
async fn export_and_import_keep_all_entries_and_metadata() {
    let (dir, copy) = (two_entries().await, ServiceDirectory::create());
    let large = dir.write("poster.png", &poster(1));
    dir.run(&["put", "https://nowhere.invalid/poster.png", large.to_str().unwrap()]).await.succeeded();
    let mut sidecar = dir.sidecar(NOWHERE);
    for (field, value) in [("private", json!(true)), ("max_age", json!(60)), ("etag", json!("\"1\"")), ("cost", json!(5))] {
        sidecar[field] = value;
    }
    std::fs::write(dir.sidecar_file(NOWHERE), sidecar.to_string()).unwrap();

    let archive = copy.path("archive.tar");
    let archive = archive.to_str().unwrap();
    let said = dir.run(&["export", archive, "--json"]).await.succeeded_text();
    let bytes: usize = [photo(1), photo(2), poster(1)].iter().map(Vec::len).sum();
    assert_eq!(lines(&said), [json!({ "exported": 3, "bytes": bytes, "known": 0, "damaged": 0 })]);
    let said = copy.run(&["import", archive, "--json"]).await.succeeded_text();
    assert_eq!(lines(&said), [json!({ "imported": 3, "bytes": bytes, "known": 0, "kept": 0, "refused": 0 })]);
    assert!(pairs(&copy) == pairs(&dir));
    let said = copy.run(&["import", archive]).await.succeeded_text();
    assert!(said.starts_with("imported 0 entries") && said.contains("already stored: 3"), "{said}");

    let service = copy.serve().await;
    let answer = service.media(NOWHERE).await.is("hit");
    assert!(answer.header("cache-control").starts_with("private"), "{}", answer.header("cache-control"));
    assert_eq!(answer.body, photo(1));
}

#[tokio::test]
async fn export_with_a_filter_can_be_piped_into_import() {
    let (dir, copy) = (two_entries().await, ServiceDirectory::create());
    let exported = dir.run(&["export", "-", "--host", "other.invalid"]).await;
    assert!(exported.stderr.contains("exported 1 entry"), "{}", exported.stderr);
    let said = copy.run_with_input(&["import", "-"], &exported.succeeded()).await.succeeded_text();
    assert!(said.starts_with("imported 1 entry"), "{said}");
    assert!(copy.holds(OTHER) && !copy.holds(NOWHERE));
}

#[tokio::test]
async fn export_resumes_an_archive_and_never_overwrites_one() {
    let (dir, copy) = (two_entries().await, ServiceDirectory::create());
    let archive = copy.path("archive.tar");
    let name = archive.to_str().unwrap();
    dir.run(&["export", name, "--prefix", "https://other.invalid/"]).await.succeeded();
    let said = dir.run(&["export", name]).await.failed();
    assert!(said.contains("already exists; use --resume to continue it"), "{said}");
    let said = dir.run(&["export", name, "--resume"]).await.succeeded_text();
    assert!(said.contains("exported 1 entry") && said.contains("already in the archive: 1"), "{said}");

    // A truncated archive is imported up to that point, and can then be continued.
    let whole = std::fs::read(&archive).unwrap();
    std::fs::write(&archive, &whole[..whole.len() - 2000]).unwrap();
    let imported = copy.run(&["import", name]).await;
    ended_with(&imported, 1);
    assert!(imported.stderr.contains("truncated") && imported.text().contains("imported 1 entry"), "{imported:?}");
    dir.run(&["export", name, "--resume"]).await.succeeded();
    let said = copy.run(&["import", name]).await.succeeded_text();
    assert!(said.contains("imported 1 entry") && said.contains("already stored: 1"), "{said}");
    assert!(pairs(&copy) == pairs(&dir));
}

#[tokio::test]
async fn import_stores_an_archive_in_a_running_service() {
    let (dir, copy) = (two_entries().await, ServiceDirectory::create());
    let large = dir.write("poster.png", &poster(1));
    dir.run(&["put", "https://nowhere.invalid/poster.png", large.to_str().unwrap()]).await.succeeded();
    let mut sidecar = dir.sidecar(NOWHERE);
    for (field, value) in
        [("private", json!(true)), ("etag", json!("\"1\"")), ("max_age", json!(u32::MAX)), ("filename", json!("ä.png"))]
    {
        sidecar[field] = value;
    }
    std::fs::write(dir.sidecar_file(NOWHERE), sidecar.to_string()).unwrap();
    let archive = copy.path("archive.tar");
    let archive = archive.to_str().unwrap();
    dir.run(&["export", archive]).await.succeeded();

    let service = copy.serve().await;
    service.put(OTHER, "image/png", png(9)).await;
    let server = format!("http://{}", service.address());
    let import = ["import", archive, "--server", &server, "--json"];
    let import_with = async |more: &[&str]| media_cache_test_support::command::run(&[&import[..], more].concat()).await;
    let refused = import_with(&[]).await;
    ended_with(&refused, 1);
    assert!(refused.stderr.contains("use --token-file to name a file that contains one"), "{refused:?}");
    let token = ["--token-file", service.token_file()];
    let said = import_with(&token).await.succeeded_text();
    let bytes = photo(1).len() + poster(1).len();
    assert_eq!(lines(&said), [json!({ "imported": 2, "bytes": bytes, "known": 0, "kept": 1, "refused": 0 })]);
    let said = import_with(&token).await.succeeded_text();
    assert_eq!(lines(&said), [json!({ "imported": 0, "bytes": 0, "known": 2, "kept": 1, "refused": 0 })]);
    assert_eq!(service.media(OTHER).await.body, png(9), "the media that was already stored is kept");
    let (stored, expected) = (copy.sidecar(NOWHERE), dir.sidecar(NOWHERE));
    for field in ["mimetype", "filename", "url", "size", "sha256", "private", "etag", "max_age"] {
        assert_eq!(stored[field], expected[field], "{field}");
    }
}

#[tokio::test]
async fn import_of_an_invalid_archive_stores_nothing() {
    let dir = ServiceDirectory::create();
    for (input, words) in [(&b""[..], "truncated"), (&[7; 4096], "not an export archive")] {
        let imported = dir.run_with_input(&["import", "-"], input).await;
        ended_with(&imported, 1);
        let said = &imported.stderr;
        assert!(said.contains("cannot import all of -") && said.contains(words), "{said}");
    }
    assert!(pairs(&dir).is_empty());
}

#[tokio::test]
async fn import_refuses_media_over_the_budget_or_the_body_limit() {
    let (dir, copy) = (ServiceDirectory::create(), ServiceDirectory::create());
    let large = dir.write("poster.png", &poster(1));
    dir.run(&["put", NOWHERE, large.to_str().unwrap()]).await.succeeded();
    let archive = dir.run(&["export", "-"]).await.succeeded();
    let imported = copy.run_with_input(&["import", "-", "--max-size-mb", "1"], &archive).await;
    ended_with(&imported, 1);
    assert!(imported.stderr.contains(&format!("{NOWHERE} is not imported: it does not fit in the budget")), "{imported:?}");
    let imported = copy.run_with_input(&["import", "-", "--max-body-mb", "1"], &archive).await;
    assert!(imported.stderr.contains("but the limit is 1048576"), "{imported:?}");
    assert!(pairs(&copy).is_empty());
}

#[tokio::test]
async fn rm_removes_entries_by_host_by_prefix_or_all_at_once() {
    let dir = two_entries().await;
    dir.run_with_input(&["put", "https://nowhere.invalid/other.png", "-"], &photo(3)).await.succeeded();
    let said = dir.run(&["rm", "--prefix", "https://nowhere.invalid/o"]).await.succeeded_text();
    assert_eq!(said, "removed 1 entry\n");
    let said = dir.run(&["rm", "--host", "*.invalid", "--json"]).await.succeeded_text();
    assert_eq!(lines(&said), [json!({ "removed": 2, "failed": 0 })]);
    assert!(pairs(&dir).is_empty());

    dir.run_with_input(&["put", NOWHERE, "-"], &photo(1)).await.succeeded();
    let said = dir.run(&["rm", "--all"]).await.failed();
    assert!(said.contains("add --yes") && said.contains(dir.cache().to_str().unwrap()), "{said}");
    assert!(dir.holds(NOWHERE));
    assert_eq!(dir.run(&["rm", "--all", "--yes"]).await.succeeded_text(), "removed 1 entry\n");
    assert_eq!(dir.order().await, [""; 0]);
    for wrong in [&["rm"][..], &["rm", NOWHERE, "--all"], &["rm", "--host", "a", "--prefix", "b"], &["rm", "--host", "https://a"]] {
        ended_with(&dir.run(wrong).await, 2);
    }
}

#[tokio::test]
async fn rm_of_one_url_touches_only_its_files() {
    let dir = two_entries().await;
    // A command that opened the cache would remove this file.
    std::fs::write(dir.media_file("https://nowhere.invalid/orphan"), "x").unwrap();
    let mut expected = listing(&dir.cache());
    dir.run(&["rm", NOWHERE]).await.succeeded();
    for file in [dir.media_file(NOWHERE), dir.sidecar_file(NOWHERE)] {
        expected.remove(file.file_name().unwrap());
    }
    assert_eq!(listing(&dir.cache()), expected);
}

#[tokio::test]
async fn get_while_a_service_is_running_reads_the_files_of_an_entry_unless_they_are_damaged() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    service.put(NOWHERE, "image/png", photo(1)).await;
    let got = dir.run(&["get", NOWHERE]).await;
    assert!(got.stderr.contains("from the cache"), "{}", got.stderr);
    assert_eq!(got.succeeded(), photo(1));
    let mut flipped = photo(1);
    flipped[100] ^= 1;
    std::fs::write(dir.media_file(NOWHERE), flipped).unwrap();
    // The service still has the bytes in memory.
    assert_eq!(dir.run(&["get", NOWHERE]).await.succeeded(), photo(1), "damaged bytes are not printed");
}

#[tokio::test]
async fn commands_do_not_create_a_missing_cache() {
    let dir = ServiceDirectory::create();
    let archive = dir.path("archive.tar");
    let commands = [
        &["ls"][..],
        &["stats"],
        &["verify"],
        &["verify", "--repair"],
        &["export", archive.to_str().unwrap()],
        &["rm", NOWHERE],
        &["rm", "--all", "--yes"],
    ];
    for command in commands {
        let said = dir.run(command).await.failed();
        assert!(said.contains(&format!("there is no directory {}", dir.cache().display())), "{said}");
    }
    // A command does not turn another directory into a cache.
    std::fs::create_dir(dir.cache()).unwrap();
    std::fs::write(dir.cache().join("notes.txt"), "").unwrap();
    for command in commands {
        let said = dir.run(command).await.failed();
        assert!(said.contains(&format!("no cache found in {}", dir.cache().display())), "{said}");
    }
    assert_eq!((dir.names(), archive.exists()), (vec!["notes.txt".to_owned()], false));
}
