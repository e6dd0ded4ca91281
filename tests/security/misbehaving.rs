//! Origins that misbehave, each in its way: who asks is told what is wrong, nothing is stored, the origin is left alone for a while, and
//! all is well once it behaves.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::behaviours::{Behaviour, all, remembered};
use crate::place::Place;
use crate::process::Service;
use crate::scripted::{Act, Scripted, answer};

/// Limits within which the patience of these tests lies.
const LIMITS: [&str; 8] = [
    "--max-body-mb=1",
    "--first-byte-seconds=5",
    "--pause-seconds=2",
    "--min-rate-seconds=4",
    "--min-rate=512",
    "--max-redirects=5",
    "--max-url-bytes=8192",
    "--max-origin-header-kb=64",
];

/// Media that is as it should be.
const GOOD: &[u8] = b"GIF89a\x01\0\x01\0 and so on";

/// How many are tried at once.
const AT_ONCE: usize = 6;

/// The path of the media with which an origin misbehaves in the way of this number.
fn path(index: usize) -> String {
    format!("/{index}.gif")
}

fn good() -> [Act; 1] {
    [answer("200 OK", "Content-Type: image/x-good\r\n", GOOD)]
}

/// Asks for what there is trouble with. Answers the explanation.
async fn trouble(service: &Service, url: &str, behaviour: &Behaviour) -> String {
    let told = service.media(url).await;
    assert_eq!((told.status, told.code().as_str()), (behaviour.status, behaviour.code), "{}: {}", behaviour.name, told.text());
    let words = told.problem(behaviour.status);
    assert!(words.contains(behaviour.words), "{}: {words}", behaviour.name);
    assert!(!words.contains("secret"), "{}: {words}", behaviour.name);
    words
}

#[tokio::test]
async fn whatever_an_origin_does_has_a_name_and_leaves_nothing_behind() {
    let (origin, place) = (Scripted::start().await, Place::new());
    let service = place.serve_with(&LIMITS).await;
    let behaviours = all();
    let check = async |(index, behaviour): (usize, &Behaviour)| {
        let path = path(index);
        let url = origin.follows(&path, &behaviour.script);
        trouble(&service, &url, behaviour).await;
        assert!(!place.holds(&url), "{}", behaviour.name);

        // It is remembered, and the origin is left alone.
        let asked = origin.asked(&path);
        assert!(asked > 0, "{}", behaviour.name);
        trouble(&service, &url, behaviour).await;
        assert_eq!(origin.asked(&path), asked, "{}", behaviour.name);

        // Once it is forgotten, and the origin has come to its senses, all is as if nothing had been.
        origin.follows(&path, &good());
        service.delete(&url).await.problem(404);
        assert_eq!(service.media(&url).await.is("miss").body, GOOD, "{}", behaviour.name);
        assert_eq!(service.media(&url).await.is("hit").body, GOOD, "{}", behaviour.name);
    };
    futures::stream::iter(behaviours.iter().enumerate()).map(check).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    let stats = service.stats().await;
    assert_eq!(stats["media_cache"]["total_entries"], behaviours.len(), "{stats}");
}

#[tokio::test]
async fn what_an_origin_sends_behind_an_answer_is_given_to_nobody() {
    let (origin, place) = (Scripted::start().await, Place::new());
    let service = place.serve().await;
    let [Act::Send(good_answer)] = good() else { panic!("it is sent in one piece") };
    let evil = answer("200 OK", "Content-Type: image/x-evil\r\n", b"evil");
    // Whether it comes in time to be noticed or not makes a difference to the answer that it follows, and to no other.
    let at_once = origin.follows("/at-once.gif", &[Act::Send(good_answer.clone()), evil.clone()]);
    let later = origin.follows("/later.gif", &[Act::Send(good_answer), Act::Later, evil]);
    let after = |index: usize| origin.follows(&format!("/after-{index}.gif"), &good());
    service.media(&at_once).await;
    assert_eq!(service.media(&after(1)).await.is("miss").body, GOOD);
    service.media(&later).await;
    for index in 2..10 {
        assert_eq!(service.media(&after(index)).await.is("miss").body, GOOD);
    }
}

/// An origin that can be talked to over TLS, and whom nobody vouches for.
async fn self_made() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(&include_bytes!("tls/key.der")[..]));
    let certificate = CertificateDer::from(&include_bytes!("tls/certificate.der")[..]);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // It is the other side that ends this.
            let _ = acceptor.accept(stream).await;
        }
    });
    address
}

/// What an origin does whose certificate is of no worth.
fn without_proof() -> Behaviour {
    let name = "has a certificate that is not valid for it";
    Behaviour { name, script: Vec::new(), status: 502, code: "unreachable", words: "certificate" }
}

#[tokio::test]
async fn an_origin_that_cannot_prove_who_it_is_is_not_asked() {
    let (address, place) = (self_made().await, Place::new());
    let service = place.serve().await;
    let url = format!("https://{address}/photo.gif?secret");
    trouble(&service, &url, &without_proof()).await;
    assert!(!place.holds(&url));
}

#[test]
fn the_table_in_the_documentation_is_about_these_behaviours() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/downloads.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let table = docs.split("## Origins that misbehave").nth(1).unwrap().split("\n## ").next().unwrap();
    let documented: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    let expected: Vec<String> = all().iter().chain([&without_proof()]).map(Behaviour::line).collect();
    assert_eq!(documented, expected, "it has to be:\n{}", expected.join("\n"));
    assert!(all().iter().all(|behaviour| !remembered(behaviour.code).is_empty()));
}
