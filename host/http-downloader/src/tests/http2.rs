//! Origins that use HTTP/2 over TLS.

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{join, join3};
use h2::Reason;
use h2::server::SendResponse;
use http::header::{CONTENT_LENGTH, ETAG};
use http::{HeaderMap, HeaderValue, Response};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;

use crate::concurrency_limiter::ConcurrencyLimiter;
use crate::http_downloader::HttpDownloader;
use crate::limiter_options::LimiterOptions;
use crate::options::{HttpOptions, Progress};
use crate::tests::lasting_origin::{next_path, ok};
use crate::tests::origin::{allowing_loopback, failure};
use media_cache_interfaces::{Downloader, FetchError};

const CERTIFICATE: &[u8] = include_bytes!("tls/certificate.der");
const KEY: &[u8] = include_bytes!("tls/key.der");

/// Accepts TLS connections for this protocol.
pub(crate) fn acceptor(protocol: &str) -> TlsAcceptor {
    acceptor_of(&[protocol])
}

/// Accepts TLS connections for these protocols, the preferred one first.
fn acceptor_of(protocols: &[&str]) -> TlsAcceptor {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(KEY));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_no_client_auth().with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|&protocol| protocol.into()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// Starts an origin that passes each request to `handle`. Returns a URL.
pub(crate) async fn start_origin(handle: impl Fn(SendResponse<Bytes>) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = acceptor("h2");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, handle) = (acceptor.clone(), handle.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_, respond))) = connection.accept().await {
                    handle(respond);
                }
            });
        }
    });
    format!("https://{address}/photo?secret")
}

/// A downloader that trusts the certificate of these origins.
pub(crate) fn trusting_downloader(options: HttpOptions) -> HttpDownloader {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(CERTIFICATE)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    HttpDownloader::with_tls(allowing_loopback(options), tls.with_root_certificates(roots).with_no_client_auth()).unwrap()
}

/// A response with headers and a body in pieces.
pub(crate) fn response(
    headers: HeaderMap,
    pieces: &'static [&'static str],
) -> impl Fn(SendResponse<Bytes>) + Clone + Send + 'static {
    move |mut respond| {
        let mut head = Response::new(());
        *head.headers_mut() = headers.clone();
        let mut body = respond.send_response(head, false).unwrap();
        for (index, piece) in pieces.iter().enumerate() {
            // The downloader may have disconnected.
            let _ = body.send_data(Bytes::from_static(piece.as_bytes()), index + 1 == pieces.len());
        }
    }
}

pub(crate) fn announcing(length: u64) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from(length))])
}

async fn failure_of(handle: impl Fn(SendResponse<Bytes>) + Clone + Send + 'static) -> FetchError {
    let error = trusting_downloader(HttpOptions::default())
        .fetch(&start_origin(handle).await)
        .await
        .map(|media| media.filename)
        .unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
    error
}

#[tokio::test]
async fn media_is_downloaded_over_http_2() {
    let downloader = trusting_downloader(HttpOptions::default());
    for (headers, pieces) in [(announcing(4), &["bo", "dy"][..]), (HeaderMap::new(), &["body"])] {
        let media = downloader.fetch(&start_origin(response(headers, pieces)).await).await.unwrap();
        assert_eq!(media.body.in_memory().unwrap(), "body");
    }
}

#[tokio::test]
async fn body_of_the_wrong_length_is_an_error() {
    for (length, pieces) in [(5, &["body"][..]), (5, &["bo", "dy"]), (3, &["body"]), (3, &["bo", "dy"]), (3, &["bod", "y"])] {
        let error = failure_of(response(announcing(length), pieces)).await;
        assert!(
            matches!(&error, FetchError::BrokenAnswer(reason) if reason.contains("declared")),
            "{length}, {pieces:?}: {error:?}"
        );
    }
    assert_eq!(failure_of(response(announcing(0), &[""])).await, FetchError::EmptyBody);
}

