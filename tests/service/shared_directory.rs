//! Commands while a service is running: they attach to it through its directory, or reach it over HTTP with `--server`.

use futures::future::join_all;
use media_cache::{DirectoryLock, MediaCache, NoDownloader, OpenError};
use media_cache_attach::{DirectoryOptions, Role, SharedCache};
use media_cache_test_support::command::{CommandOutput, run, run_in};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{photo, png};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::soon::{eventually, soon};
use serde_json::{Value, json};

const URL: &str = "https://nowhere.invalid/picture.png";
const OTHER: &str = "https://cdn.nowhere.invalid/other.png";

/// Runs a command in three ways, each on a cache of its own: on a directory that no process uses, attached to the process that uses the
/// directory, and over HTTP.
struct Ways {
    alone: ServiceDirectory,
    shared: ServiceDirectory,
    owner: Service,
    remote: ServiceDirectory,
    service: Service,
}

impl Ways {
    async fn start() -> Self {
        let [alone, shared, remote] = [(); 3].map(|()| ServiceDirectory::create());
        let (owner, service) = (shared.serve().await, remote.serve().await);
        Self { alone, shared, owner, remote, service }
    }

    async fn run(&self, arguments: &[&str]) -> [CommandOutput; 3] {
        let remote = self.over_http(arguments).await;
        [self.alone.run(arguments).await, self.shared.run(arguments).await, remote]
    }

