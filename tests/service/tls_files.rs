//! The files with the certificate of the service and its key: what is wrong with them, and how they are replaced.

use std::os::unix::fs::PermissionsExt;

use http::Method;
use media_cache_test_support::certificates::{EXPIRED, FIRST, Identity, SECOND, serve_tls};
use media_cache_test_support::command::CommandOutput;
use media_cache_test_support::http_client::{ADMIN_TOKEN, http_client, send};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Signal;
use media_cache_test_support::soon::soon;
use media_cache_test_support::tls_client::{RawHttp2, certificate, presented};

/// Starts a service that is expected to fail, with these files.
async fn fail(certificate: &str, key: &str) -> String {
    let dir = ServiceDirectory::create();
    dir.write("certificate.pem", certificate.as_bytes());
    dir.write("key.pem", key.as_bytes());
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| dir.path(name).to_str().unwrap().to_owned());
    let output: CommandOutput = dir.run(&["serve", "--listen", "127.0.0.1:0", "--tls-cert", &certificate, "--tls-key", &key]).await;
    output.failed()
}

#[tokio::test]
async fn unusable_files_are_named_with_the_reason() {
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let damaged = FIRST.certificate.replacen("MII", "MIJ", 1);
    let (junk, cut) = (
        format!("{}-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n", FIRST.certificate),
        &FIRST.certificate[..200],
    );
    let kind = "key.pem cannot be used for --tls-key: it must be RSA with 2048 to 4096 bits, ";
    for (certificate, key, expected) in [
        (FIRST.certificate, SECOND.key, "does not belong to the certificate in"),
        (FIRST.certificate, encrypted, "key.pem cannot be used for --tls-key: it is encrypted; `openssl pkey "),
        (FIRST.certificate, FIRST.certificate, "key.pem cannot be used for --tls-key: it contains no private key in PEM"),
        (FIRST.certificate, &FIRST.key[..100], "key.pem cannot be used for --tls-key: it is cut short"),
        (FIRST.certificate, "-----BEGIN PRIVATE KEY-----\naGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8=\n-----END PRIVATE KEY-----\n", kind),
        (FIRST.key, FIRST.key, "certificate.pem cannot be used for --tls-cert: it contains no certificate in PEM"),
        ("", FIRST.key, "certificate.pem cannot be used for --tls-cert: it contains no certificate in PEM"),
        (&damaged, FIRST.key, "certificate.pem cannot be used for --tls-cert: certificate 1 in it is not valid"),
        (&junk, FIRST.key, "certificate.pem cannot be used for --tls-cert: certificate 2 in it is not valid"),
        (cut, FIRST.key, "certificate.pem cannot be used for --tls-cert: it is cut short"),
    ] {
        let said = fail(certificate, key).await;
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(!said.contains(&key[30..60]), "the key is secret: {said}");
    }
}

#[tokio::test]
async fn missing_file_is_an_error() {
    let dir = ServiceDirectory::create();
    let certificate = dir.write("certificate.pem", FIRST.certificate.as_bytes());
    let certificate = certificate.to_str().unwrap();
    let said = dir.run(&["serve", "--tls-cert", certificate, "--tls-key", "/nowhere/key.pem"]).await.failed();
    assert!(said.contains("cannot read /nowhere/key.pem: "), "{said}");
    let said = dir.run(&["serve", "--tls-cert", certificate]).await.failed_with(2);
    assert!(said.contains("--tls-key"), "{said}");
}

#[tokio::test]
async fn expired_certificate_and_key_that_others_can_read_are_reported() {
    let dir = ServiceDirectory::create();
    let mut service = serve_tls(&dir, FIRST, &["--admin-listen", "127.0.0.1:0"]).await;
    service.wait_for_log("certificate.pem is valid until Mon, 01 Jan 2120 00:00:00 GMT").await;
    EXPIRED.write(&dir.path("certificate.pem"), &dir.path("key.pem"));
    std::fs::set_permissions(dir.path("key.pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
    service.signal(Signal::HUP);
    service.wait_for_log("certificate.pem expired on Fri, 01 Jan 2021 00:00:00 GMT, so clients refuse it").await;
    service.wait_for_log("key.pem is readable by users other than its owner (mode 644)").await;
    service.wait_for_log("reloaded the configuration, keys and tokens").await;
    // Not over HTTPS, which clients refuse now.
    let request = http_client().get(format!("http://{}/metrics", service.admin_address().await));
    let metrics = send(request.bearer_auth(ADMIN_TOKEN)).await;
    let expiry = "media_cache_tls_certificate_expiry_seconds 1609459200.0\n";
    assert!(String::from_utf8_lossy(&metrics.body).contains(expiry), "{metrics:?}");
    service.stop().await;
}

#[tokio::test]
async fn reload_replaces_the_certificate_for_new_connections() {
    let dir = ServiceDirectory::create();
    let service = serve_tls(&dir, FIRST, &[]).await;
    let write = |identity: Identity| identity.write(&dir.path("certificate.pem"), &dir.path("key.pem"));
    let mut open = RawHttp2::connect(&service).await;
    assert_eq!(soon(open.get("/healthz")).await.unwrap().status(), 200);
    assert_eq!(presented(&service).await, certificate(FIRST.certificate));
    write(SECOND);
    assert_eq!(presented(&service).await, certificate(FIRST.certificate), "files are read when the service reloads");
    service.signal(Signal::HUP);
    service.wait_for_log("reloaded the configuration, keys and tokens").await;
    assert_eq!(presented(&service).await, certificate(SECOND.certificate));
    assert_eq!(soon(open.get("/healthz")).await.unwrap().status(), 200);

    write(Identity { key: FIRST.key, ..SECOND });
    service.signal(Signal::HUP);
    service.wait_for_log("cannot reload the configuration, so nothing has changed: the key in ").await;
    assert_eq!(presented(&service).await, certificate(SECOND.certificate));
    assert_eq!(service.request(Method::GET, "/healthz").send().await.unwrap().status(), 200);
    service.stop().await;
}

#[tokio::test]
async fn reload_cannot_turn_tls_off() {
    let dir = ServiceDirectory::create();
    let [cert, key] = ["certificate.pem", "key.pem"].map(|name| dir.path(name));
    FIRST.write(&cert, &key);
    let options = format!("tls-cert = {:?}\ntls-key = {:?}\n", cert.to_str().unwrap(), key.to_str().unwrap());
    let config = dir.write("media-cache.toml", options.as_bytes());
    let service = dir.serve_with(&["--config", config.to_str().unwrap()]).await;
    dir.write("media-cache.toml", b"");
    service.signal(Signal::HUP);
    service.wait_for_log("nothing has changed: --tls-cert and --tls-key cannot be added or removed without a restart").await;
    assert_eq!(presented(&service).await, certificate(FIRST.certificate));
    service.stop().await;
}
