//! What the service logs, and what it must not log.

use http::Method;
use media_cache_test_support::http_client::{media_path, send};
use media_cache_test_support::http_origin::{ClosedPort, HttpOrigin, Page};
use media_cache_test_support::images::{jpeg, png};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::{Service, Signal};
use media_cache_test_support::sha256::sha256;
use serde_json::Value;

/// The placeholder for every secret.
const SECRET: &str = "s3cr3t";

/// Waits until a request with this outcome is logged, and returns all log lines about requests, in JSON.
async fn request_lines(service: &Service, outcome: &str) -> Vec<Value> {
    // Lines about downloads have no number of bytes after the outcome.
    service.wait_for_log(&format!("\"outcome\":\"{outcome}\",\"bytes\":")).await;
    let lines = service.log();
    let lines = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    lines.filter(|line| line["message"] == "request").collect()
}

/// The fingerprint of a URL: the first digits of its digest.
fn fingerprint(url: &str) -> String {
    sha256(url.as_bytes())[..16].to_owned()
}

#[tokio::test]
async fn each_request_is_logged_in_one_line_with_its_outcome() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--log-format", "json"]).await;
    let url = origin.serves("/a.png?size=2", "image/png", png(1));
    let answer = send(service.media_request(Method::GET, &url).header("x-request-id", "chat-42_a.b")).await.is("miss");
    assert_eq!(answer.header("x-request-id"), "chat-42_a.b");
    service.media(&url).await.is("hit");
    let missing = service.media(&origin.url("/missing.png")).await;
    missing.problem(404);
    let lines = request_lines(&service, "not-found").await;
    let [miss, failure] = &lines[..] else { panic!("{lines:?}") };
    for (name, value) in [
        ("level", "INFO".into()),
        ("request_id", "chat-42_a.b".into()),
        ("method", "GET".into()),
        ("route", "/media".into()),
        ("status", 200.into()),
        ("outcome", "miss".into()),
        ("bytes", png(1).len().into()),
        ("key", fingerprint(&url).into()),
        ("host", "127.0.0.1".into()),
        ("url", Value::Null),
        ("reason", Value::Null),
    ] {
        assert_eq!(miss[name], value, "{name}");
    }
    assert!(miss["first_byte_seconds"].as_f64().unwrap() <= miss["seconds"].as_f64().unwrap());
    assert_eq!(failure["request_id"], missing.header("x-request-id"));
    assert_eq!(missing.json()["request_id"], failure["request_id"]);
    assert!(failure["reason"].as_str().unwrap().contains("status 404"), "{failure}");
    let download = service.log().into_iter().find(|line| line.contains("download failed")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&download).unwrap()["key"], failure["key"], "so that they can be matched");
}

#[tokio::test]
async fn request_id_unsuitable_for_a_log_is_replaced() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let mut ids = Vec::new();
    for given in ["a b", "<script>", &"x".repeat(65)] {
        let answer = send(service.request(Method::GET, "/elsewhere").header("x-request-id", given)).await;
        answer.problem(404);
        ids.push(answer.header("x-request-id").to_owned());
        assert_eq!(answer.json()["request_id"], *ids.last().unwrap());
        assert_ne!(ids.last().unwrap(), given);
    }
    ids.dedup();
    assert_eq!(ids.len(), 3, "{ids:?}");
    service.wait_for_log(&ids[2]).await;
}

#[tokio::test]
async fn log_requests_option_selects_which_requests_are_logged() {
    for (which, outcomes) in [
        ("none", &[][..]),
        ("errors", &["no-such-path"]),
        ("misses", &["miss", "ok", "no-such-path"]),
        ("all", &["miss", "hit-memory", "ok", "ok", "no-such-path"]),
    ] {
        let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
        let service = dir.serve_with(&["--log-format", "json", "--log-requests", which]).await;
        let url = origin.serves("/a.png", "image/png", png(1));
        service.media(&url).await.is("miss");
        service.media(&url).await.is("hit");
        service.delete(&url).await;
        service.get("/stats").await;
        service.get("/elsewhere").await.problem(404);
        // A request is logged before the service ends.
        service.signal(Signal::TERM);
        service.wait_for_log("\"message\":\"stopped\"").await;
        let lines: Vec<Value> = service.log().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told: Vec<&str> =
            lines.iter().filter(|line| line["message"] == "request").map(|line| line["outcome"].as_str().unwrap()).collect();
        assert_eq!(told, outcomes, "{which}");
    }
}

#[tokio::test]
async fn log_urls_option_selects_how_much_of_a_url_is_logged() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    for (urls, told) in [("path", origin.url("/a.png")), ("full", origin.url("/a.png?token=s3cr3t"))] {
        let service = dir.serve_with(&["--log-format", "json", "--log-urls", urls]).await;
        service.media(&origin.url("/a.png?token=s3cr3t")).await.problem(404);
        let lines = request_lines(&service, "not-found").await;
        assert_eq!(lines[0]["url"], told, "{urls}");
        service.stop().await;
    }
}

#[tokio::test]
async fn startup_log_names_the_version_the_address_and_the_policy() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let words = format!("serving version=\"{}\" address={} policy=\"lru ", env!("CARGO_PKG_VERSION"), service.address());
    service.wait_for_log(&words).await;
}

