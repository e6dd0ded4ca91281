//! Hits that are answered below hyper: their responses are the same, byte for byte, as those of the router.
//!
//! Each request is sent twice, once with a header that only the router accepts and that changes nothing.

use std::collections::BTreeSet;
use std::time::SystemTime;

use http::Method;
use media_cache_test_support::camo::camo_link;
use media_cache_test_support::http_client::{ADMIN_TOKEN, http_client, media_path, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::random::{Random, noise};
use media_cache_test_support::raw_client::RawClient;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::{Service, Signal, write_secret};
use media_cache_test_support::sha256::sha256;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::odd_requests::odd_request;
use crate::scrape::Scrape;

/// The number of requests sent to each service.
const REQUESTS: u64 = 1200;

/// How many times a request is repeated if its responses differ, since an age or a lifetime may have changed between the two.
const ATTEMPTS: usize = 3;

/// A header that the lane does not know.
const FOR_THE_ROUTER: &str = "X-Unknown: 1\r\n";

/// The last request on a connection. Its response shows where the previous one ends.
const LAST: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

const PAGE: &str = "https://example.org";

const KEY: &str = "correct horse battery staple";

/// A service with entries in memory.
struct Entries {
    service: Service,
    /// Paths of media.
    paths: Vec<String>,
    /// Entity tags and times: those of the media, and others.
    versions: Vec<String>,
}

impl Entries {
    async fn store(service: Service, sign: impl Fn(&str) -> Vec<String>) -> Self {
        let mut versions: Vec<String> =
            ["*", "\"other\"", "W/\"x\"", "x", "Tue, 14 Nov 2023 22:13:20 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"]
                .map(String::from)
                .into();
        let mut paths = Vec::new();
        for (name, mimetype, parameters, body) in [
            ("a.png", "image/png", "", png(1)),
            ("b%20b.mp4", "video/mp4", "&max-age=1000&age=7", noise(1, 5_000)),
            ("%C3%A4.svg", "image/svg+xml", "&private=true", b"<svg/>".to_vec()),
            ("large.bin", "application/pdf", "&max-age=0", noise(2, 300_000)),
        ] {
            let url = format!("https://example.org/{name}?x=1&y=%20");
            let put = format!("{}{parameters}&filename={name}", media_path(&url));
            let stored = send(service.request(Method::PUT, &put).header("content-type", mimetype).body(body)).await;
            assert_eq!(stored.status, 201, "{stored:?}");
            let signed = sign(&url);
            let path = signed.first().cloned().unwrap_or_else(|| media_path(&url));
            let found = send(service.anonymous_request(Method::GET, &path)).await.is("hit");
            versions.extend(["etag", "last-modified"].map(|name| found.header(name).to_owned()));
            paths.push(media_path(&url));
            paths.extend(signed);
        }
        Self { service, paths, versions }
    }

    /// The responses of the service on a connection, without dates and generated ids.
    async fn answer(&self, pieces: &[&[u8]]) -> String {
        let mut client = RawClient::connect(&self.service).await;
        for piece in pieces {
            client.send(piece).await;
        }
        let mut ids = 0;
        let answered = client.read_to_end().await;
        let lines = answered.split_inclusive("\r\n").map(|line| match line.split_once(": ") {
            Some(("date", _)) => "date: \r\n".into(),
            Some(("x-request-id", id)) if !id.starts_with("mine") => {
                ids += 1;
                format!("x-request-id: {ids}\r\n")
            }
            _ => match line.split_once("\"request_id\":\"") {
                Some((before, _)) => format!("{before}\r\n"),
                None => line.to_owned(),
            },
        });
        lines.collect()
    }

    /// Checks that a request gets the same response both ways.
    async fn compare(&self, lines: &[String], end: &str) {
        let in_lane = format!("{}{end}{end}{LAST}", lines.join(end));
        let (first, rest) = lines.split_first().unwrap();
        let by_router = format!("{first}{end}{FOR_THE_ROUTER}{}{end}{end}{LAST}", rest.join(end));
        for attempt in 1.. {
            let (one, other) = (self.answer(&[in_lane.as_bytes()]).await, self.answer(&[by_router.as_bytes()]).await);
            if one == other {
                return;
            }
            assert!(attempt < ATTEMPTS, "{in_lane}\n\n{one}\n\n{other}");
        }
    }

    async fn in_place(&self) -> f64 {
        Scrape::of(&self.service).await.sum("media_cache_hit_lane_responses_total", &[])
    }

    /// Compares the responses to many requests.
    async fn compare_many(&self, seed: u64) {
        let mut random = Random(seed);
        for _ in 0..REQUESTS {
            let lines = odd_request(&mut random, &self.paths, &self.versions);
            self.compare(&lines, if random.below(10) == 0 { "\n" } else { "\r\n" }).await;
        }
        let in_place = self.in_place().await;
        assert!(in_place > REQUESTS as f64 / 20.0, "{in_place} of {REQUESTS} took the lane");
    }
}

#[tokio::test]
async fn hit_lane_and_router_give_the_same_responses() {
    let dir = ServiceDirectory::create();
    let paths = |url: &str| {
        let encoded = utf8_percent_encode(url, NON_ALPHANUMERIC);
        [sha256(url), "0".repeat(64)].map(|digest| format!("/media/unsigned/{digest}/{encoded}")).into()
    };
    Entries::store(dir.serve().await, paths).await.compare_many(1).await;
}

#[tokio::test]
async fn hit_lane_and_router_give_the_same_responses_from_open_files() {
    let dir = ServiceDirectory::create();
    Entries::store(dir.serve_with(&["--max-memory-items", "0"]).await, |_| Vec::new()).await.compare_many(5).await;
}

#[tokio::test]
async fn hit_lane_and_router_give_the_same_responses_with_cors() {
    for (seed, origins) in [(2, "*"), (3, "https://example.org,https://example.net")] {
        let dir = ServiceDirectory::create();
        let service = dir.serve_with(&["--allow-origin", origins]).await;
        Entries::store(service, |_| Vec::new()).await.compare_many(seed).await;
    }
}

#[tokio::test]
async fn hit_lane_and_router_give_the_same_responses_to_signed_requests() {
    let dir = ServiceDirectory::create();
    let file = dir.path("key");
    write_secret(&file, KEY);
    let service = dir.serve_with(&["--signing-key-file", file.to_str().unwrap()]).await;
    let keys = media_cache_server::SigningKeys::new([KEY]).unwrap();
    // This signature limits how long media may be cached.
    let soon = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 3600;
    let sign = |url: &str| {
        let digest = Sha256::digest(url).into();
        let signed = |expires| [keys.sign(url, expires), keys.sign_with_digest(url, &digest, expires)];
        let wrong = keys.sign_with_digest(url, &[0; 32], None);
        [None, Some(1), Some(soon)].into_iter().flat_map(signed).chain([wrong]).flatten().collect()
    };
    Entries::store(service, sign).await.compare_many(4).await;
}

#[tokio::test]
async fn hit_lane_and_router_give_the_same_responses_to_links_made_for_camo() {
    let dir = ServiceDirectory::create();
    let file = dir.path("key");
    write_secret(&file, KEY);
    let service = dir.serve_with(&["--camo-key-file", file.to_str().unwrap()]).await;
    let links = |url: &str| {
        let link = camo_link(KEY, url);
        let (hmac, _) = link.rsplit_once('/').unwrap();
        let query = media_path(url).replacen("/media", hmac, 1);
        vec![link.clone(), query, format!("{link}00")]
    };
    Entries::store(service, links).await.compare_many(6).await;
}

/// The requests arrive together, or split in two at any position.
#[tokio::test]
async fn pipelined_requests_are_answered_in_order_however_they_arrive() {
    // The pipelines and their responses are long, so with responses from files, trying every position would take too long.
    for (arguments, step) in [(&[][..], 1), (&["--max-memory-items", "0"], 7)] {
        let dir = ServiceDirectory::create();
        check_pipelines(&Entries::store(dir.serve_with(arguments).await, |_| Vec::new()).await, step).await;
    }
}

/// Sends the requests together, and then split in two at every `step`th position.
async fn check_pipelines(entries: &Entries, step: usize) {
    let hit = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let by_router = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{FOR_THE_ROUTER}\r\n");
    // Responses for these have no `Age`.
    let [image, _, drawing, large] = &entries.paths[..] else { unreachable!() };
    let with_body = format!("GET {image} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    let pipelines = [
        [hit(image), hit(drawing), by_router(image), hit(image), LAST.into()].concat(),
        [by_router(drawing), hit(large), hit(image), by_router(large), hit(drawing), LAST.into()].concat(),
        ["\r\n".into(), hit(image), with_body, hit(image), LAST.into()].concat(),
    ];
    for pipeline in &pipelines {
        let expected = entries.answer(&[pipeline.as_bytes()]).await;
        assert_eq!(expected.matches("HTTP/1.1 ").count(), pipeline.matches(" HTTP/1.1").count(), "{pipeline}");
        let all_by_router = pipeline.replace("Host: x\r\n", &format!("Host: x\r\n{FOR_THE_ROUTER}"));
        assert_eq!(entries.answer(&[all_by_router.as_bytes()]).await, expected, "{pipeline}");
        for at in (1..pipeline.len()).step_by(step) {
            let (one, other) = pipeline.as_bytes().split_at(at);
            assert_eq!(entries.answer(&[one, other]).await, expected, "split at {at}: {pipeline}");
        }
        let bytes: Vec<&[u8]> = pipeline.as_bytes().chunks(1).collect();
        assert_eq!(entries.answer(&bytes).await, expected, "byte by byte: {pipeline}");
    }
    assert!(entries.in_place().await > 1000.0 / step as f64);
}

/// A hit with a browser's headers takes the lane, and is counted like any other hit.
#[tokio::test]
async fn hits_from_browsers_take_the_lane_and_are_counted() {
    let dir = ServiceDirectory::create();
    let entries = Entries::store(dir.serve().await, |_| Vec::new()).await;
    let before = (entries.in_place().await, entries.service.stats().await);
    let headers = [
        ("connection", "keep-alive"),
        ("sec-ch-ua", "\"Chromium\";v=\"130\""),
        ("sec-ch-ua-mobile", "?0"),
        ("sec-ch-ua-platform", "\"Linux\""),
        ("user-agent", "Mozilla/5.0"),
        ("accept", "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "no-cors"),
        ("sec-fetch-dest", "image"),
        ("referer", PAGE),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("accept-language", "en"),
    ];
    let client = http_client();
    let ids: BTreeSet<String> = futures::future::join_all((0..20).map(|_| {
        let url = format!("http://{}{}", entries.service.address(), entries.paths[0]);
        let request = headers.iter().fold(client.get(url), |request, (name, value)| request.header(*name, *value));
        async { send(request).await.is("hit").header("x-request-id").to_owned() }
    }))
    .await
    .into_iter()
    .collect();
    assert_eq!(ids.len(), 20);
    assert_eq!(entries.in_place().await - before.0, 20.0);
    let hits = |stats: &serde_json::Value| stats["media_cache"]["hits"].as_u64().unwrap();
    assert_eq!(hits(&entries.service.stats().await) - hits(&before.1), 20);
}

/// Sends requests for hits on one connection, and returns how many took the lane.
async fn taken(entries: &Entries, requests: &[String]) -> f64 {
    let before = entries.in_place().await;
    let mut client = RawClient::connect(&entries.service).await;
    for request in requests {
        client.send(format!("{request}\r\n\r\n")).await;
    }
    client.send(LAST).await;
    let answered = client.read_to_end().await;
    assert_eq!(answered.matches("HTTP/1.1 ").count(), requests.len() + 1, "{answered}");
    entries.in_place().await - before
}

#[tokio::test]
async fn range_conditional_and_head_requests_take_the_lane_but_refusals_do_not() {
    let dir = ServiceDirectory::create();
    let entries = Entries::store(dir.serve().await, |_| Vec::new()).await;
    let (path, tag) = (&entries.paths[0], &entries.versions[6]);
    let with = |method: &str, header: &str| format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{header}");
    let conditions =
        [format!("If-None-Match: {tag}"), format!("If-Match: {tag}"), "Range: bytes=0-1".into(), "Range: bytes=-1".into()];
    for condition in &conditions {
        assert_eq!(taken(&entries, &[with("GET", condition)]).await, 1.0, "{condition}");
    }
    assert_eq!(taken(&entries, &[with("HEAD", "Accept: */*")]).await, 1.0);
    for refused in ["If-Match: \"other\"", "Range: bytes=999999-", "Sec-Fetch-Dest: script", "Via: 1.1 x"] {
        assert_eq!(taken(&entries, &[with("GET", refused)]).await, 0.0, "{refused}");
    }
}

/// A hit on disk takes the lane once the file is open.
#[tokio::test]
async fn hits_on_open_files_take_the_lane() {
    let dir = ServiceDirectory::create();
    let entries = Entries::store(dir.serve_with(&["--max-memory-items", "0"]).await, |_| Vec::new()).await;
    let requests: Vec<String> = entries.paths.iter().map(|path| format!("GET {path} HTTP/1.1\r\nHost: x")).collect();
    let before = entries.answer(&[[requests.join("\r\n\r\n"), format!("\r\n\r\n{LAST}")].concat().as_bytes()]).await;
    assert_eq!(taken(&entries, &requests).await, 4.0);
    let without_age = |answer: String| answer.lines().filter(|line| !line.starts_with("age:")).collect::<Vec<_>>().join("\n");
    let after = entries.answer(&[[requests.join("\r\n\r\n"), format!("\r\n\r\n{LAST}")].concat().as_bytes()]).await;
    assert_eq!(without_age(after), without_age(before));
    assert_eq!(entries.service.stats().await["media_cache"]["in_memory_entries"], 0);
}

#[tokio::test]
async fn hit_behind_a_slow_miss_waits_for_it() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let entries = Entries::store(dir.serve().await, |_| Vec::new()).await;
    let url = origin.serves("/slow.png", "image/png", png(9));
    let latch = origin.hold("/slow.png");
    let mut client = RawClient::connect(&entries.service).await;
    let (slow, hit) = (media_path(&url), &entries.paths[0]);
    client.send(format!("GET {slow} HTTP/1.1\r\nHost: x\r\n\r\nGET {hit} HTTP/1.1\r\nHost: x\r\n\r\n{LAST}")).await;
    latch.reached().await;
    latch.open();
    let answered = client.read_to_end().await;
    let order: Vec<&str> = answered.lines().filter_map(|line| line.strip_prefix("x-cache: ")).collect();
    assert_eq!(order, ["miss", "hit"], "{answered}");
}

/// Responses from the lane reflect the current media and access control.
#[tokio::test]
async fn prepared_heads_are_rebuilt_when_the_entry_or_the_access_control_changes() {
    let dir = ServiceDirectory::create();
    let write = |more: &str| {
        let common = "listen = \"127.0.0.1:0\"\ndir = \"cache\"\nadmin-token-file = \"admin-token\"\n";
        dir.write("media-cache.toml", format!("{common}{more}").as_bytes())
    };
    write("");
    dir.write("admin-token", ADMIN_TOKEN.as_bytes());
    let service = Service::start_in(&dir.path(""), &[("MEDIA_CACHE_CONFIG", "media-cache.toml")], &[]).await;
    let entries = Entries::store(service, |_| Vec::new()).await;
    let (service, path) = (&entries.service, &entries.paths[0]);
    let mut client = RawClient::connect(service).await;
    let mut hit = async || {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\nOrigin: {PAGE}\r\n\r\n")).await;
        client.read_response().await
    };
    let first = hit().await;
    assert!(!first.contains("access-control-allow-origin"), "{first}");
    write(&format!("allow-origin = [\"{PAGE}\"]\n"));
    service.signal(Signal::HUP);
    service.wait_for_log("reloaded the configuration").await;
    assert!(hit().await.contains(&format!("access-control-allow-origin: {PAGE}")));
    for other in ["second", "third"] {
        assert_eq!(send(service.request(Method::DELETE, path)).await.status, 204);
        let put = service.request(Method::PUT, path).header("content-type", "text/plain").body(other);
        assert_eq!(send(put).await.status, 201);
        assert!(hit().await.ends_with(other));
        assert!(hit().await.ends_with(other));
    }
    assert_eq!(entries.in_place().await, 4.0, "the first request for each version goes to the component");
}