    async fn over_http(&self, arguments: &[&str]) -> CommandOutput {
        let server = format!("http://{}", self.service.address());
        run(&[arguments, &["--server", &server, "--token-file", self.service.token_file()]].concat()).await
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn commands_behave_the_same_alone_attached_to_a_service_and_over_http() {
    let ways = Ways::start().await;
    let file = ways.alone.write("picture.png", &photo(1));
    let file = file.to_str().unwrap();
    for output in ways.run(&["put", URL, file, "--filename", "a.png", "--json"]).await {
        let stored = json!({ "url": URL, "known": false, "mimetype": "image/png", "filename": "a.png", "size": photo(1).len() });
        assert_eq!(json_lines(&output.succeeded_text()), [stored]);
    }
    for output in ways.run(&["put", URL, file]).await {
        assert!(output.succeeded_text().starts_with("kept the existing entry: a.png, image/png"));
    }
    for output in ways.run(&["put", OTHER, file]).await {
        assert!(output.succeeded_text().starts_with("stored: picture.png"));
    }
    for output in ways.run(&["get", URL]).await {
        assert_eq!(output.succeeded(), photo(1));
    }
    for output in ways.run(&["ls", "--json"]).await {
        let entries = json_lines(&output.succeeded_text());
        let urls: Vec<_> = entries.iter().map(|entry| entry["url"].as_str().unwrap()).collect();
        assert!(urls.contains(&URL) && urls.contains(&OTHER) && urls.len() == 2, "{urls:?}");
        assert!(entries.iter().all(|entry| entry["size"] == photo(1).len()), "{entries:?}");
    }
    for output in ways.run(&["ls"]).await {
        let listed = output.succeeded_text();
        assert!(listed.lines().count() == 3 && listed.contains(URL), "{listed}");
        let columns: Vec<_> = listed.lines().map(|line| line.find("URL").or(line.find("https://"))).collect();
        assert!(columns.iter().all(|column| *column == columns[0]), "the columns are aligned: {listed}");
    }
    for output in ways.run(&["stats", "--json"]).await {
        assert_eq!(json_lines(&output.succeeded_text())[0]["media_cache"]["total_entries"], 2);
    }
    for output in ways.run(&["rm", "--host", "*.nowhere.invalid", "--json"]).await {
        assert_eq!(json_lines(&output.succeeded_text()), [json!({ "removed": 1, "failed": 0 })]);
    }
    for output in ways.run(&["rm", URL]).await {
        output.succeeded();
    }
    for output in ways.run(&["rm", URL]).await {
        assert!(output.failed().contains(&format!("nothing is stored for {URL}")));
    }
    for output in ways.run(&["rm", "--all"]).await {
        assert!(output.failed().contains("add --yes to confirm"));
    }
    assert_eq!(ways.owner.stats().await["media_cache"]["total_entries"], 0);
    assert!(!ways.alone.holds(URL) && !ways.shared.holds(URL) && !ways.remote.holds(URL));
    ways.owner.stop().await;
    ways.service.stop().await;
}

#[tokio::test]
async fn listing_over_http_spans_several_pages() {
    let ways = Ways::start().await;
    let mut expected = Vec::new();
    for number in 0..1001 {
        let url = format!("https://nowhere.invalid/{number}");
        ways.service.put(&url, "image/png", png(1)).await;
        expected.push(url);
    }
    let entries = json_lines(&ways.over_http(&["ls", "--json"]).await.succeeded_text());
    assert!(entries.iter().map(|entry| entry["url"].as_str().unwrap()).eq(expected.iter()), "{} entries", entries.len());
}

#[tokio::test]
async fn get_downloads_into_the_cache_of_the_service_with_its_own_options() {
    let (origin, ways) = (HttpOrigin::start().await, Ways::start().await);
    let url = origin.serves("/picture.png", "image/png", png(1));
    let file = ways.alone.path("out.png");
    let get = ["get", &url, "-o", file.to_str().unwrap(), "--json"];
    for (source, requests) in [("origin", 3), ("disk", 3)] {
        for (output, way) in ways.run(&get).await.into_iter().zip(["alone", "shared", "over HTTP"]) {
            let document = &json_lines(&output.succeeded_text())[0];
            let source = if way == "over HTTP" && source == "disk" { "cache" } else { source };
            assert_eq!((&document["source"], &document["filename"]), (&json!(source), &json!("picture.png")), "{way}");
            assert_eq!(std::fs::read(&file).unwrap(), png(1));
        }
        assert_eq!(origin.requests("/picture.png"), requests);
    }
    ways.owner.media(&url).await.is("hit");
    // The command downloads, so its own rules apply, and its failure says nothing about downloads by the service.
    let refused = origin.serves("/refused.png", "image/png", png(1));
    let said = ways.shared.run(&["get", &refused, "-o", file.to_str().unwrap(), "--deny-address", "127.0.0.0/8"]).await.failed();
    assert!(said.contains("refused"), "{said}");
    ways.owner.media(&refused).await.is("miss");
    for output in ways.run(&["get", &origin.url("/missing.png"), "-o", file.to_str().unwrap()]).await {
        let said = output.failed();
        assert!(said.contains("cannot get") && said.contains("404"), "{said}");
    }
}

#[tokio::test]
async fn policy_and_refresh_commands_attach_to_the_service_of_the_directory() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let url = origin.serves("/picture.png", "image/png", png(1));
    service.media(&url).await.is("miss");
    origin.serves("/picture.png", "image/png", png(2));
    let refreshed = json_lines(&dir.run(&["refresh", &url, "--json"]).await.succeeded_text());
    assert_eq!((&refreshed[0]["url"], &refreshed[0]["changed"]), (&json!(url), &json!(true)));
    assert_eq!(service.media(&url).await.is("hit").body, png(2));
    let said = dir.run(&["refresh", "https://nowhere.invalid/"]).await.failed();
    assert!(said.contains("the stored media, if any, is kept"), "{said}");

    let listed = dir.run(&["policy", "list"]).await.succeeded_text();
    assert!(listed.contains("* lru") && listed.contains("  sieve"), "{listed}");
    let said = dir.run(&["policy", "swap", "gdsf:beta=0.5"]).await.succeeded_text();
    assert!(said.contains("gdsf 0.1.0 (beta=0.5, cost=1) is active"), "{said}");
    assert!(dir.run(&["policy", "show"]).await.succeeded_text().contains("beta = 0.5"));
    let said = dir.run(&["policy", "swap", "gdsf:beta=7"]).await.failed();
    assert!(said.contains("beta"), "{said}");
    let component = dir.write("policy.wasm", media_cache::embedded::policy("sieve").unwrap());
    let swapped = dir.run(&["policy", "swap", component.to_str().unwrap(), "--json"]).await.succeeded_text();
    assert_eq!(json_lines(&swapped)[0]["origin"], "the uploaded policy");
    assert_eq!(json_lines(&dir.run(&["policy", "rollback", "--json"]).await.succeeded_text())[0]["name"], "gdsf");
    dir.run(&["policy", "rollback"]).await.succeeded();
    let shown = service.get("/policy").await.json();
    assert_eq!((&shown["name"], &shown["swaps"]), (&json!("sieve"), &json!(4)));
    service.stop().await;

    // The selection lasts, although the file is not needed any more.
    std::fs::remove_file(component).unwrap();
    let service = dir.serve().await;
    assert_eq!(service.get("/policy").await.json()["name"], "sieve");
    service.stop().await;
    let said = dir.run(&["policy", "show"]).await.failed();
    assert!(said.contains("no process is using the cache in") && said.contains("specify one with --server"), "{said}");
}

#[tokio::test]
async fn options_that_conflict_with_the_service_are_errors_that_name_both_values() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--max-size-mb", "7", "--key-rules", "discord"]).await;
    let file = dir.write("picture.png", &png(1));
    let file = file.to_str().unwrap();
    for (arguments, ours, theirs) in [
        (&["ls", "--policy", "sieve"][..], "policy is sieve", "is configured with lru"),
        (&["stats", "--key-rules", "fragments"], "key-rules is fragments", "is configured with discord"),
        (&["put", URL, file, "--max-size-mb", "8"], "max-size-mb is 8", "is configured with 7"),
        (&["put", URL, file, "--durability", "always"], "durability is always", "is configured with none"),
        (&["rm", URL, "--key-rules", "fragments"], "key-rules is fragments", "is configured with discord"),
    ] {
        let said = dir.run(arguments).await.failed();
        assert!(said.contains(ours) && said.contains(theirs), "{said}");
    }
    dir.run(&["put", URL, file, "--max-size-mb", "7"]).await.succeeded();
    let plain = ServiceDirectory::create();
    let without = plain.serve().await;
    let said = plain.run(&["stats", "--key-rules", "fragments"]).await.failed();
    assert!(said.contains("key-rules is fragments") && said.contains("is configured with none"), "{said}");
    without.stop().await;
    // Without such options, those of the service apply.
    let expiring = "https://cdn.discordapp.com/attachments/1/2/a.png?ex=1&is=2&hm=3";
    let stored = json_lines(&dir.run(&["put", expiring, file, "--json"]).await.succeeded_text());
    assert_eq!(stored[0]["url"], "https://cdn.discordapp.com/attachments/1/2/a.png");
    service.stop().await;
}

