//! On SIGHUP, a service reads its configuration, keys and tokens again.

use http::Method;
use media_cache_server::SigningKeys;
use media_cache_test_support::http_client::{ADMIN_TOKEN, media_path, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::{Service, Signal, write_secret};
use media_cache_test_support::soon::eventually;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";
const NEW_TOKEN: &str = "another-token-of-operators";
const KEYS: [&str; 2] = ["correct horse battery staple", "incorrect horse battery staple"];

/// Makes a service reload, and waits for `words` in its log.
async fn reload(service: &Service, words: &str) {
    let count = || service.log().iter().filter(|line| line.contains(words)).count();
    let before = count();
    service.signal(Signal::HUP);
    eventually(|| count() > before).await;
}

const RELOADED: &str = "reloaded the configuration, keys and tokens";
const UNCHANGED: &str = "cannot reload the configuration, so nothing has changed: ";

/// The status of a request for the policy with a token.
async fn with_token(service: &Service, token: &str) -> u16 {
    send(service.anonymous_request(Method::GET, "/policy").bearer_auth(token)).await.status
}

/// The status of a request for media that is not stored, signed with a key.
async fn with_key(service: &Service, key: &str) -> u16 {
    let path = SigningKeys::new([key]).unwrap().sign(NOWHERE, None).unwrap();
    send(service.anonymous_request(Method::GET, &path).header("cache-control", "only-if-cached")).await.status
}

#[tokio::test]
async fn reload_rereads_tokens_and_signing_keys() {
    let dir = ServiceDirectory::create();
    let keys = dir.path("keys");
    write_secret(&keys, KEYS[0]);
    let service = dir.serve_with(&["--signing-key-file", keys.to_str().unwrap()]).await;
    assert_eq!((with_token(&service, ADMIN_TOKEN).await, with_token(&service, NEW_TOKEN).await), (200, 401));
    assert_eq!((with_key(&service, KEYS[0]).await, with_key(&service, KEYS[1]).await), (504, 403));
    write_secret(service.token_file().as_ref(), NEW_TOKEN);
    write_secret(&keys, KEYS[1]);
    reload(&service, RELOADED).await;
    // This also applies to connections that were open before.
    assert_eq!((with_token(&service, ADMIN_TOKEN).await, with_token(&service, NEW_TOKEN).await), (401, 200));
    assert_eq!((with_key(&service, KEYS[0]).await, with_key(&service, KEYS[1]).await), (403, 504));
    service.stop().await;
}

#[tokio::test]
async fn reload_applies_new_tokens_to_the_admin_listener() {
    let dir = ServiceDirectory::create();
    let mut service = dir.serve_with(&["--admin-listen", "127.0.0.1:0"]).await;
    let admin = service.admin_address().await;
    let client = media_cache_test_support::http_client::http_client();
    let status = async |token: &str| send(client.get(format!("http://{admin}/policy")).bearer_auth(token)).await.status;
    assert_eq!((status(ADMIN_TOKEN).await, status(NEW_TOKEN).await), (200, 401));
    write_secret(service.token_file().as_ref(), NEW_TOKEN);
    reload(&service, RELOADED).await;
    assert_eq!((status(ADMIN_TOKEN).await, status(NEW_TOKEN).await), (401, 200));
    service.stop().await;
}

#[tokio::test]
async fn reload_with_an_invalid_file_changes_nothing() {
    let dir = ServiceDirectory::create();
    let keys = dir.path("keys");
    write_secret(&keys, KEYS[0]);
    dir.write("media-cache.toml", b"");
    let config = dir.path("media-cache.toml");
    let arguments = ["--signing-key-file", keys.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let service = dir.serve_with(&arguments).await;
    let token_file = service.token_file().to_owned();
    // The new keys are valid, but are not applied either.
    write_secret(&keys, KEYS[1]);
    for (file, wrong, right, reason) in [
        (&*token_file, "short", ADMIN_TOKEN, "admin-token, line 1, cannot be used"),
        (&*token_file, "", ADMIN_TOKEN, "contains neither a key nor a token"),
        (
            config.to_str().unwrap(),
            "max-size-mb = 0\nlisten = 1",
            "",
            "media-cache.toml:1:1: max-size-mb = 0: it must be at least 1",
        ),
        (config.to_str().unwrap(), "public = true", "", "--public serves everyone, but --signing-key-file requires"),
    ] {
        write_secret(file.as_ref(), wrong);
        reload(&service, UNCHANGED).await;
        let log = service.log();
        let problem = log.iter().rfind(|line| line.contains(UNCHANGED)).unwrap();
        assert!(problem.contains(reason), "{problem}");
        assert_eq!((with_token(&service, ADMIN_TOKEN).await, with_key(&service, KEYS[0]).await), (200, 504));
        write_secret(file.as_ref(), right);
    }
    reload(&service, RELOADED).await;
    assert_eq!((with_token(&service, ADMIN_TOKEN).await, with_key(&service, KEYS[1]).await), (200, 504));
    service.stop().await;
}

#[tokio::test]
async fn reload_applies_reloadable_options_and_reports_the_others() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let urls = ["/a.png", "/b.png"].map(|path| origin.serves(path, "image/png", png(1)));
    let common = "listen = \"127.0.0.1:0\"\ndir = \"cache\"\nadmin-token-file = \"admin-token\"\n";
    let write = |more: &str| dir.write("media-cache.toml", format!("{common}{more}").as_bytes());
    write("allow-address = [\"127.0.0.0/8\"]\nlog-requests = \"none\"\n");
    dir.write("admin-token", ADMIN_TOKEN.as_bytes());
    let service = Service::start_in(&dir.path(""), &[("MEDIA_CACHE_CONFIG", "media-cache.toml")], &[]).await;
    let from_page = async |url: &str| send(service.media_request(Method::GET, url).header("origin", "https://example.org")).await;
    let before = from_page(&urls[0]).await.is("miss");
    assert!(!before.headers.contains_key("access-control-allow-origin"));
    write(
        "log-requests = \"all\"\nallow-origin = [\"https://example.org\"]\nmax-size-mb = 7\npolicy = \"sieve\"\nlog-filter = \"debug\"\n",
    );
    reload(&service, RELOADED).await;
    let log = service.log();
    let reloaded = log.iter().find(|line| line.contains(RELOADED)).unwrap();
    assert!(reloaded.contains("changed=\"allow-origin, allow-address, log-filter, log-requests\""), "{reloaded}");
    service.wait_for_log("these options have changed, but take effect only at the next start: max-size-mb, policy").await;
    // Loopback is no longer allowed, pages may read media, and all requests are logged.
    from_page(&urls[1]).await.problem(403);
    assert_eq!(from_page(&urls[0]).await.is("hit").header("access-control-allow-origin"), "https://example.org");
    service.wait_for_log("outcome=\"hit-memory\"").await;
    assert_eq!(service.stats().await["media_cache"]["max_size_mb"], 500.0);
    // Options that need a restart are reported again, but not those that have taken effect.
    reload(&service, RELOADED).await;
    let log = service.log();
    assert!(!log.iter().rfind(|line| line.contains(RELOADED)).unwrap().contains("changed"), "{log:?}");
    eventually(|| service.log().iter().filter(|line| line.contains("only at the next start: max-size-mb, policy")).count() == 2)
        .await;
    service.stop().await;
}

#[tokio::test]
async fn reload_with_nothing_to_reload_is_harmless() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with_only(&["--listen", "127.0.0.1:0"]).await;
    for _ in 0..3 {
        reload(&service, RELOADED).await;
        assert_eq!(service.get("/healthz").await.status, 200);
        assert_eq!(service.get(&media_path("no URL")).await.status, 400);
    }
    service.stop().await;
}
