//! nginx with a configuration of this repository.

use std::net::SocketAddr;
use std::process::Stdio;

use media_cache_test_support::soon::eventually;
use tempfile::TempDir;
use tokio::net::TcpSocket;
use tokio::process::{Child, Command};

/// The address of the service in the configurations.
const SERVICE: &str = "server 127.0.0.1:8080;";

/// The port of nginx in the configurations.
const LISTEN: &str = "listen 80;";

/// A running nginx, which ends when this is dropped.
pub struct Nginx {
    address: SocketAddr,
    _process: Child,
    _directory: TempDir,
}

impl Nginx {
    /// Starts nginx with a configuration in front of a service.
    pub async fn start(configuration: &str, service: SocketAddr) -> Self {
        // Reserves a port: on Linux, two sockets that allow reuse can have the same port as long as only one of them listens.
        let reserved = TcpSocket::new_v4().unwrap();
        reserved.set_reuseaddr(true).unwrap();
        reserved.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = reserved.local_addr().unwrap();
        assert!(configuration.contains(SERVICE) && configuration.contains(LISTEN), "{configuration}");
        let site = configuration.replace(SERVICE, &format!("server {service};")).replace(LISTEN, &format!("listen {address};"));

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display();
        let temporary =
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {path}/{name};\n"));
        let text = format!(
            "daemon off;\nmaster_process off;\npid {path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{}{site}}}\n",
            temporary.concat()
        );
        let file = directory.path().join("nginx.conf");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-e").arg("stderr").arg("-c").arg(&file).arg("-p").arg(directory.path());
        let mut process = command.stdin(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        eventually(|| {
            assert_eq!(process.try_wait().unwrap(), None, "nginx has ended");
            std::net::TcpStream::connect(address).is_ok()
        })
        .await;
        Self { address, _process: process, _directory: directory }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}
