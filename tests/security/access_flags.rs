//! Access rules that are passed to the binary as flags.

use media_cache_test_support::canary_listener::CanaryListener;
use media_cache_test_support::command::run;
use media_cache_test_support::http_client::media_path;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;

use crate::vectors::all;

#[tokio::test]
async fn service_with_default_options_refuses_every_denied_url() {
    let (dir, inside) = (ServiceDirectory::create(), CanaryListener::bind("0.0.0.0:0"));
    std::fs::create_dir_all(dir.cache()).unwrap();
    let service = Service::start_in(&dir.cache(), &[], &["--listen", "127.0.0.1:0"]).await;
    for vector in all().iter().filter(|vector| !vector.allowed) {
        let url = match vector.address() {
            // Uses the port of the listener, which would notice a connection.
            Some(_) => vector.url().replacen("/a.png", &format!(":{}/a.png", inside.port()), 1),
            None => vector.url(),
        };
        let answer = service.get(&media_path(&url)).await;
        assert!([400, 403].contains(&answer.status), "{url}: {}", answer.text());
        assert!(!answer.text().contains("secret"), "{url}: {}", answer.text());
        inside.assert_untouched();
    }
    service.stop().await;
}

#[tokio::test]
async fn get_connects_only_to_public_addresses_unless_others_are_allowed() {
    let (dir, inside) = (ServiceDirectory::create(), CanaryListener::bind("127.0.0.1:0"));
    let directory = dir.cache();
    let url = format!("http://127.0.0.1:{}/?secret", inside.port());
    let arguments = ["get", &url, "--dir", directory.to_str().unwrap()];
    let said = run(&arguments).await.failed();
    assert!(said.contains("refused: 127.0.0.1 is not a public address: loopback (127.0.0.0/8, RFC 1122)"), "{said}");
    inside.assert_untouched();

    let origin = HttpOrigin::start().await;
    let url = origin.serves("/a.png", "image/png", b"png".to_vec());
    for allowed in ["127.0.0.0/8", "127.0.0.1", "10.0.0.0/8,127.0.0.1/32"] {
        let dir = ServiceDirectory::create();
        let arguments = ["get", &url, "--dir", dir.cache().to_str().unwrap(), "--allow-address", allowed].map(str::to_owned);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        assert_eq!(run(&arguments).await.succeeded(), b"png", "{allowed}");
    }
}

#[tokio::test]
async fn deny_rules_win_over_allowed_addresses() {
    let (dir, inside) = (ServiceDirectory::create(), CanaryListener::bind("127.0.0.1:0"));
    let port = inside.port().to_string();
    let url = format!("http://127.0.0.1:{port}/");
    for (arguments, because) in [
        (["--deny-address", "127.0.0.1"], "connections to 127.0.0.1 are denied by the access rules".to_owned()),
        (["--deny-host", "*.example.org,127.0.0.1"], "downloads from 127.0.0.1 are denied by the access rules".into()),
        (["--allow-host", "*.example.org"], "127.0.0.1 is not among the allowed hosts".into()),
        (["--deny-port", &port], format!("connections to port {port} are denied by the access rules")),
        (["--allow-port", "80,443"], format!("port {port} is not among the allowed ports")),
    ] {
        let service = dir.serve_with(&arguments).await;
        let said = service.media(&url).await.problem(403);
        assert!(said.contains(&because), "{arguments:?}: {said}");
        inside.assert_untouched();
        service.stop().await;
    }
}

#[tokio::test]
async fn invalid_access_rule_values_are_refused_with_the_valid_form() {
    for (argument, words) in [
        ("--allow-address=localhost", "an address or a range, such as 192.0.2.1"),
        ("--allow-address=127.0.0.1/33", "an address or a range"),
        ("--allow-address=127.0.0.1/8", "write 127.0.0.1 for the address, or 127.0.0.0/8 for the range"),
        ("--deny-address=10.0.0.0/8,", "an address or a range"),
        ("--deny-address=010.0.0.0/8", "an address or a range"),
        ("--deny-address=127.0.0.01", "an address or a range"),
        ("--deny-host=http://example.org/", "without a scheme, a port or a path"),
        ("--allow-host=*.*.example.org", "use the form example.org"),
        ("--allow-port=0", "it must be a number from 1 to 65535"),
        ("--deny-port=65536", "it must be a number from 1 to 65535"),
    ] {
        let finished = run(&["serve", argument]).await;
        assert_eq!(finished.code, Some(2), "{argument}: {}", finished.stderr);
        let said = finished.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "{argument}: {said}");
    }
}
