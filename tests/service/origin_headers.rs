//! Request headers for origins, as configured by an operator.

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use media_cache_test_support::command::run_in;
use media_cache_test_support::service_directory::ServiceDirectory;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// An origin that reports the headers of its requests. Returns its port.
pub async fn reporting_origin() -> (u16, mpsc::UnboundedReceiver<HeaderMap>) {
    async fn report(State(reports): State<mpsc::UnboundedSender<HeaderMap>>, headers: HeaderMap) -> &'static str {
        reports.send(headers).unwrap();
        "text"
    }
    let (reports, requests) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = Router::new().fallback(report).with_state(reports);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (port, requests)
}

#[tokio::test]
async fn configured_headers_are_sent_to_their_hosts_and_never_logged() {
    let (port, mut requests) = reporting_origin().await;
    let dir = ServiceDirectory::create();
    let chosen = [
        "User-Agent: bot/1 (+https://example.org)",
        "127.0.0.1=Accept: image/avif, image/*;q=0.8",
        "*.localhost=Referer: https://example.org/page",
        "http://127.0.0.1=Authorization: Bearer top-secret",
    ];
    let options: Vec<&str> = chosen.iter().flat_map(|header| ["--origin-header", header]).collect();
    let service = dir.serve_with(&options).await;
    assert_eq!(service.media(&format!("http://127.0.0.1:{port}/a")).await.status, 200);
    let sent = requests.recv().await.unwrap();
    assert_eq!(sent["user-agent"], "bot/1 (+https://example.org)");
    assert_eq!(sent["accept"], "image/avif, image/*;q=0.8");
    assert_eq!(sent["authorization"], "Bearer top-secret");
    assert_eq!(sent.get("referer"), None);
    assert_eq!(service.media(&format!("http://a.localhost:{port}/b")).await.status, 200);
    let sent = requests.recv().await.unwrap();
    assert_eq!(sent["referer"], "https://example.org/page");
    assert_eq!(sent["accept"], "*/*");
    assert_eq!(sent.get("authorization"), None);
    assert!(!service.log().iter().any(|line| line.contains("top-secret")), "{:?}", service.log());
}

#[tokio::test]
async fn config_show_and_errors_hide_values_of_secret_headers() {
    let dir = ServiceDirectory::create();
    let file = "origin-header = [\"User-Agent: bot/1\", \"example.org=Authorization: Bearer top-secret\"]\n";
    dir.write("media-cache.toml", file.as_bytes());
    let show = ["config", "show", "--config", "media-cache.toml"];
    let shown = run_in(&dir.path(""), &[], &show).await.succeeded_text();
    assert!(shown.contains("User-Agent: bot/1") && shown.contains("example.org=authorization: ***"), "{shown}");
    assert!(!shown.contains("top-secret"), "{shown}");

    for (header, visible) in [
        ("example.org=Authorization: Bearer top-secret", "example.org=authorization: ***"),
        ("http://example.org=X-Api-Key: top-secret", "http://example.org=x-api-key: ***"),
        ("X-Foo : top-secret x-foo: y", "x-foo: ***"),
        ("Referer: https://example.org/?top-secret", "Referer: https://example.org/?***"),
        ("Accept: image/png", "Accept: image/png"),
    ] {
        for format in [&[][..], &["--json"]] {
            let show = [&["config", "show", "--origin-header", header], format].concat();
            let shown = run_in(&dir.path(""), &[], &show).await.succeeded_text();
            assert!(shown.contains(visible) && !shown.contains("top-secret"), "{shown}");
        }
    }

    for (header, why) in [
        ("Private-Token: top-secret", "would be sent to the host of any URL"),
        ("X-Foo top-secret=a: b", "is not a host"),
        ("Authorization: top-secret", "would be sent to the host of any URL"),
        ("Host: top-secret", "it is the host of the URL"),
        ("Range: top-secret", "media is always fetched as a whole"),
        ("top-secret", "`NAME: VALUE`"),
    ] {
        dir.write("media-cache.toml", format!("origin-header = [\"{header}\"]\n").as_bytes());
        let refused = run_in(&dir.path(""), &[], &show).await.failed();
        assert!(refused.contains(why) && !refused.contains("top-secret"), "{refused}");
        let refused = run_in(&dir.path(""), &[("MEDIA_CACHE_ORIGIN_HEADER", header)], &["config", "show"]).await.failed();
        assert!(refused.contains(why) && !refused.contains("top-secret"), "{refused}");
        let refused = run_in(&dir.path(""), &[], &["serve", "--origin-header", header]).await.failed_with(2);
        assert!(refused.contains(why) && !refused.contains("top-secret"), "{refused}");
    }
}
