//! A command sends its token only to the service that was named.

use media_cache_test_support::canary_listener::CanaryListener;
use media_cache_test_support::command::run_in;
use media_cache_test_support::raw_origin::{RawOrigin, send_response};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::write_secret;

/// The variables that name a proxy for programs.
const VARIABLES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

#[tokio::test]
async fn requests_to_a_service_ignore_proxy_variables() {
    let (dir, proxy) = (ServiceDirectory::create(), CanaryListener::bind("127.0.0.1:0"));
    let service = dir.serve().await;
    let address = format!("http://127.0.0.1:{}", proxy.port());
    let variables = VARIABLES.map(|name| (name, address.as_str()));
    let server = format!("http://{}", service.address());
    let show = ["policy", "show", "--token-file", service.token_file(), "--server", &server];
    assert!(run_in(&dir.path(""), &variables, &show).await.succeeded_text().contains("lru"));
    // A service that is not on this machine would otherwise be reached through the proxy.
    let elsewhere = ["policy", "show", "--token-file", service.token_file(), "--server", "http://media-cache.invalid"];
    let said = run_in(&dir.path(""), &variables, &elsewhere).await.failed();
    assert!(said.contains("no service can be reached at http://media-cache.invalid"), "{said}");
    proxy.assert_untouched();
    service.stop().await;
}

#[tokio::test]
async fn client_does_not_follow_redirects_with_its_token() {
    let (dir, canary) = (ServiceDirectory::create(), CanaryListener::bind("127.0.0.1:0"));
    write_secret(&dir.path("token"), "a-token-of-the-service");
    let origin = RawOrigin::start().await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: http://127.0.0.1:{}/policy\r\n", canary.port());
        let url = origin.follows(&format!("/{status}/policy"), &[send_response(&format!("{status} Go"), &location, b"")]);
        let server = url.strip_suffix("/policy").unwrap();
        let said = run_in(&dir.path(""), &[], &["policy", "show", "--token-file", "token", "--server", server]).await.failed();
        assert!(said.contains(&format!("it responded with {status}")), "{said}");
    }
    canary.assert_untouched();
}
