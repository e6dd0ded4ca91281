//! HTTPS: the same responses as without TLS, over HTTP/1.1 and HTTP/2.

use futures::future::{join, join_all};
use http::{Method, Version};
use media_cache_test_support::certificates::{AUTHORITY, FIRST, serve_tls};
use media_cache_test_support::command::run_in;
use media_cache_test_support::http_client::{ADMIN_TOKEN, HttpResponse, https_client, media_path, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::random::noise;
use media_cache_test_support::raw_client::RawClient;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Signal;
use media_cache_test_support::soon::soon;
use media_cache_test_support::tls_client::RawHttp2;
use reqwest::Client;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

/// More than one frame, and more than the window of a stream.
const LARGE: usize = 3 << 20;

fn clients() -> [(Version, Client); 2] {
    [(Version::HTTP_11, https_client().http1_only().build().unwrap()), (Version::HTTP_2, https_client().build().unwrap())]
}

#[tokio::test]
async fn media_has_the_same_responses_over_http_1_and_http_2() {
    let dir = ServiceDirectory::create();
    let service = serve_tls(&dir, FIRST, &[]).await;
    let media = noise(1, LARGE);
    let mut seen = Vec::new();
    for (version, client) in clients() {
        let url = format!("https://{}{}", service.address(), media_path(NOWHERE));
        let request = |method: Method| client.request(method, &url);
        assert_eq!(soon(request(Method::HEAD).send()).await.unwrap().version(), version);
        let put = request(Method::PUT).bearer_auth(ADMIN_TOKEN).header("content-type", "image/png").body(media.clone());
        assert_eq!(send(put).await.status, 201);
        let whole = send(request(Method::GET)).await.is("hit");
        assert!(whole.body == media);
        let etag = whole.header("etag").to_owned();
        let head = send(request(Method::HEAD)).await.is("hit");
        assert_eq!((head.header("content-length"), head.body.len()), (&*LARGE.to_string(), 0));
        let range = send(request(Method::GET).header("range", "bytes=100000-2999999")).await;
        assert_eq!((range.status, range.header("content-range")), (206, &*format!("bytes 100000-2999999/{LARGE}")));
        assert!(range.body == media[100_000..3_000_000]);
        let unchanged = send(request(Method::GET).header("if-none-match", etag)).await;
        assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
        let refused = send(request(Method::PUT).body("media")).await;
        assert_eq!((refused.problem(401).is_empty(), refused.code()), (false, "no-token".into()));
        assert_eq!(send(request(Method::DELETE).bearer_auth(ADMIN_TOKEN)).await.status, 204);
        seen.push([whole, head, range, unchanged, refused].map(names));
    }
    assert_eq!(seen[0], seen[1]);
    service.stop().await;
}

/// The names of the headers of a response, sorted.
fn names(response: HttpResponse) -> Vec<String> {
    let mut names: Vec<_> = response.headers.keys().map(ToString::to_string).filter(|name| name != "connection").collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_hundred_streams_of_a_connection_are_served_at_the_same_time() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let [first, second] = [1, 2].map(|number| origin.serves(&format!("/{number}.png"), "image/png", noise(number, 50_000)));
    let latches = [1, 2].map(|number| origin.hold(&format!("/{number}.png")));
    let service = serve_tls(&dir, FIRST, &[]).await;
    assert_eq!(service.get("/healthz").await.status, 200);
    let responses = join(join_all((0..50).map(|_| service.media(&first))), join_all((0..50).map(|_| service.media(&second))));
    let release = async {
        join_all(latches.iter().map(|latch| latch.reached())).await;
        latches.iter().for_each(|latch| latch.open());
    };
    let ((first, second), ()) = join(responses, release).await;
    assert!(first.iter().all(|response| response.status == 200 && response.body == noise(1, 50_000)));
    assert!(second.iter().all(|response| response.status == 200 && response.body == noise(2, 50_000)));
    let metrics = service.get("/metrics").await;
    let accepted = String::from_utf8_lossy(&metrics.body).contains("media_cache_connections_accepted_total 1\n");
    assert!(accepted, "all requests share a connection");
    service.stop().await;
}

#[tokio::test]
async fn request_without_tls_is_told_to_use_https() {
    let dir = ServiceDirectory::create();
    let service = serve_tls(&dir, FIRST, &[]).await;
    let mut client = RawClient::connect(&service).await;
    client.send_get("/healthz").await;
    let said = client.read_to_end().await;
    assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("\"code\":\"not-encrypted\""), "{said}");
    assert!(said.contains("use https://"), "{said}");
}

