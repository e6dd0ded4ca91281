//! The options of a tier.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The default of [`TierOptions::timeout`].
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// Chooses URLs.
pub type UrlRule = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// How a node uses a tier.
#[derive(Clone)]
pub struct TierOptions {
    /// The name of this node in the store: in leases, and where it lists what it has used. Names must differ between nodes.
    pub node: String,
    /// The maximum time for the response to a request, and for each further MiB of its body. 2 seconds by default.
    pub timeout: Duration,
    /// The maximum number of concurrent lookups. Further ones wait for at most [`timeout`](Self::timeout). 64 by default.
    pub max_lookups: usize,
    /// The maximum number of concurrent uploads. 4 by default.
    pub max_uploads: usize,
    /// The maximum number of entries that wait to be uploaded, including those whose bodies are still arriving. Further ones are not
    /// uploaded. 1000 by default.
    pub max_queue: usize,
    /// How long uploading an entry is tried again while it fails. 300 seconds by default.
    pub retry_time: Duration,
    /// The size in bytes from which a node needs a lease to fetch media from its origin. With 0, it takes the lease before it asks the
    /// origin; otherwise, when the origin announces the size, in which case another node that has the lease already causes this
    /// node to abandon its download. `None` for no leases. 1 MiB by default.
    pub lease_bytes: Option<u64>,
    /// URLs for which a node takes a lease before it asks the origin, whatever their size. None by default.
    pub lease_first: UrlRule,
    /// How long a lease is valid, and so the longest time for which a request waits for another node. 30 seconds by default.
    pub lease_time: Duration,
}

impl TierOptions {
    /// The default options for a node with this name.
    #[must_use]
    pub fn new(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            timeout: DEFAULT_TIMEOUT,
            max_lookups: 64,
            max_uploads: 4,
            max_queue: 1000,
            retry_time: Duration::from_secs(300),
            lease_bytes: Some(1 << 20),
            lease_first: Arc::new(|_| false),
            lease_time: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for TierOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TierOptions").field("node", &self.node).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
