//! Pages display media from their own origin and from another one.

use media_cache_test_support::http_client::media_path;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{GIF_SIZE, gif, png};
use serde_json::json;

use crate::media::{long_video, pictures, wav};
use crate::payloads::svg;
use crate::stage::Stage;

/// Loads an image and returns its size.
const IMAGE: &str = "const image = new Image(); image.src = media; document.body.append(image); await image.decode();
    return [image.naturalWidth, image.naturalHeight]";

/// Loads the beginning of a video or audio file.
const LOAD: &str = "
    const load = async kind => {
        const player = Object.assign(document.createElement(kind), { muted: true, src: media });
        document.body.append(player);
        await new Promise((loaded, failed) => {
            player.onloadeddata = loaded;
            player.onerror = () => failed(new DOMException(player.error.message, 'MediaError'));
        });
        return player;
    };
    const event = (player, name) => new Promise(happens => player.addEventListener(name, happens, { once: true }));";

#[tokio::test]
async fn images_are_displayed() {
    let Some(stage) = Stage::set_up(&[]).await else { return };
    for (mimetype, bytes, size) in pictures() {
        let path = stage.stores(mimetype, mimetype, bytes).await;
        for url in stage.urls(&path) {
            assert_eq!(stage.evaluate(IMAGE, &url).await, json!(size), "{mimetype} at {url}");
        }
    }
}

#[tokio::test]
async fn svg_with_a_script_is_displayed_without_executing_the_script() {
    let Some(stage) = Stage::set_up(&[]).await else { return };
    let path = stage.stores("drawing.svg", "image/svg+xml", svg(&stage.site.url("/ran/drawing"))).await;
    for url in stage.urls(&path) {
        assert_eq!(stage.evaluate(IMAGE, &url).await, json!([20, 10]), "{url}");
    }
    assert!(!stage.site.ran("drawing"));
}

#[tokio::test]
async fn text_is_not_displayed_as_an_image() {
    let Some(stage) = Stage::set_up(&[]).await else { return };
    let path = stage.stores("words.txt", "text/plain", "words").await;
    for url in stage.urls(&path) {
        assert_eq!(stage.evaluate(IMAGE, &url).await, "EncodingError", "{url}");
    }
}

#[tokio::test]
async fn an_animation_plays_as_a_video() {
    let Some(stage) = Stage::set_up(&[]).await else { return };
    let origin = HttpOrigin::start().await;
    let path = media_path(&origin.serves("/dance.gif", "image/gif", gif(&[10, 20, 30])));
    let play = format!(
        "{LOAD} const video = await load('video'); const ended = event(video, 'ended'); await video.play(); await ended;
         return [video.videoWidth, video.videoHeight, video.duration.toFixed(1), video.currentTime.toFixed(1)]"
    );
    for url in stage.urls(&path) {
        assert_eq!(stage.evaluate(&play, &url).await, json!([GIF_SIZE.0, GIF_SIZE.1, "0.6", "0.6"]), "{url}");
    }
    assert_eq!(origin.requests("/dance.gif"), 1);
}

#[tokio::test]
async fn seeking_in_a_video_requests_ranges() {
    let Some(stage) = Stage::set_up(&[]).await else { return };
    let video = long_video().await;
    let path = stage.stores("long.mp4", "video/mp4", video.clone()).await;
    let seek = format!(
        "{LOAD} const video = await load('video'); const sought = event(video, 'seeked'); video.currentTime = 0.4; await sought;
         return [video.seekable.end(0).toFixed(1), video.currentTime.toFixed(1), video.readyState >= 2]"
    );
    for url in stage.urls(&path) {
        assert_eq!(stage.evaluate(&seek, &url).await, json!(["0.6", "0.4", true]), "{url}");
        let starts = stage.site.take_range_starts();
        assert!(starts.iter().any(|start| *start >= 8 << 20 && *start < video.len() as u64), "{url}: {starts:?}");
    }
}

#[tokio::test]
async fn an_audio_file_is_loaded() {
    let Some(stage) = Stage::set_up(&[]).await else { return };
    let path = stage.stores("tone.wav", "audio/wav", wav()).await;
    for url in stage.urls(&path) {
        let duration = stage.evaluate(&format!("{LOAD} return (await load('audio')).duration"), &url).await;
        assert_eq!(duration, json!(1), "{url}");
    }
}

#[tokio::test]
async fn cross_origin_isolated_pages_can_embed_media() {
    let Some(stage) = Stage::set_up(&[]).await else { return };
    let path = stage.stores("a.png", "image/png", png(1)).await;
    for url in stage.urls(&path) {
        let page = "/page?cross-origin-embedder-policy=require-corp&cross-origin-opener-policy=same-origin";
        stage.tab.navigate(&stage.site.url(page)).await;
        let shown = stage
            .tab
            .evaluate(&format!("(async media => {{ {IMAGE} }})('{url}').then(size => [crossOriginIsolated, ...size])"))
            .await;
        assert_eq!(shown, json!([true, 16, 16]), "{url}");
    }
}
