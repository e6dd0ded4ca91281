//! The other paths of media: those with the digest of the cache key, and links made for camo.

use std::collections::BTreeSet;

use http::Method;
use media_cache_server::SigningKeys;
use media_cache_test_support::command::run;
use media_cache_test_support::http_client::{ADMIN_TOKEN, HttpResponse, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::raw_client::RawClient;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::{Service, Signal, write_secret};
use media_cache_test_support::sha256::sha256;
use media_cache_test_support::soon::eventually;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

const KEY: &str = "correct horse battery staple";

/// A key of camo's documentation.
const CAMO_KEY: &str = "0x24FEEDFACEDEADBEEFCAFE";

/// The media of a link. It is stored in advance, since the links below were made for it.
const LINKED: &str = "http://example.org/octo%20cat.png?a=b&c=%20ä";

/// Links to that URL, made with [`CAMO_KEY`] in Python: `hmac.new(key, url, "sha1")`, and `hex()` or `base64.urlsafe_b64encode`.
const LINKS: [&str; 3] = [
    "/b40793fde31cc88840b9ab0c1b987e4c3ad1850f/687474703a2f2f6578616d706c652e6f72672f6f63746f2532306361742e706e673f613d6226633d253230c3a4",
    "/b40793fde31cc88840b9ab0c1b987e4c3ad1850f?url=http%3A%2F%2Fexample.org%2Focto%2520cat.png%3Fa%3Db%26c%3D%2520%C3%A4",
    "/tAeT_eMcyIhAuasMG5h-TDrRhQ8/aHR0cDovL2V4YW1wbGUub3JnL29jdG8lMjBjYXQucG5nP2E9YiZjPSUyMMOk",
];

fn key_file(dir: &ServiceDirectory, key: &str) -> String {
    let file = dir.path("key");
    write_secret(&file, key);
    file.to_str().unwrap().to_owned()
}

/// The path of a request that is not signed. `key` is the cache key.
fn unsigned(url: &str, key: &str) -> String {
    format!("/media/unsigned/{}/{}", sha256(key.as_bytes()), utf8_percent_encode(url, NON_ALPHANUMERIC))
}

async fn get(service: &Service, path: &str) -> HttpResponse {
    send(service.anonymous_request(Method::GET, path)).await
}

#[tokio::test]
async fn path_with_the_digest_returns_the_media_of_its_url() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let url = origin.serves("/a%2Fb//c.png?x=1&y=%20", "image/png", png(1));
    let path = unsigned(&url, &url);
    get(&service, &path).await.is("miss");
    assert_eq!(get(&service, &path).await.is("hit").body, png(1));
    send(service.anonymous_request(Method::HEAD, &path)).await.is("hit");
    assert_eq!(service.media(&url).await.is("hit").body, png(1), "it is the same entry");
    let partial = send(service.anonymous_request(Method::GET, &path).header("range", "bytes=0-3")).await;
    assert_eq!((partial.status, &partial.body[..]), (206, &png(1)[..4]));
    assert_eq!(origin.total_requests(), 1);
    for method in [Method::PUT, Method::DELETE, Method::POST] {
        let answer = send(service.request(method, &path).body(png(2))).await;
        answer.problem(405);
        assert_eq!(answer.header("allow"), "GET,HEAD");
    }
    // Nothing on the way may change the URL, which need not be encoded.
    let mut client = RawClient::connect(&service).await;
    let plain = format!("/media/unsigned/{}/{}", sha256(url.as_bytes()), url.replace('?', "%3F").replace("%2", "%252"));
    client.send(format!("GET {plain} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
    let answered = client.read_to_end().await;
    assert!(answered.contains("x-cache: hit"), "{answered}");
}

#[tokio::test]
async fn wrong_digest_is_refused_and_the_problem_contains_the_right_one() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--key-rules", "127.0.0.1:sig"]).await;
    let url = origin.serves("/a.png?sig=1&x=2", "image/png", png(1));
    let key = origin.url("/a.png?x=2");
    for attempt in ["miss", "hit"] {
        // Once the media is stored, the hit lane sees the request first.
        let refused = get(&service, &unsigned(&url, &url)).await;
        let expected = sha256(key.as_bytes());
        assert!(refused.problem(400).contains(&expected), "{}", refused.text());
        assert_eq!((refused.code(), &refused.json()["digest"]), ("wrong-digest".into(), &expected.into()));
        get(&service, &unsigned(&url, &key)).await.is(attempt);
    }
    get(&service, &unsigned(&origin.url("/a.png?x=2&sig=other"), &key)).await.is("hit");
    assert_eq!(origin.total_requests(), 1);
}

#[tokio::test]
async fn sign_command_prints_the_path_with_the_digest() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let file = key_file(&dir, KEY);
    let service = dir.serve_with(&["--key-rules", "127.0.0.1:sig", "--signing-key-file", &file]).await;
    let url = origin.serves("/a.png?sig=1", "image/png", png(1));
    let sign = async |more: &[&str]| {
        let sign = ["sign", &url, "--signing-key-file", &file, "--digest"];
        run(&[&sign, more].concat()).await.succeeded_text().trim_end().to_owned()
    };
    let rules = ["--key-rules", "127.0.0.1:sig"];
    let signed = sign(&rules).await;
    assert!(signed.starts_with("/media/") && signed.contains(&sha256(origin.url("/a.png").as_bytes())), "{signed}");
    get(&service, &signed).await.is("miss");
    let lasting = sign(&[&rules[..], &["--expires-in", "1h"]].concat()).await;
    assert!(get(&service, &lasting).await.is("hit").header("cache-control").starts_with("public, max-age=3"));
    let expired = sign(&[&rules[..], &["--expires-at", "1700000000"]].concat()).await;
    for (path, status, code) in [
        (sign(&[]).await, 400, "wrong-digest"),
        (expired, 403, "expired"),
        (lasting.replace("expires=", "expires=1"), 403, "wrong-signature"),
        (unsigned(&url, &origin.url("/a.png")), 403, "unsigned"),
        (signed.replace("/media/", "/media/0"), 403, "malformed-signature"),
        (format!("{signed}x"), 403, "wrong-signature"),
    ] {
        let refused = get(&service, &path).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{path}");
    }
    let keys = SigningKeys::new([KEY]).unwrap();
    assert_eq!(origin.total_requests(), 1);
    // A wrong digest is reported only to those who may request the media.
    let strange = keys.sign_with_digest(&url, &[7; 32], Some(1)).unwrap();
    assert_eq!(get(&service, &strange).await.code(), "expired");
}