/// Sends requests of all kinds that may fail, each containing a secret, and some that succeed.
async fn ask_with_secrets(service: &Service, origin: &HttpOrigin, closed: &ClosedPort) {
    let query = format!("?token={SECRET}&sig={SECRET}#{SECRET}");
    for (path, page) in [
        ("/fine", Page::of("image/png", png(1))),
        ("/missing", Page::status(404)),
        ("/broken", Page::status(500)),
        ("/short", Page::of("image/png", png(1)).truncated()),
        ("/coded", Page::of("image/png", png(1)).with_header("content-encoding", "gzip")),
        ("/empty", Page::of("image/png", "")),
        ("/circle", Page::status(302).with_header("location", &format!("/circle?token={SECRET}&sig={SECRET}"))),
        ("/file", Page::status(302).with_header("location", &format!("file:///etc/passwd?{SECRET}"))),
        ("/login", Page::status(302).with_header("location", &format!("http://{SECRET}:{SECRET}@x.invalid/"))),
        ("/away", Page::status(302).with_header("location", &closed.url(&query))),
    ] {
        origin.answers(&format!("{path}?token={SECRET}&sig={SECRET}"), page);
        service.media(&origin.url(&format!("{path}{query}"))).await;
    }
    let address = origin.url("/x");
    let address = address.strip_prefix("http://").unwrap();
    for url in [
        closed.url(&format!("/x{query}")),
        format!("http://x.invalid/{query}"),
        format!("http://{SECRET}:{SECRET}@{address}{query}"),
        format!("ftp://x.invalid/{query}"),
        format!("http://10.0.0.1/{query}"),
        format!("data:text/plain,{SECRET}"),
        format!("no url {SECRET}"),
        format!("http://[{SECRET}]/"),
        format!("mxc://x.invalid/{SECRET}{query}"),
    ] {
        service.media(&url).await;
        service.put(&url, "image/jpeg", jpeg(1)).await;
        service.put(&url, "image/jpeg", "").await;
        service.delete(&url).await;
    }
    // A URL that was not encoded, and other malformed requests.
    for path in [
        format!("/media?url=http://x.invalid/?a=b&{SECRET}&token={SECRET}"),
        format!("/media?url={SECRET}&url={SECRET}"),
        format!("/{SECRET}?{SECRET}"),
        format!("/policy?{SECRET}"),
    ] {
        service.get(&path).await;
    }
    let request = |method: Method, path: &str| {
        let request = service.request(method, path).header("authorization", format!("Bearer {SECRET}"));
        request.header("cookie", SECRET).header("x-request-id", format!("{SECRET}!")).header("user-agent", SECRET)
    };
    let fine = media_path(&origin.url(&format!("/fine?token={SECRET}&sig={SECRET}")));
    send(request(Method::GET, &fine).header("if-match", format!("\"{SECRET}\""))).await;
    send(request(Method::GET, &fine).header("range", SECRET)).await;
    send(request(Method::PUT, &fine).header("content-encoding", SECRET).body("x")).await;
    send(request(Method::PUT, &format!("/policy?name={SECRET}"))).await;
    send(request(Method::from_bytes(SECRET.to_uppercase().as_bytes()).unwrap(), &format!("/media?{SECRET}"))).await;
}

#[tokio::test]
async fn secrets_are_never_logged() {
    for format in ["text", "json"] {
        for urls in ["host", "path"] {
            let (origin, dir, closed) = (HttpOrigin::start().await, ServiceDirectory::create(), ClosedPort::reserve());
            let logging = ["--log-format", format, "--log-requests", "all", "--log-urls", urls];
            let arguments = [&["--listen", "127.0.0.1:0", "--allow-address", "127.0.0.0/8"][..], &logging].concat();
            let variables = [("RUST_LOG", "media_cache=trace")];
            let service = Service::start_in(&dir.path(""), &variables, &arguments).await;
            ask_with_secrets(&service, &origin, &closed).await;
            service.signal(Signal::TERM);
            service.wait_for_log("stopped").await;
            let log = service.log();
            assert!(log.iter().filter(|line| line.contains("outcome")).count() > 40, "{log:?}");
            assert!(log.iter().any(|line| line.contains("downloaded")), "{log:?}");
            for line in log {
                // The path of a Matrix URL is an id, and is logged if paths are logged.
                let line = line.replace(&format!("mxc://x.invalid/{SECRET}"), "");
                assert!(!line.to_lowercase().contains(SECRET), "{line}");
            }
        }
    }
}

#[tokio::test]
async fn client_input_cannot_forge_a_log_line() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let forged = "\n2026-01-01T00:00:00Z  INFO forged: \u{1b}[2J\u{202e}";
    for format in ["text", "json"] {
        let service = dir.serve_with(&["--log-format", format, "--log-urls", "full"]).await;
        service.media(&format!("{}{forged}", origin.url("/a"))).await.problem(400);
        service.media(&format!("nothing{forged}")).await.problem(400);
        service.wait_for_log("invalid-url").await;
        let log = service.log();
        assert!(log.iter().any(|line| line.contains("forged")), "it is logged");
        for line in log {
            // JSON itself escapes line feeds and control characters. It is read by programs, which have to escape the rest.
            let (begins, unseen) = match format {
                "json" => (line.starts_with('{'), &['\u{1b}'][..]),
                _ => (line.starts_with("20") && !line[..40].contains("forged"), &['\u{1b}', '\u{202e}'][..]),
            };
            assert!(begins && !line.contains(unseen), "{line:?}");
        }
        service.stop().await;
    }
}
