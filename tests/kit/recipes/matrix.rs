//! A bridge that puts links to media of Matrix into the messages that it forwards.

use media_cache_test_support::command::run;
use media_cache_test_support::homeserver::{TOKEN, TestHomeserver};
use media_cache_test_support::http_client::{http_client, send};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::write_secret;

use super::serve;

const MEDIA: &str = "mxc://example.org/abc";

#[tokio::test]
async fn signed_links_show_media_that_only_users_of_the_homeserver_could_read() {
    let (homeserver, dir) = (TestHomeserver::start("127.0.0.1").await, ServiceDirectory::create());
    let (token, key) = (dir.path("matrix-token"), dir.path("signing-key"));
    write_secret(&token, TOKEN);
    write_secret(&key, "0123456789abcdef0123456789abcdef");
    let (token, key) = (token.to_str().unwrap(), key.to_str().unwrap());
    let url = format!("http://{}", homeserver.address());
    let arguments = ["--matrix-homeserver", &url, "--matrix-token-file", token, "--signing-key-file", key];
    let service = serve(&dir, "matrix.toml", &arguments).await;

    let base = format!("http://{}", service.address());
    let signed = run(&["sign", MEDIA, "--signing-key-file", key, "--expires-in", "7d", "--base", &base]).await.succeeded_text();
    for _ in 0..2 {
        let response = send(http_client().get(signed.trim())).await;
        assert_eq!((response.status, &response.body[..]), (200, &b"media"[..]));
        assert!(response.header("cache-control").contains("private"), "{response:?}");
    }
    assert_eq!(homeserver.new_requests(), [("/_matrix/client/v1/media/download/example.org/abc".to_owned(), true)]);

    assert_eq!(service.media(MEDIA).await.status, 403, "a link that was not signed");
    assert_eq!(send(http_client().get(signed.trim().replace("abc", "abd"))).await.status, 403, "a link for other media");
    assert_eq!(homeserver.new_requests(), []);
}
