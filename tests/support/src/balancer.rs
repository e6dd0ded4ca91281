//! The load balancers whose configurations are in `contrib`, run as they are except for the addresses in them.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Child;

use crate::soon::soon;

/// How many ports are tried, since another program may take one before the balancer does.
const ATTEMPTS: usize = 5;

/// The name of the file with the output of a balancer.
const LOG: &str = "log";

/// A load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalancerKind {
    /// nginx.
    Nginx,
    /// HAProxy.
    Haproxy,
    /// Envoy.
    Envoy,
}

/// A running load balancer, which is killed when this is dropped.
pub struct Balancer {
    address: SocketAddr,
    directory: TempDir,
    _child: Child,
}

impl BalancerKind {
    /// Its program.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
        }
    }

    /// The configuration that is shipped.
    #[must_use]
    pub fn shipped(self) -> &'static str {
        match self {
            Self::Nginx => include_str!("../../../contrib/nginx/media-cache.conf"),
            Self::Haproxy => include_str!("../../../contrib/haproxy/haproxy.cfg"),
            Self::Envoy => include_str!("../../../contrib/envoy/envoy.yaml"),
        }
    }

    /// The configuration with other addresses in the two places that operators edit.
    fn configured(self, listen: SocketAddr, nodes: [SocketAddr; 3]) -> String {
        let written = |address: SocketAddr| match self {
            Self::Envoy => format!("address: {}, port_value: {}", address.ip(), address.port()),
            _ => address.to_string(),
        };
        let (place, listening) = match self {
            Self::Nginx => ("listen 80;", format!("listen {listen};")),
            Self::Haproxy => ("bind :80", format!("bind {listen}")),
            Self::Envoy => ("address: 0.0.0.0, port_value: 80 ", format!("{} ", written(listen))),
        };
        let places = (1..).zip(nodes).map(|(number, node)| (written(SocketAddr::from(([192, 0, 2, number], 8080))), written(node)));
        let places = places.chain([(place.to_owned(), listening)]);
        places.fold(self.shipped().to_owned(), |text, (place, address)| {
            assert_eq!(text.matches(&place).count(), 1, "{place}");
            text.replace(&place, &address)
        })
    }

    /// Writes the files that the program needs to a directory, and returns the one that it reads first.
    fn write(self, directory: &Path, configuration: &str) -> PathBuf {
        // Envoy tells the format by the name.
        let file = directory.join(if self == Self::Envoy { "envoy.yaml" } else { "media-cache.conf" });
        std::fs::write(&file, configuration).unwrap();
        if self != Self::Nginx {
            return file;
        }
        // What a distribution's nginx.conf contains, in one process so that it can be killed.
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {kind};"));
        let main = directory.join("nginx.conf");
        let text = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr;\nevents {{}}\n\
             http {{ access_log off; {} include media-cache.conf; }}\n",
            paths.join(" ")
        );
        std::fs::write(&main, text).unwrap();
        main
    }

    fn command(self, directory: &Path, file: &Path, is_check: bool) -> Command {
        let mut command = Command::new(self.program());
        match self {
            Self::Nginx => command.args(is_check.then_some("-t")).arg("-p").arg(directory).arg("-c"),
            Self::Haproxy => command.arg(if is_check { "-c" } else { "-db" }).arg("-f"),
            Self::Envoy => {
                let mode = if is_check { "validate" } else { "serve" };
                command.args(["--mode", mode, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warn", "-c"])
            }
        };
        command.arg(file);
        command
    }

    /// The output of the program's own check of the shipped configuration, unchanged.
    #[must_use]
    pub fn check(self) -> Output {
        let directory = tempfile::tempdir().unwrap();
        let file = self.write(directory.path(), self.shipped());
        self.command(directory.path(), &file, true).output().unwrap()
    }
}

impl Balancer {
    /// Starts a load balancer for these nodes.
    pub async fn start(kind: BalancerKind, nodes: [SocketAddr; 3]) -> Self {
        for _ in 0..ATTEMPTS {
            let directory = tempfile::tempdir().unwrap();
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let file = kind.write(directory.path(), &kind.configured(address, nodes));
            let log = directory.path().join(LOG);
            let mut command = kind.command(directory.path(), &file, false);
            command
                .stdin(Stdio::null())
                .stdout(File::create(&log).unwrap())
                .stderr(File::options().append(true).open(&log).unwrap());
            let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
            if accepts(address, &mut child).await {
                return Self { address, directory, _child: child };
            }
            println!("{} ended: {}", kind.program(), std::fs::read_to_string(log).unwrap());
        }
        panic!("{} does not start", kind.program());
    }

    /// The address that clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Balancer {
    /// Shows the log of a failed test.
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", std::fs::read_to_string(self.directory.path().join(LOG)).unwrap_or_default());
        }
    }
}

/// Waits until a process accepts connections. Returns whether it still runs. No event signals that.
async fn accepts(address: SocketAddr, child: &mut Child) -> bool {
    soon(async {
        loop {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect(address).await.is_ok() {
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
}