#[tokio::test]
async fn links_made_for_camo_are_served_like_signed_requests() {
    let dir = ServiceDirectory::create();
    let file = key_file(&dir, CAMO_KEY);
    let service = dir.serve_with(&["--camo-key-file", &file, "--allow-origin", "*"]).await;
    assert_eq!(service.put(LINKED, "image/png", png(1)).await.status, 201);
    for link in LINKS {
        let answer = get(&service, link).await.is("hit");
        assert_eq!((&answer.body[..], answer.header("cache-control")), (&png(1)[..], "public, max-age=86400"), "{link}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{link}");
        send(service.anonymous_request(Method::HEAD, link)).await.is("hit");
        let wrong = get(&service, &link.replacen(['b', 't'], "c", 1)).await;
        assert_eq!((wrong.status, wrong.code().as_str()), (403, "wrong-signature"), "{link}");
    }
    assert_eq!(get(&service, "/media?url=http%3A%2F%2Fexample.org%2F").await.code(), "unsigned");
    // The same rules apply as to all requests.
    let script = send(service.anonymous_request(Method::GET, LINKS[0]).header("sec-fetch-dest", "script")).await;
    assert_eq!(script.code(), "active-destination");
    service.stop().await;
    let service = dir.serve().await;
    for link in LINKS {
        assert_eq!(get(&service, link).await.code(), "no-such-path", "{link}");
        assert_eq!(send(service.request(Method::GET, link).bearer_auth(ADMIN_TOKEN)).await.status, 404, "{link}");
    }
}

#[tokio::test]
async fn log_contains_the_url_in_a_path_but_not_the_path() {
    let dir = ServiceDirectory::create();
    let file = key_file(&dir, CAMO_KEY);
    let logging = ["--log-format", "json", "--log-requests", "all", "--log-urls", "full"];
    let service = dir.serve_with(&[&["--camo-key-file", &file], &logging[..]].concat()).await;
    assert_eq!(service.put(LINKED, "image/png", png(1)).await.status, 201);
    get(&service, LINKS[0]).await.is("hit");
    get(&service, &unsigned(LINKED, LINKED)).await.problem(403);
    service.wait_for_log("\"outcome\":\"unsigned\"").await;
    let log = service.log();
    let lines: Vec<_> = log.iter().filter(|line| line.contains("\"message\":\"request\"")).collect();
    assert_eq!(lines.len(), 3, "{log:?}");
    let urls: BTreeSet<_> = lines.iter().map(|line| line.split_once("\"url\":").unwrap().1.split('"').nth(1).unwrap()).collect();
    assert_eq!(urls, [LINKED].into(), "{log:?}");
    assert!(lines.iter().all(|line| line.contains("\"route\":\"/media\"") && !line.contains(&LINKS[0][1..41])), "{log:?}");
}

#[tokio::test]
async fn camo_and_signing_keys_are_valid_at_the_same_time_and_are_reloaded() {
    let dir = ServiceDirectory::create();
    let file = key_file(&dir, "an older key of camo");
    let signing = dir.path("signing");
    write_secret(&signing, KEY);
    let service = dir.serve_with(&["--camo-key-file", &file, "--signing-key-file", signing.to_str().unwrap()]).await;
    let url = LINKED;
    assert_eq!(service.put(url, "image/png", png(1)).await.status, 201);
    get(&service, &SigningKeys::new([KEY]).unwrap().sign(url, None).unwrap()).await.is("hit");
    assert_eq!(get(&service, LINKS[0]).await.code(), "wrong-signature");
    write_secret(file.as_ref(), &format!("an older key of camo\n{CAMO_KEY}\n"));
    service.signal(Signal::HUP);
    eventually(|| service.log().iter().any(|line| line.contains("reloaded the configuration"))).await;
    get(&service, LINKS[0]).await.is("hit");
}
