//! The names and types of media.

use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::images::{gif, jpeg, png};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::videos::mp4;

#[tokio::test]
async fn a_file_name_from_the_origin_is_cleaned() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    for (number, (disposition, name, header)) in [
        (r#"attachment; filename="../../etc/passwd.png""#, "passwd.png", r#"filename="passwd.png""#),
        (r"attachment; filename=..\..\boot.png", "boot.png", r#"filename="boot.png""#),
        (r#"attachment; filename="plain""#, "plain.png", r#"filename="plain.png""#),
        (r#"attachment; filename="..""#, "of the url.png", r#"filename="of the url.png""#),
        ("attachment; filename*=UTF-8''..%2Fb%C3%A4r.png", "bär.png", r#"filename="b_r.png"; filename*=UTF-8''b%C3%A4r.png"#),
    ]
    .into_iter()
    .enumerate()
    {
        let page = Page::of("image/png", png(1)).with_header("content-disposition", disposition);
        let url = origin.answers(&format!("/{number}/of%20the%20url.png"), page);
        let answer = service.media(&url).await.is("miss");
        assert_eq!(answer.header("content-disposition"), format!("inline; {header}"), "{disposition}");
        assert_eq!(dir.sidecar(&url)["filename"], name, "{disposition}");
    }
}

#[tokio::test]
async fn type_of_an_octet_stream_is_detected_from_its_bytes() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    for (path, bytes, mimetype) in [
        ("/a", png(1), "image/png"),
        ("/b", jpeg(1), "image/jpeg"),
        ("/c", mp4().await, "video/mp4"),
        ("/d", gif(&[10, 20]), "video/mp4"),
    ] {
        let url = origin.serves(path, "application/octet-stream", bytes);
        let answer = service.media(&url).await.is("miss");
        assert_eq!(answer.header("content-type"), mimetype, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let extension = mimetype.rsplit('/').next().unwrap().replace("jpeg", "jpg");
        let name = answer.header("content-disposition").trim_end_matches('"').to_owned();
        assert!(name.ends_with(&format!(".{extension}")), "{name} of {path}");
    }
}

#[tokio::test]
async fn octet_stream_is_never_detected_as_a_type_that_can_contain_scripts() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture", "application/octet-stream", "<!DOCTYPE html><script>alert(1)</script>");
    let service = dir.serve_with(&["--accept-type", "*/*"]).await;
    let answer = service.media(&url).await.is("miss");
    assert_eq!((answer.header("content-type"), answer.header("x-content-type-options")), ("application/octet-stream", "nosniff"));
}