#[tokio::test]
async fn shutdown_finishes_a_stream_in_progress_and_accepts_no_others() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let latch = origin.hold("/picture.png");
    let service = serve_tls(&dir, FIRST, &[]).await;
    let mut client = RawHttp2::connect(&service).await;
    let response = client.media(&url);
    soon(latch.reached()).await;
    service.signal(Signal::TERM);
    service.wait_for_log("finishing requests in progress").await;
    soon(async {
        while client.requests.clone().ready().await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    latch.open();
    let mut response = soon(response).await.unwrap();
    let mut body = Vec::new();
    while let Some(piece) = soon(response.body_mut().data()).await {
        body.extend(piece.unwrap());
    }
    assert_eq!((response.status().as_u16(), body), (200, png(1)));
    drop(response);
    let _ = soon(client.connection).await.unwrap();
    assert_eq!(service.wait().await.code(), Some(0));
}

#[tokio::test]
async fn shutdown_does_not_wait_for_idle_connections() {
    let dir = ServiceDirectory::create();
    let service = serve_tls(&dir, FIRST, &["--grace-seconds", "3600"]).await;
    let mut idle = RawHttp2::connect(&service).await;
    assert_eq!(soon(idle.get("/healthz")).await.unwrap().status(), 200);
    service.stop().await;
}

#[tokio::test]
async fn admin_listener_has_tls_only_if_told_so() {
    for (arguments, scheme) in
        [(&["--admin-listen", "127.0.0.1:0"][..], "http"), (&["--admin-listen", "127.0.0.1:0", "--admin-tls"], "https")]
    {
        let dir = ServiceDirectory::create();
        let [certificate, key] = ["certificate", "key"].map(|name| dir.path(name));
        FIRST.write(&certificate, &key);
        let files = ["--listen", "127.0.0.1:0", "--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
        let mut service = dir.serve_with_only(&[&files, arguments].concat()).await;
        let admin = format!("{scheme}://{}", service.admin_address().await);
        let refused = service.get("/policies").await;
        assert!(refused.problem(403).contains(&admin), "{refused:?}");
        for (_, client) in clients() {
            let request = |origin: &str| client.get(format!("{admin}/policy")).header("origin", origin);
            // The dashboard's requests come from the same origin, which HTTP/2 names differently.
            assert_eq!(send(request(&admin)).await.status, 200);
            assert_eq!(send(request("https://evil.example")).await.code(), "from-a-web-page");
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn commands_trust_the_authorities_in_ssl_cert_file() {
    let dir = ServiceDirectory::create();
    let service = serve_tls(&dir, FIRST, &[]).await;
    let authority = dir.write("authority.pem", AUTHORITY.as_bytes());
    let server = format!("https://localhost:{}", service.address().port());
    let arguments = ["policy", "show", "--server", &server, "--token-file", service.token_file()];
    let shown = run_in(&dir.path(""), &[("SSL_CERT_FILE", authority.to_str().unwrap())], &arguments).await.succeeded_text();
    assert!(shown.contains("lru"), "{shown}");
    let refused = run_in(&dir.path(""), &[], &arguments).await.failed();
    assert!(refused.contains("UnknownIssuer"), "{refused}");
}
