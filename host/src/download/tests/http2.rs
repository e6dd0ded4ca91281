//! Origins that speak HTTP/2, over TLS.

use ::http::{HeaderMap, HeaderValue, Response};
use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::*;

const CERTIFICATE: &[u8] = include_bytes!("../../../../tests/security/tls/certificate.der");
const KEY: &[u8] = include_bytes!("../../../../tests/security/tls/key.der");

fn acceptor() -> TlsAcceptor {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(KEY));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_no_client_auth().with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// An origin that gives each request to `handle`; its URL.
async fn origin_over_tls(handle: impl Fn(SendResponse<Bytes>) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = acceptor();
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

/// Who trusts the origins of these tests.
fn trusting(options: HttpOptions) -> HttpDownloader {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(CERTIFICATE)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    HttpDownloader::with_tls(locally(options), tls.with_root_certificates(roots).with_no_client_auth()).unwrap()
}

/// An answer with headers, and the pieces of a body, the last of which ends it.
fn answer(headers: HeaderMap, pieces: &'static [&'static str]) -> impl Fn(SendResponse<Bytes>) + Clone + Send + 'static {
    move |mut respond| {
        let mut response = Response::new(());
        *response.headers_mut() = headers.clone();
        let mut body = respond.send_response(response, false).unwrap();
        for (index, piece) in pieces.iter().enumerate() {
            // The downloader may have turned away.
            let _ = body.send_data(Bytes::from_static(piece.as_bytes()), index + 1 == pieces.len());
        }
    }
}

fn announcing(length: u64) -> HeaderMap {
    HeaderMap::from_iter([(::http::header::CONTENT_LENGTH, HeaderValue::from(length))])
}

async fn error_of(handle: impl Fn(SendResponse<Bytes>) + Clone + Send + 'static) -> FetchError {
    let error =
        trusting(HttpOptions::default()).fetch(&origin_over_tls(handle).await).await.map(|download| download.filename).unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
    error
}

#[tokio::test]
async fn media_comes_over_http_2() {
    let downloader = trusting(HttpOptions::default());
    for (headers, pieces) in [(announcing(4), &["bo", "dy"][..]), (HeaderMap::new(), &["body"])] {
        let download = downloader.fetch(&origin_over_tls(answer(headers, pieces)).await).await.unwrap();
        assert_eq!(download.body.in_memory().unwrap(), "body");
    }
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_is_an_error() {
    for (length, pieces) in [(5, &["body"][..]), (5, &["bo", "dy"]), (3, &["body"]), (3, &["bo", "dy"]), (3, &["bod", "y"])] {
        let error = error_of(answer(announcing(length), pieces)).await;
        assert!(matches!(&error, FetchError::BrokenAnswer(why) if why.contains("announced")), "{length}, {pieces:?}: {error:?}");
    }
    assert_eq!(error_of(answer(announcing(0), &[""])).await, FetchError::EmptyBody);
}

#[tokio::test]
async fn a_stream_that_is_reset_is_a_body_that_breaks_off() {
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
    let downloader = trusting(HttpOptions { progress: Some(progress), ..HttpOptions::default() });
    let error = downloader.fetch(&origin_over_tls(reset).await).await.map(|download| download.filename).unwrap_err();
    assert!(matches!(&error, FetchError::ShortBody(why) if why.contains("after 2 bytes")), "{error:?}");
}

#[tokio::test]
async fn headers_have_a_limit_there_too() {
    let large = HeaderMap::from_iter([(::http::header::ETAG, HeaderValue::from_str(&"x".repeat(64 << 10)).unwrap())]);
    let mut many = HeaderMap::new();
    for _ in 0..101 {
        many.append(::http::header::ETAG, HeaderValue::from_static("x"));
    }
    for headers in [large, many] {
        let error = error_of(answer(headers, &["body"])).await;
        assert!(matches!(error, FetchError::BrokenAnswer(_)), "{error:?}");
    }
}

#[tokio::test]
async fn an_origin_that_nobody_vouches_for_is_unreachable() {
    let url = origin_over_tls(answer(announcing(4), &["body"])).await;
    let error = failure(&url, HttpOptions::default()).await;
    assert!(matches!(&error, FetchError::Unreachable(why) if why.contains("certificate")), "{error:?}");
}
