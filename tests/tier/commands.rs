//! `media-cache tier`, and `ls` of a store.

use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use http::Method;
use media_cache_test_support::binary::binary;
use media_cache_test_support::command::{CommandOutput, finish};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::object_store::{Fault, ObjectStore};
use media_cache_test_support::random::noise;
use media_cache_test_support::service_directory::ServiceDirectory;
use serde_json::Value;

use crate::node::{LOCATION, Node, objects};

/// A store with these entries, which were uploaded in this order, an hour apart.
async fn filled(sizes: &[usize]) -> (ObjectStore, Vec<String>) {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let node = Node::start(&store).await;
    let mut urls = Vec::new();
    for (number, size) in sizes.iter().enumerate() {
        let body = [png(number as u64), noise(number as u64, *size)].concat();
        urls.push(origin.serves(&format!("/{number}.png"), "image/png", body));
        node.media(&urls[number]).await.is("miss");
        node.until_uploads("stored", number as u64 + 1).await;
    }
    // Without the list of what was used in this hour.
    node.service.kill().await;
    for (number, url) in urls.iter().enumerate() {
        let age = Duration::from_secs(3600 * (sizes.len() - number) as u64);
        objects(url).iter().for_each(|name| store.set_modified(name, SystemTime::now() - age));
    }
    (store, urls)
}

async fn run(store: &ObjectStore, arguments: &[&str]) -> CommandOutput {
    let mut command = binary(arguments);
    command.envs(store.variables());
    finish(command, &[]).await
}

async fn tier(store: &ObjectStore, arguments: &[&str]) -> CommandOutput {
    run(store, &[&["tier"], arguments, &["--tier", LOCATION]].concat()).await
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn entries_are_listed_least_recently_used_first() {
    let (store, urls) = filled(&[10, 20, 30]).await;
    let listed = json_lines(&tier(&store, &["ls", "--json"]).await.succeeded_silently());
    assert_eq!(listed.iter().map(|entry| entry["url"].as_str().unwrap()).collect::<Vec<_>>(), urls);
    assert_eq!(listed[0]["mimetype"], "image/png");
    let text = run(&store, &["ls", "--dir", LOCATION]).await.succeeded_silently();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].ends_with("URL") && lines[1].contains("3 hours ago") && lines[1].ends_with(&urls[0]), "{text}");
    let json = run(&store, &["ls", "--json", "--dir", LOCATION]).await.succeeded_silently();
    assert_eq!(json_lines(&json), listed);
    let refused = run(&store, &["verify", "--dir", LOCATION]).await.failed();
    assert!(refused.contains("--dir s3://bucket/media is in a store, but this command needs a directory"), "{refused}");
}

#[tokio::test]
async fn damaged_entries_are_found_and_removed() {
    let (store, urls) = filled(&[10, 20, 30]).await;
    assert_eq!(tier(&store, &["verify"]).await.succeeded_silently().lines().count(), 1);
    let [body, _] = objects(&urls[1]);
    store.write(&body, "other bytes");
    let found = tier(&store, &["verify"]).await;
    assert_eq!(found.code, Some(3), "{found:?}");
    assert!(
        found.text().starts_with(&format!("damaged: {} ({}): ", urls[1], &body[6..70]))
            && found.text().contains("2 entries intact"),
        "{found:?}"
    );
    let warm = ServiceDirectory::create();
    let failed = tier(&store, &["warm", "--max-mb", "1", "--dir", warm.cache().to_str().unwrap()]).await;
    assert!(failed.stderr.contains(&format!("{} ({}) was not copied: ", urls[1], &body[6..70])), "{failed:?}");
    let repaired = tier(&store, &["verify", "--repair", "--json"]).await.succeeded_silently();
    let repaired = json_lines(&repaired);
    assert_eq!((&repaired[0]["repaired"], &repaired[1]["repaired"]), (&true.into(), &1.into()));
    assert_eq!(repaired[0]["url"], urls[1]);
    assert_eq!(objects(&urls[1]).map(|name| store.object(&name)), [None, None]);
    tier(&store, &["verify"]).await.succeeded_silently();
}