#[tokio::test]
async fn reset_stream_is_a_short_body() {
    let (received, piece) = watch::channel(false);
    let progress: Progress = Arc::new(move |_, _| {
        received.send_replace(true);
    });
    let reset = move |mut respond: SendResponse<Bytes>| {
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        body.send_data(Bytes::from_static(b"bo"), false).unwrap();
        let mut piece = piece.clone();
        tokio::spawn(async move {
            piece.wait_for(|received| *received).await.unwrap();
            body.send_reset(Reason::INTERNAL_ERROR);
        });
    };
    let downloader = trusting_downloader(HttpOptions { progress: Some(progress), ..HttpOptions::default() });
    let error = downloader.fetch(&start_origin(reset).await).await.map(|media| media.filename).unwrap_err();
    assert!(matches!(&error, FetchError::ShortBody(reason) if reason.contains("after 2 bytes")), "{error:?}");
}

#[tokio::test]
async fn headers_over_the_limit_are_an_error() {
    let large = HeaderMap::from_iter([(ETAG, HeaderValue::from_str(&"x".repeat(64 << 10)).unwrap())]);
    let mut many = HeaderMap::new();
    for _ in 0..101 {
        many.append(ETAG, HeaderValue::from_static("x"));
    }
    for headers in [large, many] {
        let error = failure_of(response(headers, &["body"])).await;
        assert!(matches!(error, FetchError::BrokenAnswer(_)), "{error:?}");
    }
}

#[tokio::test]
async fn origin_without_a_trusted_certificate_is_unreachable() {
    let url = start_origin(response(announcing(4), &["body"])).await;
    let error = failure(&url, HttpOptions::default()).await;
    assert!(matches!(&error, FetchError::Unreachable(reason) if reason.contains("certificate")), "{error:?}");
}

#[tokio::test]
async fn kept_connection_counts_against_the_limit_of_its_address() {
    let limits = LimiterOptions { max_downloads_per_address: NonZeroUsize::MIN, ..LimiterOptions::default() };
    let limiter = ConcurrencyLimiter::new(limits);
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let url = start_origin(move |respond| arrived.send(respond).unwrap()).await;
    let downloader = trusting_downloader(HttpOptions { limiter: Some(limiter.clone()), ..HttpOptions::default() });
    let answer = response(announcing(5), &["media"]);
    let (first, respond) = join(downloader.fetch(&url), async { answer(arrivals.recv().await.unwrap()) }).await;
    assert_eq!((first.unwrap().body.len(), respond), (5, ()));
    let second = downloader.fetch(&url);
    let third = downloader.fetch(&url);
    let observe = async {
        let second = arrivals.recv().await.unwrap();
        while limiter.counts().queued_for_address < 1 {
            tokio::task::yield_now().await;
        }
        answer(second);
        answer(arrivals.recv().await.unwrap());
    };
    let (second, third, ()) = join3(second, third, observe).await;
    assert!(second.is_ok() && third.is_ok(), "{second:?} {third:?}");
    assert!(limiter.is_idle());
}

#[tokio::test]
async fn connections_use_http_1_while_too_many_http_2_connections_are_open() {
    let limits = LimiterOptions { max_downloads: NonZeroUsize::MIN, ..LimiterOptions::default() };
    let limiter = Some(ConcurrencyLimiter::new(limits));
    let downloader = trusting_downloader(HttpOptions { limiter, ..HttpOptions::default() });
    let kept = start_origin(response(announcing(5), &["media"])).await;
    assert!(downloader.fetch(&kept).await.is_ok());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/b", listener.local_addr().unwrap());
    let origin = async {
        let mut stream = acceptor_of(&["h2", "http/1.1"]).accept(listener.accept().await.unwrap().0).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        next_path(&mut stream).await.unwrap();
        stream.write_all(ok("over HTTP/1").as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    };
    let (fetched, ()) = join(downloader.fetch(&url), origin).await;
    assert_eq!(fetched.unwrap().body.in_memory().unwrap(), "over HTTP/1");
    assert!(downloader.fetch(&kept).await.is_ok(), "over the connection that is kept");
}
