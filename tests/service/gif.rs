//! Which GIFs are converted to videos, depending on the option, and what is logged about failed conversions.

use media_cache_test_skip as skip;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{gif, repetitive_gif};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::sha256::sha256;
use serde_json::Value;

/// Which of these are converted to videos: a still GIF, an animation whose video is larger, and one whose video is smaller.
async fn converted(options: &[&str]) -> [bool; 3] {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(options).await;
    let gifs = [("still", gif(&[10])), ("dance", gif(&[10, 20])), ("noise", repetitive_gif(40))];
    let mut converted = [false; 3];
    for (converted, (name, gif)) in converted.iter_mut().zip(gifs) {
        let answer = service.media(&origin.serves(&format!("/{name}.gif"), "image/gif", gif.clone())).await.is("miss");
        *converted = answer.header("content-type") == "video/mp4";
        let extension = if *converted { "mp4" } else { "gif" };
        assert_eq!(answer.header("content-disposition"), format!(r#"inline; filename="{name}.{extension}""#), "{options:?}");
        if !*converted {
            assert_eq!((answer.header("content-type"), &answer.body[..]), ("image/gif", &gif[..]), "{options:?}");
        }
    }
    let transcoding = &service.stats().await["transcoding"];
    let count = converted.into_iter().filter(|converted| *converted).count();
    assert_eq!(
        (&transcoding["succeeded"], &transcoding["failed"]),
        (&count.into(), &0.into()),
        "a GIF that is kept is not a failure"
    );
    converted
}

#[tokio::test]
async fn gif_option_selects_which_gifs_are_converted() {
    for transcoder in ["embedded", "ffmpeg"] {
        if transcoder == "ffmpeg" && skip::unless_installed("ffmpeg") {
            continue;
        }
        for (which, expected) in [
            ("always", [true, true, true]),
            ("animated", [false, true, true]),
            ("smaller", [false, false, true]),
            ("never", [false, false, false]),
        ] {
            assert_eq!(converted(&["--gif", which, "--transcoder", transcoder]).await, expected, "{which}, {transcoder}");
        }
    }
    assert_eq!(converted(&[]).await, [true; 3], "the default is always");
}

#[tokio::test]
async fn failed_conversion_is_logged_with_its_url_reason_and_outcome() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/dance.gif?token=s3cr3t", "image/gif", gif(&[10, 20]));
    for (urls, logged) in [("host", Value::Null), ("path", origin.url("/dance.gif").into()), ("full", url.clone().into())] {
        let options = ["--log-format", "json", "--log-urls", urls, "--gif-max-pixels", "1000"];
        let service = dir.serve_with(&options).await;
        let answer = service.media(&url).await.is("miss");
        assert_eq!((answer.header("content-type"), &answer.body[..]), ("image/gif", &gif(&[10, 20])[..]));
        service.wait_for_log("conversion failed").await;
        let lines = service.log();
        let line = lines.iter().find(|line| line.contains("conversion failed")).unwrap();
        let line: Value = serde_json::from_str(line).unwrap();
        for (name, value) in [
            ("level", "WARN".into()),
            ("message", "conversion failed; storing the original".into()),
            ("key", sha256(url.as_bytes())[..16].into()),
            ("host", "127.0.0.1".into()),
            ("url", logged),
            ("mimetype", "image/gif".into()),
            ("bytes", gif(&[10, 20]).len().into()),
            ("outcome", "too-many-pixels".into()),
            ("reason", "an image of 48x32 has 1536 pixels; the limit is 1000".into()),
        ] {
            assert_eq!(line[name], value, "{name}, {urls}");
        }
        assert_eq!(line.to_string().contains("s3cr3t"), urls == "full");
        service.delete(&url).await;
    }
}

#[tokio::test]
async fn failed_conversion_of_a_put_gif_is_logged_with_its_url() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--log-urls", "path", "--gif-max-frames", "1"]).await;
    let url = "https://nowhere.invalid/dance.gif";
    assert_eq!(service.put(url, "image/gif", gif(&[10, 20])).await.status, 201);
    service.wait_for_log("conversion failed").await;
    let lines = service.log();
    let line = lines.iter().find(|line| line.contains("conversion failed")).unwrap();
    assert!(line.contains(&format!("url={url:?}")) && line.contains("the GIF has more than 1 frames"), "{line}");
}

#[tokio::test]
async fn a_gif_with_a_damaged_end_is_converted() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let whole = gif(&[10, 20]);
    let (intact, _trailer) = whole.split_at(whole.len() - 1);
    for (path, end) in [("/none.gif", &[][..]), ("/zeros.gif", &[0; 50]), ("/more.gif", b"\x3b<html>")] {
        let url = origin.serves(path, "image/gif", [intact, end].concat());
        let answer = service.media(&url).await.is("miss");
        assert_eq!(answer.header("content-type"), "video/mp4", "{path}");
        assert_eq!(media_cache_test_support::videos::frame_times(&answer.body), [10, 20], "{path}");
    }
}
