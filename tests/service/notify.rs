//! Notifications for the service manager.

use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::{Service, Signal};
use media_cache_test_support::soon::soon;
use tokio::net::UnixDatagram;

/// The next message.
async fn next(socket: &UnixDatagram) -> String {
    let mut message = vec![0; 4096];
    let length = soon(socket.recv(&mut message)).await.unwrap();
    message.truncate(length);
    String::from_utf8(message).unwrap()
}

/// The next message that is not a watchdog notification, without the time in it.
async fn next_change(socket: &UnixDatagram) -> Vec<String> {
    loop {
        let message = next(socket).await;
        if message != "WATCHDOG=1\n" {
            return message.lines().map(|line| line.split("_USEC=").next().unwrap().to_owned()).collect();
        }
    }
}

#[tokio::test]
async fn service_manager_receives_each_state_change_in_order() {
    let dir = ServiceDirectory::create();
    let path = dir.path("manager");
    let socket = UnixDatagram::bind(&path).unwrap();
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "200000")];
    let service = Service::start_in(&dir.path(""), &variables, &["--listen", "127.0.0.1:0"]).await;
    let address = service.address();
    let ready = format!("STATUS=listening on http://{address}, and loading media_cache");
    assert_eq!(next_change(&socket).await, ["READY=1", &ready]);
    assert_eq!(next_change(&socket).await, [format!("STATUS=serving on http://{address}")]);
    for _ in 0..3 {
        assert_eq!(next(&socket).await, "WATCHDOG=1\n");
    }
    service.signal(Signal::HUP);
    assert_eq!(next_change(&socket).await, ["RELOADING=1", "MONOTONIC", "STATUS=reloading the configuration"]);
    assert_eq!(next_change(&socket).await, ["READY=1", "STATUS=serving; the configuration has been reloaded"]);
    service.signal(Signal::TERM);
    assert_eq!(next_change(&socket).await, ["STOPPING=1", "STATUS=finishing requests in progress"]);
    assert_eq!(service.wait().await.code(), Some(0));
}

#[tokio::test]
async fn service_manager_that_reads_no_messages_does_not_block_the_service() {
    let dir = ServiceDirectory::create();
    let path = dir.path("manager");
    let _socket = UnixDatagram::bind(&path).unwrap();
    // More messages than a socket holds, in a short time.
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "20")];
    let service = Service::start_in(&dir.path(""), &variables, &["--listen", "127.0.0.1:0"]).await;
    for _ in 0..3 {
        service.stats().await;
    }
    service.stop().await;
}
