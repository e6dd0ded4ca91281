//! Requests that must be signed.

use std::path::Path;
use std::process::Stdio;

use http::Method;
use media_cache_test_support::command::run;
use media_cache_test_support::http_client::{ADMIN_TOKEN, HttpResponse, media_path, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::{Service, write_secret};
use media_cache_test_support::soon::soon;

const DOCUMENT: &str = include_str!("../../docs/security.md");

const KEY: &str = "correct horse battery staple";

/// The HMAC-SHA-256, with this key, of `media-cache-v1`, `1900000000` and `https://example.com/ä?x=1&y=%20#z`, as computed by Python's
/// `hmac`.
const SIGNED: &str = "09f9e253989d66751041714df4de40bffe52e687731e2eb7ac84a80c594f166c";

/// A file with keys.
fn keys(dir: &ServiceDirectory, name: &str, keys: &str) -> String {
    let file = dir.path(name);
    write_secret(&file, keys);
    file.to_str().unwrap().to_owned()
}

/// The output of `media-cache sign`.
async fn sign(file: &str, url: &str, more: &[&str]) -> String {
    let said = run(&[&["sign", url, "--signing-key-file", file], more].concat()).await.succeeded_text();
    said.strip_suffix('\n').unwrap().to_owned()
}

async fn get(service: &Service, path: &str) -> HttpResponse {
    send(service.anonymous_request(Method::GET, path)).await
}

#[tokio::test]
async fn only_requests_with_a_valid_signature_are_served_or_fetched() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/a.png?x=1&y=2", "image/png", png(1));
    let other = origin.serves("/b.png", "image/png", png(2));
    let key = keys(&dir, "key", KEY);
    let trace = dir.path("trace.csv");
    let service = dir.serve_with(&["--signing-key-file", &key, "--record-trace", trace.to_str().unwrap()]).await;
    let good = sign(&key, &url, &[]).await;
    let lasting = sign(&key, &url, &["--expires-in", "1h"]).await;
    let over = sign(&key, &url, &["--expires-at", "1700000000"]).await;
    let signature = good.split_once("&signature=").unwrap().1.to_owned();
    let stranger = sign(&keys(&dir, "stranger", "another key than the service has"), &url, &[]).await;
    let wrong = |path: String| (path, "wrong-signature");
    for (path, code) in [
        (media_path(&url), "unsigned"),
        (format!("{}&signature=", media_path(&url)), "malformed-signature"),
        (format!("{}&signature={}", media_path(&url), &signature[1..]), "malformed-signature"),
        (format!("{good}&expires=tomorrow"), "malformed-signature"),
        (over, "expired"),
        wrong(stranger),
        wrong(format!("{}&signature={signature}", media_path(&other))),
        wrong(format!("{good}&expires=9999999999")),
        wrong(lasting.replace("expires=", "expires=1")),
        wrong(media_path(&url) + &lasting[lasting.find("&signature=").unwrap()..]),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer = send(service.anonymous_request(method.clone(), &path)).await;
            assert_eq!((answer.status, answer.header("content-type")), (403, "application/problem+json"), "{method} {path}");
            if method == Method::GET {
                answer.problem(403);
                assert_eq!(answer.code(), code, "{path}");
            }
        }
    }
    assert_eq!(get(&service, "/media").await.code(), "bad-request");
    assert_eq!((origin.total_requests(), dir.disk_usage()), (0, 0));
    assert_eq!(service.stats().await["media_cache"]["misses"], 0);

    let got = get(&service, &good).await.is("miss");
    assert_eq!((&got.body[..], got.header("cache-control")), (&png(1)[..], "public, max-age=86400"));
    let got = get(&service, &lasting).await.is("hit");
    let seconds: u64 = got.header("cache-control").strip_prefix("public, max-age=").unwrap().parse().unwrap();
    assert!((3000..=3600).contains(&seconds), "no cache keeps it after the signature expires: {seconds}");
    send(service.anonymous_request(Method::HEAD, &good)).await.is("hit");
    assert_eq!(origin.total_requests(), 1);
    service.stop().await;
    assert_eq!(std::fs::read_to_string(trace).unwrap().lines().count(), 3);
}

