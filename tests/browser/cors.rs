//! Pages from other origins can display media. They can read it only if `--allow-origin` names their origin.

use media_cache_test_support::http_client::media_path;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::videos::mp4;
use serde_json::{Value, json};

use crate::media::wav;
use crate::stage::Stage;

const FETCH: &str = "return (await (await fetch(media)).arrayBuffer()).byteLength";

/// Loads an image so that a page may read its pixels.
const CROSSORIGIN_IMAGE: &str =
    "const image = new Image(); image.crossOrigin = 'anonymous'; image.src = media; await image.decode();";

/// Shows a frame of a video so that a page may read its pixels.
const CROSSORIGIN_VIDEO: &str = "
    const image = Object.assign(document.createElement('video'), { crossOrigin: 'anonymous', muted: true, src: media });
    document.body.append(image);
    await new Promise((shown, failed) => {
        image.requestVideoFrameCallback(shown);
        image.onerror = () => failed(new DOMException('', 'MediaError'));
        image.play().catch(() => {});
    });";

/// Reads a pixel.
const READ_PIXEL: &str = "const canvas = document.createElement('canvas').getContext('2d'); canvas.drawImage(image, 0, 0);
    return canvas.getImageData(0, 0, 1, 1).data[3]";

/// Media and functions that read it, with the result if the page's origin is allowed, and the result otherwise.
fn reads(video: usize) -> [(&'static str, String, Value, Value); 5] {
    let plain = CROSSORIGIN_IMAGE.replace("image.crossOrigin = 'anonymous';", "");
    [
        ("a.mp4", FETCH.to_owned(), json!(video), json!("TypeError")),
        ("a.png", format!("{CROSSORIGIN_IMAGE} {READ_PIXEL}"), json!(255), json!("EncodingError")),
        ("a.png", format!("{plain} {READ_PIXEL}"), json!("SecurityError"), json!("SecurityError")),
        ("a.mp4", format!("{CROSSORIGIN_VIDEO} {READ_PIXEL}"), json!(255), json!("MediaError")),
        (
            "a.wav",
            "const sound = await (await fetch(media)).arrayBuffer();
             return (await new OfflineAudioContext(1, 1, 8000).decodeAudioData(sound)).duration"
                .to_owned(),
            json!(1),
            json!("TypeError"),
        ),
    ]
}

/// Stores the media that is read, and returns the size of the video.
async fn store(service: &Service) -> usize {
    let video = mp4().await;
    for (name, mimetype, bytes) in
        [("a.png", "image/png", png(1)), ("a.mp4", "video/mp4", video.clone()), ("a.wav", "audio/wav", wav())]
    {
        assert_eq!(service.put(&format!("https://media.invalid/{name}"), mimetype, bytes).await.status, 201);
    }
    video.len()
}

/// The URL of stored media.
fn url(service: &Service, name: &str) -> String {
    format!("http://{}{}", service.address(), media_path(&format!("https://media.invalid/{name}")))
}

#[tokio::test]
async fn pages_from_other_origins_cannot_read_media_by_default() {
    let Some(stage) = Stage::set_up(&[]).await else { return };
    let video = store(&stage.service).await;
    for (name, function, _, otherwise) in reads(video) {
        assert_eq!(stage.evaluate(&function, &url(&stage.service, name)).await, otherwise, "{name}: {function}");
    }
    // A page's own origin does not count as another one.
    let own = stage.site.url(&media_path("https://media.invalid/a.png"));
    assert_eq!(stage.evaluate(&format!("{CROSSORIGIN_IMAGE} {READ_PIXEL}"), &own).await, json!(255));
}

#[tokio::test]
async fn pages_from_allowed_origins_can_read_media() {
    let Some(stage) = Stage::set_up(&[]).await else { return };
    let own = stage.site.url("");
    for allowed in [&["--allow-origin", "*"][..], &["--allow-origin", "https://example.org", "--allow-origin", &own]] {
        let dir = ServiceDirectory::create();
        let service = dir.serve_with(allowed).await;
        let video = store(&service).await;
        for (name, function, read, _) in reads(video) {
            assert_eq!(stage.evaluate(&function, &url(&service, name)).await, read, "{allowed:?} {name}: {function}");
        }
    }
}

#[tokio::test]
async fn pages_from_unlisted_origins_cannot_read_media() {
    let (Some(stage), dir) = (Stage::set_up(&[]).await, ServiceDirectory::create()) else { return };
    let service = dir.serve_with(&["--allow-origin", "https://example.org"]).await;
    let video = store(&service).await;
    for (name, function, _, otherwise) in reads(video) {
        assert_eq!(stage.evaluate(&function, &url(&service, name)).await, otherwise, "{name}: {function}");
    }
}

#[tokio::test]
async fn pages_from_allowed_origins_can_read_headers_and_send_conditions_and_ranges() {
    let (Some(stage), dir) = (Stage::set_up(&[]).await, ServiceDirectory::create()) else { return };
    let service = dir.serve_with(&["--allow-origin", &stage.site.url("")]).await;
    store(&service).await;
    let url = url(&service, "a.png");
    let names = ["etag", "content-disposition", "content-length", "accept-ranges", "last-modified", "x-cache", "x-request-id"];
    let headers = format!("const answer = await fetch(media); return {names:?}.filter(name => !answer.headers.get(name))");
    assert_eq!(stage.evaluate(&headers, &url).await, json!([]), "these headers are not exposed");
    let range = "const answer = await fetch(media, { headers: { range: 'bytes=1-3' } });
        return [answer.status, await answer.text(), answer.headers.get('content-range')?.split('/')[0]]";
    assert_eq!(stage.evaluate(range, &url).await, json!([206, "PNG", "bytes 1-3"]));
    // These requests need a preflight.
    let condition = "const etag = (await fetch(media)).headers.get('etag');
        const one = await fetch(media, { cache: 'no-store', headers: { 'if-none-match': etag } });
        const other = await fetch(media, { cache: 'no-store', headers: { 'if-match': '\"x\"', 'if-range': '\"x\"' } });
        return [one.status, other.status]";
    assert_eq!(stage.evaluate(condition, &url).await, json!([304, 412]));
    let head = "return (await fetch(media, { cache: 'no-store', method: 'HEAD', headers: { 'x-request-id': 'abc' } })).headers.get('x-request-id')";
    assert_eq!(stage.evaluate(head, &url).await, "abc");
}

#[tokio::test]
async fn pages_from_allowed_origins_can_read_problem_codes() {
    let (Some(stage), dir, origin) = (Stage::set_up(&[]).await, ServiceDirectory::create(), HttpOrigin::start().await) else {
        return;
    };
    let service = dir.serve_with(&["--allow-origin", &stage.site.url("")]).await;
    let code = "const answer = await fetch(media); return [answer.status, (await answer.json()).code]";
    let media = |url: &str| format!("http://{}{}", service.address(), media_path(url));
    for (url, status, name) in [
        (origin.url("/missing"), 404, "not-found"),
        ("http://10.1.2.3/".into(), 403, "refused"),
        ("mailto:x".into(), 400, "invalid-url"),
    ] {
        assert_eq!(stage.evaluate(code, &media(&url)).await, json!([status, name]), "{url}");
    }
}

#[tokio::test]
async fn pages_from_allowed_origins_cannot_use_the_admin_endpoints() {
    let (Some(stage), dir) = (Stage::set_up(&[]).await, ServiceDirectory::create()) else { return };
    let service = dir.serve_with(&["--allow-origin", "*"]).await;
    store(&service).await;
    let url = url(&service, "a.png");
    assert_eq!(stage.evaluate("return (await fetch(media, { method: 'DELETE' })).status", &url).await, "TypeError");
    assert_eq!(service.media("https://media.invalid/a.png").await.is("hit").body, png(1));
}
