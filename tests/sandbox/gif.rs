//! GIFs are converted to videos, whether they are downloaded or uploaded.

use std::fs;

use media_cache::FetchError;
use media_cache::gif::ConvertGifs;
use media_cache_test_support::cache_directory::{BOTH, files_exist, media_file, sidecar, write_python_entry};
use media_cache_test_support::cache_requests::{body, failure, fill};
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::stats;
use media_cache_test_support::images;
use media_cache_test_support::scripted_origin::{fetched, text};
use media_cache_test_support::scripted_transcoder::video_of;

/// The start of a GIF; the scripted transcoder needs no more.
fn gif(says: &str) -> Vec<u8> {
    format!("GIF89a{says}").into_bytes()
}

#[tokio::test]
async fn a_gif_is_stored_as_a_video() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(0)).await;
    let first_bytes_alone = fetched(gif("1"), "application/octet-stream", "dance.gif");
    let old_version = fetched("GIF87a2", "image/png", "still.GIF");
    let type_alone = fetched("not by its bytes", "image/gif", "picture");
    let with_parameters = fetched("nor this", "IMAGE/GIF; charset=binary", "a.b.gif");
    let gifs = [
        ("test:1", first_bytes_alone, "dance.mp4"),
        ("test:2", old_version, "still.mp4"),
        ("test:3", type_alone, "picture.mp4"),
        ("test:4", with_parameters, "a.b.mp4"),
    ];
    for (url, gif, filename) in gifs {
        let video = video_of(&gif.body.bytes().await.unwrap());
        rig.origin.serves(url, gif);
        let fresh = cache.get_or_download(url).await.unwrap();
        let found = cache.get(url).await.unwrap().unwrap();
        for media in [fresh, found] {
            assert_eq!((body(&media).await, media.mimetype(), media.filename()), (video.clone(), "video/mp4", filename));
        }
        assert_eq!(fs::read(media_file(&rig.directory(), url)).unwrap(), video);
        let json = sidecar(&rig.directory(), url);
        assert_eq!((json["mimetype"].as_str(), json["size"].as_u64()), (Some("video/mp4"), Some(video.len() as u64)));
    }
    let stats = stats(&cache).await;
    assert_eq!((stats.transcoded, stats.transcode_failures, stats.stored), (4, 0, 4));
    assert_eq!(rig.transcoder.requests(), 4, "one conversion per GIF, and none for hits");
}

#[tokio::test]
async fn media_that_is_not_a_gif_is_not_transcoded() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.serves("test:1", fetched("GIF8 but no more", "image/png", "a.gif"));
    rig.origin.serves("test:2", fetched(" GIF89a", "image/gifs", "a.gif"));
    for url in ["test:1", "test:2"] {
        let media = cache.get_or_download(url).await.unwrap();
        assert_ne!(media.mimetype(), "video/mp4");
        assert!(media.filename().ends_with(".gif"));
    }
    rig.origin.serves("test:3", fetched("", "image/gif", "empty.gif"));
    assert_eq!(failure(&cache, "test:3").await, FetchError::EmptyBody);
    assert_eq!((rig.transcoder.requests(), stats(&cache).await.transcoded), (0, 0));
}

#[tokio::test]
async fn gif_without_a_usable_conversion_is_stored_unchanged() {
    for (says, failures) in [("broken", 1), ("panic", 1), ("empty", 1), ("type", 1), ("extension", 1), ("keep", 0)] {
        let rig = CacheRig::create();
        let cache = rig.open_with(|builder| builder.max_memory_items(0)).await;
        rig.origin.serves("test:a", fetched(gif(says), "image/gif", "dance.gif"));
        let fresh = cache.get_or_download("test:a").await.unwrap();
        let found = cache.get("test:a").await.unwrap().unwrap();
        for media in [fresh, found] {
            assert_eq!((body(&media).await, media.mimetype(), media.filename()), (gif(says), "image/gif", "dance.gif"));
        }
        assert_eq!(files_exist(&rig.directory(), "test:a"), BOTH);
        let stats = stats(&cache).await;
        assert_eq!((stats.transcoded, stats.transcode_failures, stats.stored), (0, failures, 1), "{says}");
        assert_eq!((rig.transcoder.requests(), rig.origin.requests("test:a")), (1, 1));
    }
}

#[tokio::test]
async fn put_of_a_gif_stores_a_video() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let outcome = cache.put("test:a", gif("1"), "image/gif", "dance.gif").await.unwrap();
    assert_eq!((body(&outcome.media).await, outcome.media.mimetype()), (video_of(&gif("1")), "video/mp4"));
    assert_eq!(cache.get("test:a").await.unwrap().unwrap().filename(), "dance.mp4");
    let again = cache.put("test:a", gif("2"), "image/gif", "dance.gif").await.unwrap();
    assert!(again.known);
    assert_eq!(rig.transcoder.requests(), 1, "media that is not stored is not transcoded");
    let outcome = cache.put("test:b", gif("broken"), "image/gif", "dance.gif").await.unwrap();
    assert_eq!((body(&outcome.media).await, outcome.not_stored.is_none()), (gif("broken"), true));
    let stats = stats(&cache).await;
    assert_eq!((stats.transcoded, stats.transcode_failures), (1, 1));
}

#[tokio::test]
async fn coalesced_requests_for_a_gif_share_one_conversion() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.serves("test:a", fetched(gif("1"), "image/gif", "dance.gif"));
    let answers = futures::future::join_all((0..30).map(|_| cache.get_or_download("test:a"))).await;
    for answer in answers {
        assert_eq!(body(&answer.unwrap()).await, video_of(&gif("1")));
    }
    assert_eq!(rig.transcoder.requests(), 1);
}

#[tokio::test]
async fn gif_that_is_already_on_disk_is_served_without_conversion() {
    let rig = CacheRig::create();
    let old = gif("old");
    write_python_entry(&rig.directory(), "test:a", &old, "image/gif", "old.gif", "1600000000.0");
    let cache = rig.open().await;
    fill(&cache, &["test:a"]).await;
    let found = cache.get("test:a").await.unwrap().unwrap();
    assert_eq!((body(&found).await, found.mimetype()), (old, "image/gif"));
    assert_eq!((rig.transcoder.requests(), rig.origin.requests("test:a")), (0, 0));
    assert_ne!(text("test:a"), body(&found).await);
}

#[tokio::test]
async fn convert_gifs_setting_of_the_builder_selects_which_gifs_become_videos() {
    for (which, expected) in [
        (ConvertGifs::Always, ["video/mp4", "video/mp4", "video/mp4"]),
        (ConvertGifs::Animated, ["image/gif", "video/mp4", "video/mp4"]),
        (ConvertGifs::Smaller, ["image/gif", "image/gif", "video/mp4"]),
        (ConvertGifs::Never, ["image/gif", "image/gif", "image/gif"]),
    ] {
        let rig = CacheRig::create();
        let cache = rig.open_with(|builder| builder.convert_gifs(which)).await;
        let gifs = [images::gif(&[10]), images::gif(&[10, 20]), images::repetitive_gif(40)];
        for ((number, gif), expected) in gifs.into_iter().enumerate().zip(expected) {
            let url = format!("test:{number}");
            rig.origin.serves(&url, fetched(gif, "image/gif", "dance.gif"));
            assert_eq!(cache.get_or_download(&url).await.unwrap().mimetype(), expected, "{which:?} {number}");
        }
        assert_eq!(stats(&cache).await.transcode_failures, 0);
        assert_eq!(rig.transcoder.requests(), 0, "`convert_gifs` replaces the transcoder that was set before");
    }
}
