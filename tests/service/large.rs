//! Bodies that are too large to be kept in memory while they arrive.

use futures::future::join_all;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::poster;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::sha256::sha256;
use media_cache_test_support::soon::soon;

#[tokio::test]
async fn large_image_is_served_unchanged_before_and_after_a_restart() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let poster = poster(1);
    let url = origin.serves("/poster.png", "image/png", poster.clone());
    let service = dir.serve().await;
    for cache in ["miss", "hit"] {
        let answer = service.media(&url).await.is(cache);
        assert!(answer.body == poster);
        assert_eq!(answer.header("content-length"), poster.len().to_string());
        if cache == "hit" || !answer.header("etag").is_empty() {
            assert_eq!(answer.header("etag"), format!("\"{}\"", sha256(&poster)));
        }
        service.until_stored(1).await;
    }
    service.stop().await;
    let service = dir.serve().await;
    let answer = service.media(&url).await.is("hit");
    assert!(answer.body == poster);
    assert_eq!(answer.header("etag"), format!("\"{}\"", sha256(&poster)));
    assert_eq!(origin.requests("/poster.png"), 1);
}

#[tokio::test]
async fn large_put_body_is_stored_and_served_unchanged() {
    let (dir, poster) = (ServiceDirectory::create(), poster(2));
    let url = "https://nowhere.invalid/poster.png";
    let service = dir.serve().await;
    let answer = service.put(url, "image/png", poster.clone()).await;
    assert_eq!((answer.status, &answer.json()["size"]), (201, &poster.len().into()));
    assert!(service.media(url).await.is("hit").body == poster);
    assert!(std::fs::read(dir.media_file(url)).unwrap() == poster);
}

#[tokio::test]
async fn concurrent_requests_read_one_large_file() {
    let (dir, poster) = (ServiceDirectory::create(), poster(3));
    let url = "https://nowhere.invalid/poster.png";
    let service = dir.serve_with(&["--max-memory-items", "0"]).await;
    assert_eq!(service.put(url, "image/png", poster.clone()).await.status, 201);
    for answer in soon(join_all((0..8).map(|_| service.media(url)))).await {
        assert!(answer.is("hit").body == poster);
    }
}

#[tokio::test]
async fn response_in_progress_is_completed_after_its_entry_is_deleted() {
    let (dir, poster) = (ServiceDirectory::create(), poster(4));
    let url = "https://nowhere.invalid/poster.png";
    let service = dir.serve_with(&["--max-memory-items", "0"]).await;
    assert_eq!(service.put(url, "image/png", poster.clone()).await.status, 201);
    // The headers have arrived, but only as much of the body as fits into the sockets.
    let response = soon(service.media_request(http::Method::GET, url).send()).await.unwrap();
    assert_eq!(service.delete(url).await.status, 204);
    assert!(!dir.holds(url));
    assert!(soon(response.bytes()).await.unwrap() == poster);
}
