//! Matrix media that is fetched through a homeserver, and the hosts that receive the token.

use media_cache::{Downloader, FetchError};
use media_cache_http_downloader::{AccessRules, Homeserver, HttpDownloader, HttpOptions};
use media_cache_test_support::command::run;
use media_cache_test_support::homeserver::{TOKEN, TestHomeserver};
use media_cache_test_support::service_directory::ServiceDirectory;

const PREFIX: &str = "/_matrix/client/v1/media/download/example.org/";

/// A downloader with a homeserver, which may also connect to some other addresses.
fn downloader(url: &str, allowed: &[&str]) -> HttpDownloader {
    let allow_addresses = allowed.iter().map(|range| range.parse().unwrap()).collect();
    let access = AccessRules { allow_addresses, ..AccessRules::default() };
    let matrix_homeserver = Some(Homeserver::new(url.parse().unwrap(), TOKEN).unwrap());
    HttpDownloader::new(HttpOptions { access, matrix_homeserver, ..HttpOptions::default() }).unwrap()
}

async fn failure(downloader: &HttpDownloader, url: &str) -> FetchError {
    let error = downloader.fetch(url).await.map(|_| ()).expect_err(url);
    assert!(!error.to_string().contains("secret"), "{error}");
    error
}

#[tokio::test]
async fn access_token_is_sent_only_to_the_homeserver() {
    let server = TestHomeserver::start("127.88.0.1").await;
    let base = format!("http://{}", server.address());
    let strict = downloader(&base, &[]);
    assert_eq!(strict.fetch("mxc://example.org/abc").await.unwrap().body.in_memory().unwrap(), "media");
    assert_eq!(server.new_requests(), [(format!("{PREFIX}abc"), true)]);

    // The exemption from the address rules applies to requests to the homeserver, but not to redirects or to URLs that contain its address.
    for url in ["mxc://example.org/itself", "mxc://example.org/inside", &format!("{base}/abc"), &format!("{base}{PREFIX}abc")] {
        assert!(matches!(failure(&strict, url).await, FetchError::Refused(_)), "{url}");
    }
    assert_eq!(server.new_requests(), [(format!("{PREFIX}itself"), true), (format!("{PREFIX}inside"), true)]);

    // If the access rules permit it, redirects and URLs with the homeserver's address are fetched like any other, without the token.
    let lenient = downloader(&base, &["127.0.0.0/8"]);
    for url in ["mxc://example.org/itself", &format!("{base}{PREFIX}abc")] {
        lenient.fetch(url).await.unwrap();
    }
    assert_eq!(
        server.new_requests(),
        [(format!("{PREFIX}itself"), true), ("/there".to_owned(), false), (format!("{PREFIX}abc"), false)]
    );
}

#[tokio::test]
async fn redirect_from_the_homeserver_to_another_host_omits_the_token() {
    // The server listens on all of 127.0.0.0/8, so that the other host has the same port.
    let server = TestHomeserver::start("0.0.0.0").await;
    let base = format!("http://127.88.0.1:{}", server.address().port());
    let download = downloader(&base, &["127.88.0.2/32"]).fetch("mxc://example.org/elsewhere").await.unwrap();
    assert_eq!(download.body.in_memory().unwrap(), "media");
    assert_eq!(server.new_requests(), [(format!("{PREFIX}elsewhere"), true), ("/there".to_owned(), false)]);
}

#[tokio::test]
async fn errors_from_the_homeserver_are_reported() {
    let server = TestHomeserver::start("127.88.0.1").await;
    let downloader = downloader(&format!("http://{}", server.address()), &[]);
    assert_eq!(failure(&downloader, "mxc://example.org/lost").await, FetchError::NotFound);
    for (id, words) in [("unknown", "does not accept the configured access token"), ("forbidden", "denies this media")] {
        let error = failure(&downloader, &format!("mxc://example.org/{id}")).await;
        assert!(matches!(&error, FetchError::Other(why) if why.contains(words)), "{error:?}");
    }
    server.new_requests();
    for url in ["mxc://example.org/../../x", "mxc://example.org/%2e%2e", "mxc://..", "mxc://example.org"] {
        assert!(matches!(failure(&downloader, url).await, FetchError::InvalidUrl(_)), "{url}");
    }
    assert_eq!(server.new_requests(), []);
}

#[tokio::test]
async fn command_line_reads_the_token_from_a_file_and_reports_an_unusable_file() {
    let (server, dir) = (TestHomeserver::start("127.88.0.1").await, ServiceDirectory::create());
    let (base, directory) = (format!("http://{}", server.address()), dir.cache());
    let directory = directory.to_str().unwrap();
    let good = dir.write("token", format!("\n{TOKEN}\n").as_bytes());
    let get = ["get", "mxc://example.org/abc", "--dir", directory];
    let with = |file: &str| [&get[..], &["--matrix-homeserver", &base, "--matrix-token-file", file]].concat().join("\n");
    let run_lines = async |line: String| run(&line.split('\n').collect::<Vec<_>>()).await;

    assert!(run(&get).await.failed().contains("see --matrix-homeserver"));
    for (file, words) in [(dir.write("empty", b" \n"), "contains no access token"), (dir.path("missing"), "cannot read")] {
        let said = run_lines(with(file.to_str().unwrap())).await.failed();
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(server.new_requests(), []);
    assert_eq!(run_lines(with(good.to_str().unwrap())).await.succeeded(), b"media");
    assert_eq!(server.new_requests(), [(format!("{PREFIX}abc"), true)]);
}

#[tokio::test]
async fn media_fetched_with_the_token_remains_private_after_a_restart() {
    let (server, dir) = (TestHomeserver::start("127.88.0.1").await, ServiceDirectory::create());
    let base = format!("http://{}", server.address());
    let token = dir.write("token", TOKEN.as_bytes());
    let options = ["--matrix-homeserver", &base, "--matrix-token-file", token.to_str().unwrap()];
    for expected in ["miss", "hit"] {
        let service = dir.serve_with(&options).await;
        let media = service.media("mxc://example.org/abc").await.is(expected);
        assert_eq!(media.header("cache-control"), "private, max-age=86400");
        service.stop().await;
    }
    assert_eq!(server.new_requests(), [(format!("{PREFIX}abc"), true)]);
}
