//! Services with a second tier, each with a directory of its own.

use std::ops::Deref;

use media_cache_test_support::object_store::ObjectStore;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::sha256::sha256;
use media_cache_test_support::soon::soon;
use serde_json::Value;

/// The location of the tier in the object store.
pub const LOCATION: &str = "s3://bucket/media";

const TIMEOUT: &str = "--tier-timeout-ms";

/// A timeout that the store in this process does not exceed, even on a busy machine.
const PATIENT: &str = "20000";

/// A service with a second tier.
pub struct Node {
    pub dir: ServiceDirectory,
    pub service: Service,
}

impl Node {
    /// Starts a service whose second tier is in the store.
    pub async fn start(store: &ObjectStore) -> Self {
        Self::start_with(store, &[]).await
    }

    /// The same with additional arguments.
    pub async fn start_with(store: &ObjectStore, arguments: &[&str]) -> Self {
        Self::start_at(LOCATION, &store.variables(), arguments).await
    }

    /// Starts a service with a second tier elsewhere.
    pub async fn start_at(location: &str, variables: &[(&str, String)], arguments: &[&str]) -> Self {
        let dir = ServiceDirectory::create();
        let timeout = if arguments.contains(&TIMEOUT) { &[][..] } else { &[TIMEOUT, PATIENT] };
        let arguments = [&["--listen", "127.0.0.1:0", "--tier", location], timeout, arguments].concat();
        let service = Service::start_with_variables(&dir.cache(), variables, &arguments).await;
        // From here on, a store that fails does so in the requests of the test.
        service.wait_for_log("the second tier can").await;
        Self { dir, service }
    }

    /// What the service reports about its tier.
    pub async fn tier(&self) -> Value {
        self.service.stats().await["tier"].clone()
    }

    /// The number of operations with an outcome.
    pub async fn count(&self, operations: &str, outcome: &str) -> u64 {
        let tier = self.tier().await;
        tier[operations][outcome].as_u64().unwrap_or_else(|| panic!("no {operations}.{outcome} in {tier}"))
    }

    /// Waits until this many uploads have had an outcome.
    pub async fn until_uploads(&self, outcome: &str, count: u64) {
        soon(async { while self.count("uploads", outcome).await < count {} }).await;
    }
}

impl Deref for Node {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}

/// The names of the two objects of the entry of a URL.
pub fn objects(url: &str) -> [String; 2] {
    ["dat", "json"].map(|extension| format!("media/{}.{extension}", sha256(url)))
}