#[tokio::test]
async fn directory_in_use_by_a_process_that_does_not_share_it_is_an_error_that_names_the_process() {
    let dir = ServiceDirectory::create();
    let file = dir.write("picture.png", &png(1));
    dir.run(&["put", URL, file.to_str().unwrap()]).await.succeeded();
    let lock = DirectoryLock::acquire(&dir.cache()).unwrap();
    let owner = format!("in use by another media-cache (process {})", std::process::id());
    let (put, dir_ref) = (["put", OTHER, file.to_str().unwrap()], &dir);
    let commands = [&put[..], &["rm", URL], &["ls"], &["stats"], &["policy", "show"]];
    let refused = commands.map(|arguments| async move { dir_ref.run(arguments).await.failed() });
    for said in join_all(refused).await {
        assert!(said.contains(&owner) && said.contains("cannot be attached to"), "{said}");
    }
    drop(lock);
    dir.run(&["rm", URL]).await.succeeded();
}

#[tokio::test]
async fn server_and_dir_exclude_each_other_and_override_each_others_variables() {
    let (file, dir) = (ServiceDirectory::create(), ServiceDirectory::create());
    let picture = file.write("picture.png", &png(1));
    dir.run(&["put", URL, picture.to_str().unwrap()]).await.succeeded();
    let service = ServiceDirectory::create();
    let running = service.serve_with_only(&["--listen", "127.0.0.1:0"]).await;
    let (server, cache) = (format!("http://{}", running.address()), dir.cache());
    let cache = cache.to_str().unwrap();
    let said = run(&["stats", "--server", &server, "--dir", cache]).await.failed_with(2);
    assert!(said.contains("--server") && said.contains("--dir"), "{said}");
    let entries = async |variables: &[(&str, &str)], arguments: &[&str]| {
        let said = run_in(&dir.path(""), variables, &[&["stats", "--json"], arguments].concat()).await.succeeded_text();
        json_lines(&said)[0]["media_cache"]["total_entries"].clone()
    };
    assert_eq!(entries(&[("MEDIA_CACHE_DIR", cache)], &["--server", &server]).await, 0);
    assert_eq!(entries(&[("MEDIA_CACHE_SERVER", &server)], &["--dir", cache]).await, 1);
    let both = [("MEDIA_CACHE_DIR", cache), ("MEDIA_CACHE_SERVER", server.as_str())];
    let said = run_in(&dir.path(""), &both, &["stats"]).await.failed();
    assert!(said.contains("--server is set by MEDIA_CACHE_SERVER") && said.contains("--dir is set by MEDIA_CACHE_DIR"), "{said}");
}

