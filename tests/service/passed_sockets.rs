//! Sockets that a service manager passes to the service.

use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use media_cache_test_support::binary::{binary_path, remove_settings};
use media_cache_test_support::http_client::{http_client, send};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::soon::soon;

/// Moves the sockets, which it gets as its standard input and standard error, to the numbers from 3 on, and becomes the service, as systemd
/// would.
const SCRIPT: &str = r#"exec 3<&0 4>&2 </dev/null 2>"$LOG"; export LISTEN_PID=$$; exec "$0" "$@""#;

/// A command that starts a service with sockets. Without a second socket, the number of the first one is still 3.
fn command(dir: &ServiceDirectory, names: &str, sockets: [OwnedFd; 2], arguments: &[&str]) -> Command {
    let [first, second] = sockets;
    let mut command = Command::new("sh");
    command.arg("-c").arg(SCRIPT).arg(binary_path()).args(["serve", "--dir"]).arg(dir.cache()).args(arguments);
    remove_settings(&mut command);
    let count = names.split(':').count();
    command.env("LISTEN_FDS", count.to_string()).env("LISTEN_FDNAMES", names).env("LOG", dir.path("log"));
    command.stdin(first).stdout(Stdio::piped()).stderr(second);
    command
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// The same socket, for another process.
fn shared(listener: &TcpListener) -> OwnedFd {
    listener.try_clone().unwrap().into()
}

/// The message with which a service fails.
async fn failure(dir: &ServiceDirectory, names: &str, sockets: [OwnedFd; 2], arguments: &[&str]) -> String {
    let command = command(dir, names, sockets, arguments);
    let status = soon(tokio::process::Command::from(command).status()).await.unwrap();
    assert_eq!(status.code(), Some(1));
    std::fs::read_to_string(dir.path("log")).unwrap()
}

#[tokio::test]
async fn service_accepts_connections_from_passed_sockets_with_the_rights_of_their_names() {
    let (dir, main, admin) = (ServiceDirectory::create(), listener(), listener());
    // In another order than that of the options, which would be addresses in use.
    let options = ["--listen", &main.local_addr().unwrap().to_string(), "--admin-listen", &admin.local_addr().unwrap().to_string()];
    let start = command(&dir, "admin:main", [shared(&admin), shared(&main)], &options);
    let mut service = Service::start_command(start, dir.path("none")).await;
    assert_eq!(service.address(), main.local_addr().unwrap());
    assert_eq!(service.admin_address().await, admin.local_addr().unwrap());
    let status = async |listener: &TcpListener| {
        let url = format!("http://{}/entries", listener.local_addr().unwrap());
        send(http_client().get(url)).await.status
    };
    assert_eq!((status(&main).await, status(&admin).await), (403, 200));
    let log = std::fs::read_to_string(dir.path("log")).unwrap();
    let instead = format!("the service manager listens on {}, in place of --admin-listen", admin.local_addr().unwrap());
    assert!(log.contains(&instead), "{log}");
    service.stop().await;
}

#[tokio::test]
async fn connections_wait_while_the_service_is_restarted() {
    let (dir, main) = (ServiceDirectory::create(), listener());
    let start = async || {
        let start = command(&dir, "main", [shared(&main), shared(&main)], &[]);
        Service::start_command(start, dir.path("none")).await
    };
    let service = start().await;
    assert_eq!(service.get("/healthz").await.status, 200);
    service.stop().await;
    // Sent while there is no service.
    let url = format!("http://{}/healthz", main.local_addr().unwrap());
    let waiting = tokio::spawn(async move { send(http_client().get(url)).await.status });
    let service = start().await;
    assert_eq!(waiting.await.unwrap(), 200);
    service.stop().await;
}

#[tokio::test]
async fn sockets_that_the_service_cannot_use_are_refused() {
    let dir = ServiceDirectory::create();
    let socket = || OwnedFd::from(listener());
    let said = failure(&dir, "mian", [socket(), socket()], &[]).await;
    assert!(said.contains(r#"the passed socket "mian" has an unknown name; set FileDescriptorName=main"#), "{said}");
    let said = failure(&dir, "main:main", [socket(), socket()], &[]).await;
    assert!(said.contains(r#"two sockets named "main" were passed"#), "{said}");
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let said = failure(&dir, "main", [datagrams.into(), socket()], &[]).await;
    assert!(said.contains(r#"cannot use the passed socket "main""#), "{said}");
    let main = listener();
    let connection = std::net::TcpStream::connect(main.local_addr().unwrap()).unwrap();
    let said = failure(&dir, "main", [connection.into(), socket()], &[]).await;
    assert!(said.contains("it does not listen; use Accept=no"), "{said}");
}

#[tokio::test]
async fn passed_socket_that_others_can_reach_needs_a_key_or_public() {
    let dir = ServiceDirectory::create();
    let open = TcpListener::bind("0.0.0.0:0").unwrap();
    let said = failure(&dir, "main", [shared(&open), shared(&open)], &[]).await;
    assert!(said.contains("is reachable from other machines") && said.contains("--public"), "{said}");
    let said = failure(&dir, "main:admin", [shared(&listener()), shared(&open)], &[]).await;
    assert!(said.contains("--admin-listen 0.0.0.0:") && said.contains("--admin-token-file"), "{said}");
    let service =
        Service::start_command(command(&dir, "main", [shared(&open), shared(&open)], &["--public"]), dir.path("none")).await;
    assert_eq!(service.address(), open.local_addr().unwrap());
    service.stop().await;
}

#[tokio::test]
async fn sockets_for_another_process_are_ignored() {
    let dir = ServiceDirectory::create();
    let variables = [("LISTEN_FDS", "1"), ("LISTEN_PID", "1"), ("LISTEN_FDNAMES", "main")];
    let service = Service::start_in(&dir.path(""), &variables, &["--listen", "127.0.0.1:0"]).await;
    assert_eq!(service.get("/healthz").await.status, 200);
    service.stop().await;
}
