//! Where a service listens if its address has a host name, or no host.

use media_cache_test_support::http_client::http_client;
use media_cache_test_support::service_directory::ServiceDirectory;

#[tokio::test]
async fn service_listens_on_localhost_without_a_signing_key() {
    let dir = ServiceDirectory::create();
    let mut service = dir.serve_with_only(&["--listen", "localhost:0", "--admin-listen", "localhost:0"]).await;
    assert!(service.address().ip().is_loopback() && service.admin_address().await.ip().is_loopback());
    assert_eq!(service.get("/healthz").await.status, 200);
    assert_eq!(service.get("/stats").await.status, 200, "the listener is for this machine only");
    service.stop().await;
}

#[tokio::test]
async fn listen_address_without_a_host_means_all_addresses_and_needs_a_key_or_public() {
    let dir = ServiceDirectory::create();
    let said = dir.run(&["serve", "--listen", ":0"]).await.failed();
    assert!(said.contains("--listen :0 is reachable from other machines") && said.contains("--public"), "{said}");
    let said = dir.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", ":0"]).await.failed();
    assert!(said.contains("--admin-listen :0 is reachable from other machines"), "{said}");
    let service = dir.serve_with_only(&["--listen", ":0", "--public"]).await;
    assert!(service.address().ip().is_unspecified());
    let address = format!("http://127.0.0.1:{}/healthz", service.address().port());
    assert_eq!(http_client().get(address).send().await.unwrap().status(), 200);
    service.stop().await;
}

#[tokio::test]
async fn listen_address_that_cannot_be_bound_is_named_in_the_error() {
    let dir = ServiceDirectory::create();
    let said = dir.run(&["serve", "--listen", "nowhere.invalid:8080"]).await.failed();
    assert!(said.contains("cannot listen on nowhere.invalid:8080: there is no host nowhere.invalid"), "{said}");
    let said = dir.run(&["serve", "--listen", "192.0.2.1:8080", "--public"]).await.failed();
    assert!(said.contains("cannot listen on 192.0.2.1:8080: "), "{said}");
    let said = dir.run(&["serve", "--listen", "localhost:1", "--admin-listen", "127.0.0.1:1"]).await.failed();
    assert!(said.contains("are the same address"), "{said}");
}
