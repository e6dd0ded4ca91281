//! Browsers never execute or apply active content: it is sent only as bytes that they do not interpret.

use http::Method;
use media_cache_test_support::http_client::send;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;

#[tokio::test]
async fn scripts_style_sheets_and_xml_are_served_as_octet_stream_attachments() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    for (name, mimetype, body) in [
        ("a.js", "text/javascript", "alert(1)"),
        ("b.mjs", "application/javascript", "export default 1"),
        ("c.css", "text/css", "body { color: red }"),
        ("d.xsl", "application/xslt+xml", "<xsl:stylesheet/>"),
        ("e.xml", "text/xml", "<a/>"),
        ("f.webmanifest", "application/manifest+json", "{}"),
    ] {
        let url = origin.serves(&format!("/{name}"), mimetype, body);
        for cache in ["miss", "hit"] {
            let answer = service.media(&url).await.is(cache);
            assert_eq!(answer.header("content-type"), "application/octet-stream", "{name}");
            assert!(answer.header("content-disposition").starts_with("attachment; "), "{name}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
            assert_eq!(answer.body, body, "{name}");
        }
        assert_eq!(dir.sidecar(&url)["mimetype"], mimetype, "the original type is still recorded");
    }
}

#[tokio::test]
async fn requests_with_a_script_or_style_destination_are_refused() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let url = origin.serves("/a.png", "image/png", png(1));
    for (name, value) in [
        ("sec-fetch-dest", "script"),
        ("sec-fetch-dest", "worker"),
        ("sec-fetch-dest", "serviceworker"),
        ("sec-fetch-dest", "style"),
        ("service-worker", "script"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer = send(service.media_request(method.clone(), &url).header(name, value)).await;
            assert_eq!(answer.status, 403, "{name}: {value}");
            if method == Method::GET {
                assert!(answer.problem(403).contains("never executed"), "{}", answer.text());
                assert_eq!(answer.code(), "active-destination");
            }
        }
        for path in ["/healthz", "/stats", "/nowhere"] {
            send(service.request(Method::GET, path).header(name, value)).await.problem(403);
        }
    }
    assert_eq!(origin.total_requests(), 0);
    for (destination, cache) in [("image", "miss"), ("empty", "hit"), ("document", "hit")] {
        send(service.media_request(Method::GET, &url).header("sec-fetch-dest", destination)).await.is(cache);
    }
}