#[tokio::test]
async fn service_takes_its_directory_from_an_attached_process_that_has_taken_over() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    service.put(URL, "image/png", png(1)).await;
    let configure = |_: &DirectoryOptions| Ok::<_, OpenError>(MediaCache::builder().downloader(NoDownloader));
    let bot = SharedCache::open_or_attach(dir.cache(), DirectoryOptions::default(), configure).await.unwrap();
    let mut running = service;
    for _ in 0..2 {
        assert_eq!(bot.role(), Role::Attached);
        running.stop().await;
        eventually(|| bot.role() == Role::Owner).await;
        running = dir.serve().await;
        assert_eq!(running.media(URL).await.is("hit").body, png(1));
        let media = soon(bot.get(URL)).await.unwrap().unwrap();
        assert_eq!(media.body.bytes().await.unwrap(), png(1));
    }
    bot.close().await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn arguments_without_an_effect_on_a_service_are_errors() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with_only(&["--listen", "127.0.0.1:0"]).await;
    let server = format!("http://{}", service.address());
    for (command, option) in [
        (&["get", URL][..], &["--deny-address", "127.0.0.0/8"][..]),
        (&["put", URL, "-"], &["--transcoder", "none"]),
        (&["ls"], &["--key-rules", "discord"]),
        (&["rm", URL], &["--key-rules", "discord"]),
        (&["stats"], &["--policy", "sieve"]),
        (&["import", "-"], &["--max-size-mb", "7"]),
    ] {
        let said = run(&[command, option, &["--server", &server]].concat()).await.failed_with(2);
        assert!(said.contains(&format!("{} has no effect with --server", option[0])), "{said}");
    }
    let variables = [("MEDIA_CACHE_POLICY", "sieve")];
    run_in(&dir.path(""), &variables, &["stats", "--server", &server]).await.succeeded();
}

#[tokio::test]
async fn service_that_cannot_start_leaves_the_directory_to_its_owner() {
    let dir = ServiceDirectory::create();
    let configure = |_: &DirectoryOptions| Ok::<_, OpenError>(MediaCache::builder().downloader(NoDownloader));
    let options = DirectoryOptions::default().with("max-size-mb", 9);
    let bot = SharedCache::open_or_attach(dir.cache(), options, configure).await.unwrap();
    let said = dir.run(&["serve", "--listen", "127.0.0.1:0", "--max-size-mb", "7"]).await.failed();
    assert!(said.contains("max-size-mb is 9") && said.contains("is configured with 7"), "{said}");
    let broken = dir.write("broken.wasm", b"\0asm");
    let said = dir.run(&["serve", "--listen", "127.0.0.1:0", "--policy", broken.to_str().unwrap()]).await.failed();
    assert!(said.contains("broken.wasm"), "{said}");
    let said = dir.run(&["serve", "--listen", "127.0.0.1:0", "--max-size-mb", "9", "--policy", "gdsf:beta=7"]).await.failed();
    assert!(said.contains("beta"), "{said}");
    assert_eq!(bot.role(), Role::Owner);
    let service = dir.serve_with(&["--max-size-mb", "9"]).await;
    eventually(|| bot.role() == Role::Attached).await;
    bot.close().await.unwrap();
    service.stop().await;
}

#[tokio::test]
async fn command_attached_during_a_restart_waits_for_the_next_service() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let held = origin.hold("/picture.png");
    let service = dir.serve_with(&["--key-rules", "fragments"]).await;
    let (file, named) = (dir.path("out.png"), format!("{url}#1"));
    let arguments = ["get", &named, "-o", file.to_str().unwrap()];
    let get = dir.run(&arguments);
    let restart = async {
        eventually(|| origin.requests("/picture.png") == 1).await;
        service.stop().await;
        let service = dir.serve_with(&["--key-rules", "fragments"]).await;
        held.open();
        service
    };
    let (got, service) = tokio::join!(get, restart);
    got.succeeded();
    assert_eq!(std::fs::read(file).unwrap(), png(1));
    assert_eq!(service.media(&url).await.is("hit").body, png(1));
    assert_eq!(origin.requests("/picture.png"), 1);
    service.stop().await;
}