#[tokio::test]
async fn objects_that_belong_to_no_entry_are_counted_and_only_leftovers_are_deleted() {
    let (store, _) = filled(&[10]).await;
    let leftovers = [format!("media/{}.dat", "a".repeat(64)), format!("media/.media-cache/leases/{}", "b".repeat(64))];
    let others = [format!("media/{}.dat", "c".repeat(64)), "media/index.html".into(), format!("media/x/{}.dat", "d".repeat(64))];
    for name in leftovers.iter().chain(&others) {
        store.write(name, "12345");
        store.set_modified(name, SystemTime::now() - Duration::from_secs(100_000));
    }
    // It may belong to an upload in progress.
    store.set_modified(&others[0], SystemTime::now());
    let found = tier(&store, &["verify"]).await.succeeded_silently();
    let lines: Vec<&str> = found.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "leftovers: 2 (10 B); `--repair` and `tier trim` delete them",
            "objects that belong to no tier: 2 (10 B); only the tools of the store delete them",
        ]
    );
    let counts = &json_lines(&tier(&store, &["verify", "--repair", "--json"]).await.succeeded_silently())[0];
    assert_eq!((&counts["leftovers"], &counts["leftover_bytes"], &counts["others"]), (&2.into(), &10.into(), &2.into()));
    assert!(leftovers.iter().all(|name| store.object(name).is_none()), "{:?}", store.names());
    assert!(others.iter().all(|name| store.object(name).is_some()), "{:?}", store.names());
    assert_eq!(tier(&store, &["verify"]).await.succeeded_silently().lines().count(), 2);
}

#[tokio::test]
async fn trimming_deletes_what_no_service_has_used_for_the_longest_time() {
    let (store, urls) = filled(&[100_000, 100_000, 100_000, 100_000]).await;
    // A service has used the oldest entry in this hour.
    let hour = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / 3600;
    let [body, _] = objects(&urls[0]);
    store.write(&format!("media/.media-cache/usage/node/{hour}"), format!("{}\n", &body[6..22]));
    // Leftovers of interrupted uploads are deleted after a day, and lists after 90 days.
    let [old, new] = ["a", "b"].map(|digit| format!("media/{}.dat", digit.repeat(64)));
    store.write(&old, "x");
    store.write(&new, "x");
    store.set_modified(&old, SystemTime::now() - Duration::from_secs(100_000));
    let old_list = format!("media/.media-cache/usage/node/{}", hour - 91 * 24);
    store.write(&old_list, "");
    // A list of an hour that is far in the future counts for nothing, whatever its name.
    store.write(&format!("media/.media-cache/usage/node/{}", u64::MAX), format!("{}\n", &objects(&urls[1])[0][6..22]));
    let before = store.names();
    let planned = tier(&store, &["trim", "250KB", "--dry-run", "--json"]).await.succeeded_silently();
    assert_eq!(store.names(), before);
    let done = tier(&store, &["trim", "250KB", "--json"]).await.succeeded_silently();
    assert_eq!(planned.replace("\"dry_run\":true", "\"dry_run\":false"), done);
    let done = json_lines(&done);
    assert_eq!(
        [&done[0]["url"], &done[1]["url"], &done[2]["url"]],
        [&urls[1].clone().into(), &urls[2].clone().into(), &Value::Null]
    );
    assert_eq!(
        (&done[3]["entries"], &done[3]["deleted"], &done[3]["leftovers"], &done[3]["old_objects"]),
        (&2.into(), &2.into(), &1.into(), &1.into())
    );
    let left: Vec<bool> = urls.iter().map(|url| objects(url).iter().all(|name| store.object(name).is_some())).collect();
    assert_eq!(left, [true, false, false, true], "the second and the third were not used since they were uploaded");
    assert_eq!((store.object(&old), store.object(&old_list)), (None, None));
    assert!(store.object(&new).is_some(), "it may belong to an upload in progress");
}

