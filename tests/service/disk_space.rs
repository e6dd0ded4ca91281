//! Where large bodies are written while they arrive, and the options for disk space.

use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::random::noise;
use media_cache_test_support::raw_client::RawClient;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::soon::{eventually, soon};

const MIB: usize = 1 << 20;

const URL: &str = "https://nowhere.invalid/video.mp4";

async fn other_disk_bytes(service: &Service) -> u64 {
    service.stats().await["media_cache"]["other_disk_bytes"].as_u64().unwrap()
}

/// Starts a PUT of 6 MiB, and sends 5 of them.
async fn begin_put(service: &Service) -> RawClient {
    let mut client = RawClient::connect(service).await;
    client.send_put_head(URL, &format!("Content-Length: {}", 6 * MIB)).await;
    client.send(noise(1, 5 * MIB)).await;
    client
}

#[tokio::test]
async fn large_body_counts_against_the_budget_as_soon_as_its_content_length_is_known() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--max-size-mb", "100"]).await;
    let mut client = begin_put(&service).await;
    soon(async { while other_disk_bytes(&service).await < 6 * MIB as u64 {} }).await;
    assert_eq!(service.stats().await["media_cache"]["disk_bytes"], 0);
    client.send(noise(2, MIB)).await;
    assert!(client.read_response().await.starts_with("HTTP/1.1 201"));
    let (stored, expected) = (std::fs::read(dir.media_file(URL)).unwrap(), [noise(1, 5 * MIB), noise(2, MIB)].concat());
    assert!(stored == expected, "the stored bytes differ");
    assert!(other_disk_bytes(&service).await < MIB as u64);
}

#[tokio::test]
async fn interrupted_upload_releases_its_disk_space() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--max-size-mb", "100"]).await;
    let client = begin_put(&service).await;
    soon(async { while other_disk_bytes(&service).await < 6 * MIB as u64 {} }).await;
    drop(client);
    soon(async { while other_disk_bytes(&service).await >= MIB as u64 {} }).await;
    assert!(!dir.holds(URL));
}

#[tokio::test]
async fn bodies_beyond_the_spool_allowance_are_still_stored() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--max-size-mb", "64", "--reserved-mb", "4"]).await;
    let video = noise(3, 5 * MIB);
    let url = origin.serves("/video.mp4", "video/mp4", video.clone());
    let mut client = begin_put(&service).await;
    soon(async { while service.unnamed_files() == 0 {} }).await;
    assert!(other_disk_bytes(&service).await < MIB as u64, "the body is not in the directory");
    assert!(service.media(&url).await.is("miss").body == video);
    client.send(noise(2, MIB)).await;
    assert!(client.read_response().await.starts_with("HTTP/1.1 201"));
    assert!(service.media(&url).await.is("hit").body == video);
    assert!(dir.holds(URL) && dir.holds(&url));
}

#[tokio::test]
async fn separate_spool_directory_does_not_count_against_the_budget() {
    let dir = ServiceDirectory::create();
    let spool = dir.path("spool");
    let service = dir.serve_with(&["--max-size-mb", "100", "--spool-dir", spool.to_str().unwrap()]).await;
    let mut client = begin_put(&service).await;
    // The service may have other unnamed files before the body arrives.
    eventually(|| spool.is_dir() && service.unnamed_files() > 0).await;
    assert!(other_disk_bytes(&service).await < MIB as u64);
    client.send(noise(2, MIB)).await;
    assert!(client.read_response().await.starts_with("HTTP/1.1 201"));
    assert!(dir.holds(URL));
}

#[tokio::test]
async fn invalid_disk_space_options_are_refused_at_startup() {
    let dir = ServiceDirectory::create();
    let spool = dir.write("a file", b"");
    for (arguments, sentence) in [
        (["--reserved-mb", "500"], "--reserved-mb 500 must be less than --max-size-mb 500"),
        (["--spool-dir", spool.to_str().unwrap()], "--spool-dir: cannot create a file in"),
    ] {
        let failed = dir.run(&["serve", arguments[0], arguments[1]]).await;
        assert_eq!(failed.code, Some(1), "{failed:?}");
        assert!(failed.stderr.contains(sentence), "{failed:?}");
    }
}
