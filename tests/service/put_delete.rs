//! `PUT` stores media that a client already has, and `DELETE` removes it.

use http::Method;
use media_cache_test_support::cache_directory::make_undeletable;
use media_cache_test_support::http_client::{media_path, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{gif, jpeg, png};
use media_cache_test_support::random::noise;
use media_cache_test_support::raw_client::RawClient;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::videos::frame_times;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

#[tokio::test]
async fn put_media_is_stored_and_served_without_an_origin() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let answer = service.put(NOWHERE, "image/png", png(1)).await;
    assert_eq!(answer.status, 201);
    let said = serde_json::json!({
        "url": NOWHERE, "known": false, "mimetype": "image/png", "filename": "picture.png", "size": png(1).len(),
    });
    assert_eq!(answer.json(), said);
    let answer = service.media(NOWHERE).await.is("hit");
    assert_eq!((answer.header("content-type"), &answer.body[..]), ("image/png", &png(1)[..]));
    assert_eq!(dir.sidecar(NOWHERE)["url"], NOWHERE);
}

#[tokio::test]
async fn form_content_type_of_a_put_is_ignored() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let answer = service.put(NOWHERE, "application/x-www-form-urlencoded", png(1)).await;
    assert_eq!((answer.status, &answer.json()["mimetype"]), (201, &"image/png".into()));
}

#[tokio::test]
async fn put_of_a_known_url_keeps_the_stored_bytes() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = dir.serve().await;
    service.media(&url).await.is("miss");
    let answer = service.put(&url, "image/jpeg", jpeg(2)).await;
    assert_eq!((answer.status, &answer.json()["known"]), (200, &true.into()));
    assert_eq!((&answer.json()["mimetype"], &answer.json()["size"]), (&"image/png".into(), &png(1).len().into()));
    assert_eq!(service.media(&url).await.is("hit").body, png(1));
    assert_eq!(std::fs::read(dir.media_file(&url)).unwrap(), png(1));
}

#[tokio::test]
async fn put_gif_is_converted_to_a_video() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let url = "https://nowhere.invalid/dance.gif";
    let answer = service.put(url, "image/gif", gif(&[10, 30])).await;
    assert_eq!(answer.status, 201);
    assert_eq!((&answer.json()["mimetype"], &answer.json()["filename"]), (&"video/mp4".into(), &"dance.mp4".into()));
    let video = service.media(url).await.is("hit");
    assert_eq!((video.header("content-type"), frame_times(&video.body)), ("video/mp4", vec![10, 30]));
    assert_eq!(answer.json()["size"], video.body.len());
}

#[tokio::test]
async fn file_name_of_a_put_is_cleaned() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let path = format!("{}&filename=..%2F..%2F%C3%A4.png", media_path(NOWHERE));
    let answer = send(service.request(Method::PUT, &path).body(png(1))).await;
    let said = answer.json();
    assert_eq!((answer.status, &said["filename"], &said["mimetype"]), (201, &"ä.png".into(), &"image/png".into()));
}

#[tokio::test]
async fn put_media_has_the_type_of_its_bytes_and_a_matching_extension() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    for (number, (declared, name, mimetype, filename)) in [
        ("image/jpg", "a.php", "image/png", "a.png"),
        ("text/plain", "a.gif", "image/png", "a.png"),
        ("image/x-png", "CON", "image/png", "_CON.png"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("{}&filename={name}", media_path(&format!("https://nowhere.invalid/{number}")));
        let answer = send(service.request(Method::PUT, &path).header("content-type", declared).body(png(1))).await;
        let said = answer.json();
        assert_eq!((answer.status, &said["filename"], &said["mimetype"]), (201, &filename.into(), &mimetype.into()), "{name}");
    }
}

#[tokio::test]
async fn put_of_an_empty_or_oversized_body_or_invalid_url_is_refused() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--max-body-mb", "2", "--max-size-mb", "1"]).await;
    let empty = service.put(NOWHERE, "image/png", "").await;
    assert!(empty.problem(400).contains("empty"));
    let oversize = service.put(NOWHERE, "image/png", noise(1, 3 << 19)).await;
    assert!(oversize.problem(413).contains("917504 bytes"), "{}", oversize.text());
    for url in ["no url at all", "/relative.png", "", "http://"] {
        service.put(url, "image/png", png(1)).await.problem(400);
    }
    assert_eq!((dir.disk_usage(), service.stats().await["media_cache"]["total_entries"].as_u64()), (0, Some(0)));
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_stored() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--max-body-mb", "1"]).await;
    assert_eq!(service.put(NOWHERE, "image/png", noise(1, 1 << 20)).await.status, 201);
}

#[tokio::test]
async fn put_with_a_content_length_over_the_limit_is_refused_before_its_body() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--max-body-mb", "1"]).await;
    let mut upload = RawClient::connect(&service).await;
    upload.send_put_head(NOWHERE, "Content-Length: 1048577\r\nExpect: 100-continue").await;
    let answer = upload.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("limit of 1048576 bytes"), "{answer}");
}

#[tokio::test]
async fn chunked_put_body_over_the_limit_is_refused() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--max-body-mb", "1"]).await;
    let pieces = (0..80).map(|seed| Ok::<_, std::io::Error>(noise(seed, 16 << 10)));
    let body = reqwest::Body::wrap_stream(futures::stream::iter(pieces));
    let answer = service.put(NOWHERE, "image/png", body).await;
    assert!(answer.problem(413).contains("limit of 1048576 bytes"));
    assert!(!dir.holds(NOWHERE));
}

#[tokio::test]
async fn deleted_entry_is_fetched_again() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = dir.serve().await;
    service.media(&url).await.is("miss");
    let deleted = service.delete(&url).await;
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    assert!(!dir.holds(&url));
    service.delete(&url).await.problem(404);
    origin.serves("/picture.png", "image/png", png(2));
    assert_eq!(service.media(&url).await.is("miss").body, png(2));
    assert_eq!(origin.requests("/picture.png"), 2);
}

#[tokio::test]
async fn deleted_entry_stays_deleted_after_a_kill() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = dir.serve().await;
    service.media(&url).await.is("miss");
    assert_eq!(service.delete(&url).await.status, 204);
    service.kill().await;
    let service = dir.serve().await;
    service.media(&url).await.is("miss");
}

#[tokio::test]
async fn delete_fails_if_the_files_cannot_be_deleted() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    service.put(NOWHERE, "image/png", png(1)).await;
    make_undeletable(&dir.cache(), NOWHERE);
    let answer = send(service.request(Method::DELETE, &media_path(NOWHERE))).await;
    assert_eq!(answer.json()["code"], "not-deleted");
    let detail = answer.problem(500);
    assert!(detail.starts_with("not all files of the entry could be deleted: ") && detail.contains(".json"), "{detail}");
    assert_eq!(service.stats().await["media_cache"]["total_entries"], 0, "it is no longer served");
}
