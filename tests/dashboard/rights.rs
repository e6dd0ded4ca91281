//! Who gets the page, and who gets its data.

use http::Method;
use media_cache_test_support::http_client::{ADMIN_TOKEN, http_client, send};
use media_cache_test_support::service_directory::ServiceDirectory;

const DATA: [&str; 2] = ["/dashboard/events", "/shadows"];
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

#[tokio::test]
async fn without_administration_there_is_no_dashboard() {
    let directory = ServiceDirectory::create();
    let mut service = directory.serve_with_only(&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]).await;
    for path in ["/dashboard", "/dashboard/app.js", "/dashboard/events", "/shadows"] {
        let refused = service.get(path).await;
        refused.problem(403);
        assert_eq!(refused.code(), "administration-off", "{path}");
    }
    let admin = service.admin_address().await;
    let page = send(http_client().get(format!("http://{admin}/dashboard"))).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let shadows = send(http_client().get(format!("http://{admin}/shadows"))).await;
    assert_eq!((shadows.status, &shadows.json()["enabled"]), (200, &true.into()));
}

#[tokio::test]
async fn page_needs_no_token_but_its_data_does() {
    let directory = ServiceDirectory::create();
    let service = directory.serve().await;
    let page = send(service.anonymous_request(Method::GET, "/dashboard")).await;
    assert_eq!((page.status, page.header("content-security-policy")), (200, POLICY));
    assert_eq!((page.header("cache-control"), page.header("x-content-type-options")), ("no-cache", "nosniff"));
    assert_eq!(
        (page.header("cross-origin-resource-policy"), page.header("cross-origin-opener-policy")),
        ("same-origin", "same-origin")
    );
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    for file in text.split("=\"/dashboard/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        let part = send(service.anonymous_request(Method::GET, &format!("/dashboard/{file}"))).await;
        assert_eq!(part.status, 200, "{file}");
    }
    let known = send(service.anonymous_request(Method::GET, "/dashboard").header("if-none-match", page.header("etag"))).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    for path in DATA {
        assert_eq!(send(service.anonymous_request(Method::GET, path)).await.code(), "no-token", "{path}");
        let wrong = service.anonymous_request(Method::GET, path).bearer_auth("not-the-token-of-today");
        assert_eq!(send(wrong).await.code(), "wrong-token", "{path}");
    }
    let check = send(service.anonymous_request(Method::POST, "/policy/check").body("x")).await;
    assert_eq!(check.code(), "no-token");
    let shadows = send(service.anonymous_request(Method::GET, "/shadows").bearer_auth(ADMIN_TOKEN)).await;
    assert_eq!((shadows.status, &shadows.json()["enabled"]), (200, &true.into()));
}

#[tokio::test]
async fn page_of_another_site_cannot_use_the_administration_of_a_listener_without_tokens() {
    let directory = ServiceDirectory::create();
    let mut service = directory.serve_with_only(&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]).await;
    let admin = service.admin_address().await;
    let swap = async |origin: &str| {
        send(http_client().put(format!("http://{admin}/policy?name=sieve")).header("origin", origin)).await.status
    };
    for origin in [format!("http://{}", service.address()), "https://evil.example".into(), "null".into()] {
        assert_eq!(swap(&origin).await, 403, "{origin}");
    }
    assert_eq!(swap(&format!("http://{admin}")).await, 200, "the dashboard itself");
}