#[tokio::test]
async fn signing_keys_rotate_without_rejecting_valid_signatures() {
    let dir = ServiceDirectory::create();
    let (old, new) = (keys(&dir, "old", KEY), keys(&dir, "new", "# since May\nanother key, for the time to come"));
    let url = "https://nowhere.invalid/a.png";
    let (by_old, by_new) = (sign(&old, url, &[]).await, sign(&new, url, &[]).await);
    let both = format!("{new},{old}");
    assert_eq!(sign(&both, url, &[]).await, by_new, "the first key signs");
    for (files, old_is_good, new_is_good) in [(&old, true, false), (&both, true, true), (&new, false, true)] {
        let service = dir.serve_with(&["--signing-key-file", files]).await;
        let put = service.put(url, "image/png", png(1)).await;
        assert!([200, 201].contains(&put.status), "{}", put.text());
        for (path, good) in [(&by_old, old_is_good), (&by_new, new_is_good)] {
            let answer = get(&service, path).await;
            assert_eq!(answer.status, if good { 200 } else { 403 }, "{files}: {}", answer.text());
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn admin_token_replaces_a_signature_but_a_signature_authorizes_no_writes() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/a.png", "image/png", png(1));
    let key = keys(&dir, "key", KEY);
    let service = dir.serve_with(&["--signing-key-file", &key]).await;
    let answer = send(service.media_request(Method::GET, &url).bearer_auth(ADMIN_TOKEN)).await.is("miss");
    assert_eq!(answer.header("cache-control"), "private, no-store", "media that a token gave access to is not cached for others");
    let signed = sign(&key, &url, &[]).await;
    for method in [Method::PUT, Method::DELETE] {
        let answer = send(service.anonymous_request(method, &signed).body(png(2))).await;
        answer.problem(401);
    }
    assert_eq!(get(&service, &signed).await.is("hit").body, png(1));
}

#[tokio::test]
async fn service_without_keys_accepts_signed_requests() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/a.png", "image/png", png(1));
    let key = keys(&dir, "key", KEY);
    let service = dir.serve().await;
    get(&service, &sign(&key, &url, &["--expires-in", "1h"]).await).await.is("miss");
    // This is not a signature, but most likely a part of a URL that was not encoded.
    assert_eq!(get(&service, &format!("/media?url={url}?a&signature=abc")).await.code(), "malformed-signature");
}

#[tokio::test]
async fn sign_command_signs_the_url_exactly_as_given() {
    let dir = ServiceDirectory::create();
    let key = keys(&dir, "key", KEY);
    let url = "https://example.com/ä?x=1&y=%20#z";
    let path =
        format!("/media?url=https%3A%2F%2Fexample.com%2F%C3%A4%3Fx%3D1%26y%3D%2520%23z&expires=1900000000&signature={SIGNED}");
    assert_eq!(sign(&key, url, &["--expires-at", "1900000000"]).await, path);
    for base in ["https://media.example.com", "https://media.example.com/"] {
        let whole = sign(&key, url, &["--expires-at", "1900000000", "--base", base]).await;
        assert_eq!(whole, format!("https://media.example.com{path}"));
    }
    for wrong in [&["--expires-in", "1h", "--expires-at", "1"][..], &["--expires-in", "soon"], &["--expires-at", "-1"]] {
        let refused = run(&[&["sign", url, "--signing-key-file", &key], wrong].concat()).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
    }
    assert_eq!(run(&["sign", url]).await.code, Some(2), "there is no key");
}

#[tokio::test]
async fn sign_command_refuses_urls_that_the_service_refuses() {
    let dir = ServiceDirectory::create();
    let key = keys(&dir, "key", KEY);
    let service = dir.serve_with_only(&["--listen", "127.0.0.1:0", "--public", "--allow-address", "0.0.0.0/0"]).await;
    let long = format!("https://example.invalid/{}", "a".repeat(8192));
    for (url, why) in [
        ("example.invalid/a.png", "no scheme"),
        ("https://", "empty host"),
        ("ftp://example.invalid/a.png", "only http and https are supported"),
        ("javascript:alert(1)", "only http and https are supported"),
        ("https://me:secret@example.invalid/", "credentials"),
        ("https://example.invalid/a b", "percent-encode it"),
        ("https://example.invalid/\u{9b}", "percent-encode it"),
        ("https://exa%00mple.invalid/", "invalid"),
        ("https://exa^mple.invalid/", "invalid"),
        ("https://example.invalid\\@example.org/", "backslash"),
        ("mxc://example.invalid", "mxc://server/id"),
        (&long, "8192"),
    ] {
        service.media(url).await.problem(400);
        let said = run(&["sign", url, "--signing-key-file", &key]).await.failed();
        assert!(said.contains("is not a URL that a service would fetch: ") && said.contains(why), "{said}");
        assert!(!said.contains("secret") && said.len() < 1000, "{said}");
    }
    let said = run(&["sign", "https://example.com/0123456789", "--signing-key-file", &key, "--max-url-bytes", "64"]).await;
    assert!(said.succeeded_text().starts_with("/media?"));
    let long = format!("https://example.com/{}", "a".repeat(64));
    let said = run(&["sign", &long, "--signing-key-file", &key, "--max-url-bytes", "64"]).await.failed();
    assert!(said.contains("more than the limit of 64"), "{said}");
    service.stop().await;
}

/// The shell code in the documentation, with another key, URL and time.
#[tokio::test]
async fn documented_shell_script_computes_the_same_signature() {
    let (_, section) = DOCUMENT.split_once("## Signed requests").unwrap();
    let (_, block) = section.split_once("```sh\nkey=").unwrap();
    let script = block.split_once("```").unwrap().0.split_once('\n').unwrap().1;
    let script = script.replace("url=https://example.com/a.png\n", "").replace("expires=1900000000\n", "");
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-euc", &script]).current_dir(Path::new("/")).stdin(Stdio::null()).kill_on_drop(true);
    shell.env("key", KEY).env("url", "https://example.com/ä?x=1&y=%20#z").env("expires", "1900000000");
    let output = soon(shell.output()).await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.trim(), SIGNED);
    assert!(section.contains("b51649c6341608cefe75890a5938119c2cb07137851386428eb3c44bf28f15ca"), "the test vector");
}
