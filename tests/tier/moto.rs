//! The second tier on an S3 server written by others: moto, from PyPI.

use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use media_cache_test_support::binary::binary;
use media_cache_test_support::command::finish;
use media_cache_test_support::http_client::{http_client, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::object_store::variables;
use media_cache_test_support::random::noise;
use media_cache_test_support::soon::soon;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::node::{LOCATION, Node};

const PROGRAM: &str = "moto_server";

/// A server with an empty bucket, killed when this is dropped.
struct Moto {
    endpoint: String,
    _child: Child,
}

impl Moto {
    async fn start() -> Self {
        let address: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["-H", "127.0.0.1", "-p", &address.port().to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        soon(async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await
            }
        })
        .await;
        let endpoint = format!("http://{address}");
        assert_eq!(send(http_client().put(format!("{endpoint}/bucket"))).await.status, 200);
        Self { endpoint, _child: child }
    }
}

#[tokio::test]
async fn media_is_shared_leased_listed_trimmed_and_removed() {
    if media_cache_test_skip::unless_installed(PROGRAM) {
        return;
    }
    let (origin, moto) = (HttpOrigin::start().await, Moto::start().await);
    let variables = variables(&moto.endpoint);
    let arguments = ["--tier-lease-kb", "0", "--tier-timeout-ms", "20000"];
    let nodes = [
        Node::start_at(LOCATION, &variables, &arguments).await,
        Node::start_at(LOCATION, &variables, &arguments).await,
        Node::start_at(LOCATION, &variables, &arguments).await,
    ];
    let large = [png(1), noise(1, 20 << 20)].concat();
    let urls = [origin.serves("/large.png", "image/png", large.clone()), origin.serves("/a.png", "image/png", png(2))];
    for (url, body) in urls.iter().zip([large, png(2)]) {
        let (a, b, c) = tokio::join!(nodes[0].media(url), nodes[1].media(url), nodes[2].media(url));
        assert!([a, b, c].iter().all(|media| media.status == 200 && media.body == body), "{url}");
    }
    assert_eq!((origin.requests("/a.png"), origin.requests("/large.png")), (1, 1));
    soon(async {
        let mut uploads = 0;
        while uploads < 2 {
            uploads = 0;
            for node in &nodes {
                uploads += node.count("uploads", "stored").await;
            }
        }
    })
    .await;
    let tier = async |arguments: &[&str]| {
        let mut command = binary([&["tier"], arguments, &["--tier", LOCATION, "--tier-timeout-ms", "20000"]].concat());
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        finish(command, &[]).await.succeeded_silently()
    };
    assert_eq!(tier(&["ls"]).await.lines().count(), 3);
    assert!(tier(&["verify"]).await.starts_with("2 entries intact"), "both were uploaded");
    assert_eq!(tier(&["rm", &urls[1]]).await, "removed 1 entry\n");
    assert!(tier(&["trim", "1MB"]).await.starts_with("1 entry deleted"));
    assert_eq!(tier(&["ls"]).await.lines().count(), 1);
}
