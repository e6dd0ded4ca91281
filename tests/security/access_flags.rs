//! The rules as they are given to the binary.

use crate::client::media_of;
use crate::inside::Inside;
use crate::origin::Origin;
use crate::place::Place;
use crate::process::{Service, run_alone};
use crate::vectors::all;

#[tokio::test]
async fn a_service_that_was_told_nothing_refuses_all_that_is_denied() {
    let (place, inside) = (Place::new(), Inside::new("0.0.0.0:0"));
    std::fs::create_dir_all(place.directory()).unwrap();
    let service = Service::start_within(&place.directory(), &[], &["--listen", "127.0.0.1:0"]).await;
    for vector in all().iter().filter(|vector| !vector.allowed) {
        let url = match vector.address() {
            // Where one is connected to it shall be heard.
            Some(_) => vector.url().replacen("/a.png", &format!(":{}/a.png", inside.port()), 1),
            None => vector.url(),
        };
        let answer = service.get(&media_of(&url)).await;
        assert!([400, 403].contains(&answer.status), "{url}: {}", answer.text());
        assert!(!answer.text().contains("secret"), "{url}: {}", answer.text());
        inside.heard_nothing();
    }
    service.stop().await;
}

#[tokio::test]
async fn get_goes_to_public_addresses_only_unless_it_is_told_otherwise() {
    let (place, inside) = (Place::new(), Inside::new("127.0.0.1:0"));
    let directory = place.directory();
    let url = format!("http://127.0.0.1:{}/?secret", inside.port());
    let arguments = ["get", &url, "--dir", directory.to_str().unwrap()];
    let said = run_alone(&arguments).await.complained();
    assert!(said.contains("refused: 127.0.0.1 is not a public address: loopback (127.0.0.0/8, RFC 1122)"), "{said}");
    inside.heard_nothing();

    let origin = Origin::start().await;
    let url = origin.serves("/a.png", "image/png", b"png".to_vec());
    for allowed in ["127.0.0.0/8", "127.0.0.1", "10.0.0.0/8,127.0.0.1/32"] {
        let place = Place::new();
        let arguments = ["get", &url, "--dir", place.directory().to_str().unwrap(), "--allow-address", allowed].map(str::to_owned);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        assert_eq!(run_alone(&arguments).await.succeeded(), b"png", "{allowed}");
    }
}

#[tokio::test]
async fn what_is_denied_is_denied_whatever_is_allowed() {
    let (place, inside) = (Place::new(), Inside::new("127.0.0.1:0"));
    let port = inside.port().to_string();
    let url = format!("http://127.0.0.1:{port}/");
    for (arguments, because) in [
        (["--deny-address", "127.0.0.1"], "connections to 127.0.0.1 are denied here".to_owned()),
        (["--deny-host", "*.example.org,127.0.0.1"], "fetching from 127.0.0.1 is denied here".into()),
        (["--allow-host", "*.example.org"], "127.0.0.1 is not among the hosts".into()),
        (["--deny-port", &port], format!("connections to port {port} are denied here")),
        (["--allow-port", "80,443"], format!("{port} is not among the ports")),
    ] {
        let service = place.serve_with(&arguments).await;
        let said = service.media(&url).await.problem(403);
        assert!(said.contains(&because), "{arguments:?}: {said}");
        inside.heard_nothing();
        service.stop().await;
    }
}

#[tokio::test]
async fn values_that_cannot_be_are_said_to_be_wrong_with_the_form_that_is_right() {
    for (argument, words) in [
        ("--allow-address=localhost", "an address or a range, such as 192.0.2.1"),
        ("--allow-address=127.0.0.1/33", "an address or a range"),
        ("--allow-address=127.0.0.1/8", "neither one address, 127.0.0.1, nor a range, 127.0.0.0/8"),
        ("--deny-address=10.0.0.0/8,", "an address or a range"),
        ("--deny-host=http://example.org/", "without a scheme, a port or a path"),
        ("--allow-host=*.*.example.org", "it takes the form example.org"),
        ("--allow-port=0", "0 is not in 1..=65535"),
        ("--deny-port=65536", "65536 is not in 1..=65535"),
    ] {
        let finished = run_alone(&["serve", argument]).await;
        assert_eq!(finished.code, Some(2), "{argument}: {}", finished.stderr);
        let said = finished.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "{argument}: {said}");
    }
}
