//! The media and the errors that a download returns.

use std::sync::{Arc, Mutex};

use http::header::{USER_AGENT, VIA};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::http_downloader::HttpDownloader;
use crate::options::{HttpOptions, OriginCacheControl, Progress};
use crate::setup_error::HttpSetupError;
use crate::tests::origin::{OK_HEAD, failure, fetch, origin_sending, response, send, start_origin};
use media_cache_interfaces::{CacheControl, Cacheability, Downloader, FetchError, FreeSpaceFloor, Spool};

#[tokio::test]
async fn download_has_a_body_a_type_and_a_name() {
    let url = origin_sending(response("Content-Type: text/PLAIN; charset=UTF-8\r\n", b"words")).await;
    let media = fetch(&url, HttpOptions::default()).await.unwrap();
    assert_eq!(media.body.in_memory().unwrap(), "words");
    assert_eq!((media.mimetype.as_str(), media.filename.as_str()), ("text/plain; charset=utf-8", "photo.txt"));

    let url = origin_sending(response("Content-Disposition: inline; filename*=UTF-8''%E2%82%AC\r\n", b"GIF89a\x01\0")).await;
    let media = fetch(&url, HttpOptions::default()).await.unwrap();
    assert_eq!((media.mimetype.as_str(), media.filename.as_str()), ("image/gif", "€.gif"));

    let chunked =
        format!("{OK_HEAD}Transfer-Encoding: chunked\r\nContent-Encoding: Identity\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
    let media = fetch(&origin_sending(chunked).await, HttpOptions::default()).await.unwrap();
    assert_eq!(media.body.in_memory().unwrap(), "onetwo");
}

#[tokio::test]
async fn large_body_is_spooled_to_an_unnamed_file() {
    let sent: Vec<u8> = (0..3_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let url = origin_sending(response("", &sent)).await;
    let dir = tempfile::tempdir().unwrap();
    let counts = Arc::new(Mutex::new(Vec::new()));
    let seen = counts.clone();
    let progress: Progress = Arc::new(move |received, total| seen.lock().unwrap().push((received, total)));
    let options = HttpOptions {
        spool_above: sent.len() as u64 - 1,
        spool: Spool::new(dir.path().to_owned(), FreeSpaceFloor::default()),
        progress: Some(progress),
        ..HttpOptions::default()
    };

    let spooled = fetch(&url, options.clone()).await.unwrap().body;
    assert!(spooled.in_memory().is_none());
    assert_eq!(spooled.digest().await.unwrap()[..], Sha256::digest(&sent)[..]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let counted = std::mem::take(&mut *counts.lock().unwrap());
    assert!(counted.is_sorted() && counted.len() > 1, "{counted:?}");
    assert_eq!(counted.last(), Some(&(sent.len() as u64, Some(sent.len() as u64))));

    let in_memory = fetch(&url, HttpOptions { spool_above: sent.len() as u64, ..options.clone() }).await.unwrap().body;
    assert_eq!(in_memory.in_memory().unwrap(), &sent);

    let small =
        fetch(&origin_sending(response("", b"GIF89a\x01\0")).await, HttpOptions { spool_above: 0, ..options }).await.unwrap();
    assert!(small.body.in_memory().is_none());
    assert_eq!((small.body.bytes().await.unwrap(), small.mimetype.as_str()), ((&b"GIF89a\x01\0"[..]).into(), "image/gif"));
}

#[tokio::test]
async fn lack_of_spool_space_is_reported_as_overload_and_not_as_a_failure_of_the_origin() {
    let url = origin_sending(response("", &[b'x'; 1000])).await;
    let spool = Spool::temporary();
    spool.set_allowance(999);
    let options = HttpOptions { spool_above: 0, spool, ..HttpOptions::default() };
    assert!(matches!(failure(&url, options.clone()).await, FetchError::Overloaded(Some(_))));
    options.spool.set_allowance(1000);
    fetch(&url, options).await.unwrap();
}

#[tokio::test]
async fn closed_port_and_silent_origin_are_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let silent = start_origin(|stream, _| async { drop(stream) }).await;
    for url in [&format!("http://{address}/?secret"), &format!("http://{silent}/?secret")] {
        let error = failure(url, HttpOptions::default()).await;
        assert!(matches!(&error, FetchError::Unreachable(reason) if reason.contains("127.0.0.1")), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn invalid_url_is_not_requested() {
    let too_long = format!("http://127.0.0.1/?secret{}", "x".repeat(70_000));
    for url in ["file:///etc/secret", "not a URL: secret", "http://user:secret@127.0.0.1/", &too_long] {
        assert!(matches!(failure(url, HttpOptions::default()).await, FetchError::InvalidUrl(_)), "{url}");
    }
}

#[tokio::test]
async fn downloader_does_not_connect_to_private_addresses() {
    let (heads, mut requests) = mpsc::unbounded_channel();
    let record = move |stream, head: String| {
        heads.send(head).unwrap();
        send(stream, response("", b"inside"))
    };
    let address = start_origin(record).await;
    let port = address.rsplit(':').next().unwrap();
    for host in ["127.0.0.1", "localhost", "a.localhost.", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{port}/?secret");
        let error = HttpDownloader::new(HttpOptions::default()).unwrap().fetch(&url).await.unwrap_err();
        assert!(matches!(&error, FetchError::Refused(reason) if !reason.contains("secret")), "{host}: {error:?}");
    }
    assert!(requests.try_recv().is_err());
    // The origin does respond if it is allowed.
    fetch(&format!("http://{address}/"), HttpOptions::default()).await.unwrap();
    assert!(requests.try_recv().is_ok());
}

#[test]
fn invalid_options_are_setup_errors() {
    let split = HttpOptions { user_agent: "two\r\nlines".into(), ..HttpOptions::default() };
    assert!(matches!(HttpDownloader::new(split), Err(HttpSetupError::Header(USER_AGENT, _))));
    let split = HttpOptions { via: Some("two\r\nlines".into()), ..HttpOptions::default() };
    assert!(matches!(HttpDownloader::new(split), Err(HttpSetupError::Header(VIA, _))));
}

#[tokio::test]
async fn cache_control_of_the_origin_is_applied_unless_an_option_ignores_it() {
    let headers = "Cache-Control: max-age=60\r\ncache-control: no-store\r\nAge: 5\r\nETag: \"1\"\r\n";
    let url = origin_sending(response(headers, b"media")).await;
    let media = fetch(&url, HttpOptions::default()).await.unwrap();
    let expected = CacheControl { cacheability: Cacheability::NoStore, max_age: Some(60), age: 5 };
    assert_eq!((media.cache_control, media.validators.etag.as_deref()), (expected, Some("\"1\"")));
    let ignoring = HttpOptions { origin_cache_control: OriginCacheControl::Ignore, ..HttpOptions::default() };
    let media = fetch(&url, ignoring).await.unwrap();
    assert_eq!((media.cache_control, media.validators.etag.as_deref()), (CacheControl::default(), Some("\"1\"")));
}