#[tokio::test]
async fn entries_are_removed_by_url_and_by_host() {
    let (store, urls) = filled(&[10, 20, 30]).await;
    assert_eq!(tier(&store, &["rm", &urls[0]]).await.succeeded_silently(), "removed 1 entry\n");
    assert_eq!(tier(&store, &["rm", &urls[0]]).await.code, Some(1));
    assert_eq!(tier(&store, &["rm", "--host", "other.example"]).await.succeeded_silently(), "removed 0 entries\n");
    assert_eq!(tier(&store, &["rm", "--host", "127.0.0.1"]).await.succeeded_silently(), "removed 2 entries\n");
    assert!(store.names().is_empty(), "{:?}", store.names());
    // Only an entry with a sidecar counts, and nothing is requested before it is deleted.
    let (store, _) = filled(&[10, 20]).await;
    let leftover = format!("media/{}.dat", "a".repeat(64));
    store.write(&leftover, "x");
    let requests = store.requests(&Method::HEAD, ".json");
    let unconfirmed = tier(&store, &["rm", "--all"]).await.failed();
    assert!(unconfirmed.contains("all entries in s3://bucket/media, also for other services; add --yes"), "{unconfirmed}");
    assert_eq!(tier(&store, &["rm", "--all", "--yes"]).await.succeeded_silently(), "removed 2 entries\n");
    assert_eq!((store.object(&leftover), store.requests(&Method::HEAD, ".json")), (None, requests));
    let usage = tier(&store, &["rm"]).await.failed_with(2);
    assert!(usage.contains("name either URLs, or one of --host, --prefix and --all"), "{usage}");
}

#[tokio::test]
async fn warming_copies_the_most_recently_used_entries() {
    let (store, urls) = filled(&[10, 700_000, 700_000, 10]).await;
    let dir = ServiceDirectory::create();
    let cache = dir.cache();
    let arguments = ["warm", "--max-mb", "1", "--dir", cache.to_str().unwrap()];
    let warmed = tier(&store, &arguments).await.succeeded_silently();
    assert!(warmed.starts_with("stored 3 entries (") && warmed.ends_with("\n1 did not fit into --max-mb\n"), "{warmed}");
    assert_eq!(dir.order().await, [0, 2, 3].map(|number: usize| urls[number].clone()));
    // A running service gets the rest, and keeps what it has.
    let service = dir.serve().await;
    let warmed = tier(&store, &["warm", "--max-mb", "10", "--json", "--dir", cache.to_str().unwrap()]).await.succeeded_silently();
    let counts: Value = serde_json::from_str(&warmed).unwrap();
    assert_eq!((&counts["stored"], &counts["known"], &counts["failed"]), (&1.into(), &3.into(), &0.into()));
    assert_eq!(counts["did_not_fit"], 0);
    for url in &urls {
        service.media(url).await.is("hit");
    }
}

#[tokio::test]
async fn failing_store_is_reported_with_the_reason() {
    let (store, _) = filled(&[10]).await;
    store.fail(Fault::Status(403));
    for arguments in [&["ls"][..], &["verify"], &["trim", "1GB"], &["rm", "--all", "--yes"], &["warm", "--max-mb", "1"]] {
        let failed = tier(&store, arguments).await;
        assert_eq!(failed.code, Some(1), "{arguments:?}");
        assert!(failed.stderr.contains("cannot use s3://bucket/media; check its address and the credentials"), "{}", failed.stderr);
        assert!(failed.stderr.contains("403"), "{}", failed.stderr);
    }
    let wrong = run(&store, &["tier", "ls", "--tier", "bucket"]).await.failed_with(2);
    assert!(wrong.contains("is not the location of a tier"), "{wrong}");
    let set = async |name: &str, value: &str| {
        let mut command = binary(["tier", "ls", "--tier", LOCATION]);
        command.envs(store.variables()).env(name, value);
        finish(command, &[]).await.failed()
    };
    let failed = set("AWS_ALLOW_HTTP", "false").await;
    assert!(failed.contains("URL scheme is not allowed; for an endpoint without TLS, set AWS_ALLOW_HTTP=true"), "{failed}");
    for endpoint in ["nowhere", "127.0.0.1:9000", "ftp://127.0.0.1"] {
        let failed = set("AWS_ENDPOINT", endpoint).await;
        assert!(failed.contains("the endpoint in the environment is not a URL such as https://"), "{failed}");
    }
    // Nothing answers to the request for the credentials of this machine.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = binary(["tier", "ls", "--tier", LOCATION, "--tier-timeout-ms", "100"]);
    command.envs(store.variables()).env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    command.env("AWS_METADATA_ENDPOINT", format!("http://{}", silent.local_addr().unwrap()));
    let failed = finish(command, &[]).await.failed();
    assert!(failed.contains("unless this machine is provided with credentials, set AWS_ACCESS_KEY_ID"), "{failed}");
    let missing = run(&store, &["tier", "ls", "--tier", "file:///nonexistent"]).await.failed();
    assert!(missing.contains("there is no such directory"), "{missing}");
}
