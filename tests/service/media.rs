//! Images and videos are fetched once and returned unchanged; animations are returned as videos.

use std::time::{SystemTime, UNIX_EPOCH};

use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::images::{gif, jpeg, png};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::sha256::sha256;
use media_cache_test_support::videos::{frame_times, mp4};

#[tokio::test]
async fn image_is_downloaded_once_and_served_unchanged() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let picture = png(1);
    let url = origin.serves("/picture.png", "image/png", picture.clone());
    let service = dir.serve().await;
    let first = service.media(&url).await.is("miss");
    let second = service.media(&url).await.is("hit");
    assert_eq!(origin.requests("/picture.png"), 1);
    for answer in [first, second] {
        assert_eq!(answer.body, picture);
        assert_eq!(answer.header("content-type"), "image/png");
        assert_eq!(answer.header("content-length"), picture.len().to_string());
        assert_eq!(answer.header("content-disposition"), r#"inline; filename="picture.png""#);
    }
    service.stop().await;
}

#[tokio::test]
async fn an_entry_has_two_files_named_after_the_sha256_of_its_url() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let picture = png(2);
    let url = origin.serves("/a/b/picture.png?size=large&x=%20", "image/png", picture.clone());
    let service = dir.serve().await;
    let before = seconds_now();
    service.media(&url).await.is("miss");
    let name = sha256(url.as_bytes());
    let names: Vec<String> = dir.names().into_iter().filter(|file| !file.starts_with("media-cache.")).collect();
    assert_eq!(names, [format!("{name}.dat"), format!("{name}.json")]);
    assert_eq!(std::fs::read(dir.media_file(&url)).unwrap(), picture);
    let sidecar = dir.sidecar(&url);
    assert_eq!(sidecar["url"], url);
    assert_eq!(sidecar["mimetype"], "image/png");
    assert_eq!(sidecar["filename"], "picture.png");
    assert_eq!(sidecar["size"], picture.len());
    let stored = sidecar["ts"].as_f64().unwrap();
    assert!((before - 1.0..=seconds_now()).contains(&stored), "{stored} is not the current time");
}

fn seconds_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

#[tokio::test]
async fn photos_and_videos_are_stored_unchanged() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    for (path, mimetype, bytes) in [("/photo.jpg", "image/jpeg", jpeg(1)), ("/film.mp4", "video/mp4", mp4().await)] {
        let url = origin.serves(path, mimetype, bytes.clone());
        for cache in ["miss", "hit"] {
            let answer = service.media(&url).await.is(cache);
            assert_eq!((answer.header("content-type"), &answer.body), (mimetype, &bytes.clone().into()), "{path}");
        }
        assert_eq!(origin.requests(path), 1);
    }
    assert_eq!(service.stats().await["transcoding"]["succeeded"], 0);
}

#[tokio::test]
async fn gif_is_served_as_a_video_with_the_duration_of_every_frame() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let delays = [10, 25, 7, 50];
    let url = origin.serves("/dance.gif", "image/gif", gif(&delays));
    let service = dir.serve().await;
    let video = service.media(&url).await.is("miss");
    let again = service.media(&url).await.is("hit");
    assert_eq!(video.body, again.body);
    assert_eq!(origin.requests("/dance.gif"), 1);
    assert_eq!(frame_times(&video.body), delays.map(u64::from));
    for answer in [&video, &again] {
        assert_eq!(answer.header("content-type"), "video/mp4");
        assert_eq!(answer.header("content-disposition"), r#"inline; filename="dance.mp4""#);
    }
    assert_eq!(std::fs::read(dir.media_file(&url)).unwrap(), video.body);
    let sidecar = dir.sidecar(&url);
    assert_eq!((&sidecar["mimetype"], &sidecar["filename"]), (&"video/mp4".into(), &"dance.mp4".into()));
    assert_eq!(sidecar["size"], video.body.len());
    assert_eq!(service.stats().await["transcoding"]["succeeded"], 1);
}

#[tokio::test]
async fn gif_declared_as_png_is_detected_from_its_bytes() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/dance.png", "image/png", gif(&[10, 20]));
    let service = dir.serve().await;
    let answer = service.media(&url).await.is("miss");
    assert_eq!(answer.header("content-type"), "video/mp4");
    assert_eq!(answer.header("content-disposition"), r#"inline; filename="dance.mp4""#);
    assert_eq!(frame_times(&answer.body), [10, 20]);
}

#[tokio::test]
async fn gif_that_cannot_be_decoded_is_stored_unchanged() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let broken = gif(&[10, 10])[..60].to_vec();
    let url = origin.serves("/broken.gif", "image/gif", broken.clone());
    let service = dir.serve().await;
    for cache in ["miss", "hit"] {
        let answer = service.media(&url).await.is(cache);
        assert_eq!((answer.header("content-type"), &answer.body), ("image/gif", &broken.clone().into()));
        assert_eq!(answer.header("content-disposition"), r#"inline; filename="broken.gif""#);
    }
    assert_eq!(service.stats().await["transcoding"]["failed"], 1);
}

#[tokio::test]
async fn gif_is_stored_unchanged_without_a_transcoder() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let dance = gif(&[10, 20]);
    let url = origin.serves("/dance.gif", "image/gif", dance.clone());
    let service = dir.serve_with(&["--transcoder", "none"]).await;
    let answer = service.media(&url).await.is("miss");
    assert_eq!((answer.header("content-type"), &answer.body[..]), ("image/gif", &dance[..]));
}

#[tokio::test]
async fn redirected_media_is_stored_under_the_requested_url() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    origin.serves("/there.png", "image/png", png(3));
    let url = origin.answers("/here", Page::status(302).with_header("location", "/there.png"));
    let service = dir.serve().await;
    let answer = service.media(&url).await.is("miss");
    assert_eq!((&answer.body[..], answer.header("content-disposition")), (&png(3)[..], r#"inline; filename="there.png""#));
    service.media(&url).await.is("hit");
    assert_eq!((origin.requests("/here"), origin.requests("/there.png")), (1, 1));
    assert!(dir.holds(&url) && !dir.holds(&origin.url("/there.png")));
}

#[tokio::test]
async fn urls_that_differ_in_their_query_have_separate_entries() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let small = origin.serves("/picture?w=1&h=1", "image/png", png(4));
    let large = origin.serves("/picture?w=2&h=1", "image/png", png(5));
    let service = dir.serve().await;
    for (url, seed) in [(&small, 4), (&large, 5)] {
        assert_eq!(service.media(url).await.is("miss").body, png(seed));
    }
    assert_eq!(service.stats().await["media_cache"]["total_entries"], 2);
}
