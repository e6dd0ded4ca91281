//! Three services behind a load balancer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use http::Method;
use media_cache_server::SigningKeys;
use media_cache_test_support::balancer::{Balancer, BalancerKind};
use media_cache_test_support::http_client::{HttpResponse, http_client, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::{Service, write_secret};
use media_cache_test_support::soon::soon;
use reqwest::RequestBuilder;
use sha2::{Digest, Sha256};

/// The key for signatures and for links made for camo.
pub const KEY: &str = "correct horse battery staple";

/// The number of services.
pub const NODES: usize = 3;

/// Three services, a load balancer in front of them, and an origin behind them.
pub struct Fleet {
    pub kind: BalancerKind,
    pub origin: HttpOrigin,
    nodes: [Node; NODES],
    balancer: Balancer,
    client: reqwest::Client,
}

/// How all services are started.
#[derive(Clone, Default)]
pub struct NodeOptions {
    /// Environment variables.
    pub variables: Vec<(&'static str, String)>,
    /// Additional arguments.
    pub arguments: Vec<String>,
}

/// A service, which may be stopped.
struct Node {
    directory: ServiceDirectory,
    options: NodeOptions,
    address: SocketAddr,
    service: Option<Service>,
}

impl Node {
    /// Starts a node on a free port.
    async fn start(options: NodeOptions) -> Self {
        let directory = ServiceDirectory::create();
        write_secret(&directory.path("key"), KEY);
        let mut node = Self { directory, options, address: SocketAddr::from(([127, 0, 0, 1], 0)), service: None };
        node.restart().await;
        until_ready(node.service.as_ref().unwrap(), 200).await;
        node
    }

    fn access(directory: &ServiceDirectory) -> [String; 6] {
        let key = directory.path("key").to_str().unwrap().to_owned();
        ["--signing-key-file".into(), key.clone(), "--camo-key-file".into(), key, "--allow-origin".into(), "*".into()]
    }

    /// Starts the node, at the same address as before if it has been started before.
    async fn restart(&mut self) {
        let (address, access) = (self.address.to_string(), Self::access(&self.directory));
        let trace = self.trace();
        let mut arguments = vec!["--listen", &address, "--record-trace", trace.to_str().unwrap()];
        arguments.extend(access.iter().chain(&self.options.arguments).map(String::as_str));
        let service = Service::start_with_variables(&self.directory.cache(), &self.options.variables, &arguments).await;
        self.address = service.address();
        self.service = Some(service);
    }

    /// The file with the requests to the node.
    fn trace(&self) -> PathBuf {
        self.directory.path("trace.csv")
    }
}

impl Fleet {
    /// Starts everything. The balancer's first requests may find nodes that it has not checked yet.
    pub async fn start(kind: BalancerKind) -> Self {
        Self::start_with(kind, NodeOptions::default()).await
    }

    /// Starts everything, with these options for the nodes.
    pub async fn start_with(kind: BalancerKind, options: NodeOptions) -> Self {
        let (a, b, c) = tokio::join!(Node::start(options.clone()), Node::start(options.clone()), Node::start(options));
        let nodes = [a, b, c];
        let balancer = Balancer::start(kind, nodes.each_ref().map(|node| node.address)).await;
        Self { kind, origin: HttpOrigin::start().await, nodes, balancer, client: http_client() }
    }

    /// The address of the load balancer.
    pub fn address(&self) -> SocketAddr {
        self.balancer.address()
    }

    /// A service that runs.
    pub fn node(&self, index: usize) -> &Service {
        self.nodes[index].service.as_ref().unwrap()
    }

    /// All services that run.
    pub fn running(&self) -> impl Iterator<Item = (usize, &Service)> {
        self.nodes.iter().enumerate().filter_map(|(index, node)| Some((index, node.service.as_ref()?)))
    }

    /// The metrics of a service.
    pub async fn metrics(&self, index: usize) -> String {
        String::from_utf8(self.node(index).get("/metrics").await.body.to_vec()).unwrap()
    }

    /// Kills a service.
    pub async fn kill(&mut self, index: usize) {
        self.nodes[index].service.take().unwrap().kill().await;
    }

    /// Starts a killed service again.
    pub async fn restart(&mut self, index: usize) {
        self.nodes[index].restart().await;
    }

    /// Stops all services, and returns the lines of their traces, ordered by time.
    pub async fn stop_and_trace(mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for node in &mut self.nodes {
            if let Some(service) = node.service.take() {
                service.stop().await;
            }
            lines.extend(std::fs::read_to_string(node.trace()).unwrap().lines().map(str::to_owned));
        }
        let time = |line: &String| line.split(',').next().unwrap().parse::<f64>().unwrap();
        lines.sort_by(|a, b| time(a).total_cmp(&time(b)));
        lines
    }

    /// Removes the directory of a service, which is then degraded.
    pub fn remove_directory(&self, index: usize) {
        std::fs::remove_dir_all(self.nodes[index].directory.cache()).unwrap();
    }

    /// A request to the load balancer.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address()))
    }

    /// Gets a path through the load balancer.
    pub async fn get(&self, path: &str) -> HttpResponse {
        send(self.request(Method::GET, path)).await
    }

    /// URLs of new images at the origin.
    pub fn images(&self, name: &str, count: u64) -> Vec<String> {
        (0..count).map(|number| self.origin.serves(&format!("/{name}{number}.png"), "image/png", png(number))).collect()
    }

    /// The nodes that store each URL, once all of this number of URLs are stored.
    pub async fn holders(&self, count: usize) -> BTreeMap<String, Vec<usize>> {
        // A response may end before its media is stored.
        soon(async {
            loop {
                let holders = self.stored().await;
                if holders.len() >= count {
                    return holders;
                }
            }
        })
        .await
    }

    async fn stored(&self) -> BTreeMap<String, Vec<usize>> {
        let mut holders = BTreeMap::<String, Vec<usize>>::new();
        for (index, service) in self.running() {
            for entry in service.get("/entries?limit=1000").await.json()["entries"].as_array().unwrap() {
                holders.entry(entry["url"].as_str().unwrap().to_owned()).or_default().push(index);
            }
        }
        holders
    }
}

/// Waits until `/readyz` responds with a status. No event signals that.
pub async fn until_ready(service: &Service, status: u16) {
    soon(async { while service.get("/readyz").await.status != status {} }).await;
}

/// The path of a signed request with the digest of the cache key.
pub fn digest_path(url: &str, expires: Option<u64>) -> String {
    let digest = Sha256::digest(url).into();
    keys().sign_with_digest(url, &digest, expires).unwrap()
}

/// The path of a signed request with the URL as a parameter.
pub fn query_path(url: &str, expires: Option<u64>) -> String {
    keys().sign(url, expires).unwrap()
}

fn keys() -> SigningKeys {
    SigningKeys::new([KEY]).unwrap()
}
