//! The second tier of a service.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use media_cache::policy::RequestObserver;
use media_cache::{Builder, Downloader, KeyRules, MediaCache, Spool};
use media_cache_http_downloader::HostPattern;
use media_cache_server::{SecondTier, TierOutage, TierReport};
use media_cache_tier::{Contact, Direction, Location, Tier, TierOptions};
use url::Url;

pub use crate::tier_copies::{CopiesOption, TierCopies};
use crate::tier_timeout::TierTimeout;

/// The second tier of a service.
#[derive(Args)]
#[command(next_help_heading = "Second tier")]
pub struct TierOption {
    /// A store that several services share: it is checked before an origin, and filled after a download. `s3://BUCKET/PREFIX`,
    /// `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX` or `file:///DIRECTORY`; credentials come from the environment
    #[arg(long, value_name = "URL")]
    tier: Option<Location>,
    #[command(flatten)]
    limits: TierLimits,
}

/// Limits on the use of a second tier.
#[derive(Args)]
#[command(next_help_heading = "Second tier")]
struct TierLimits {
    #[command(flatten)]
    timeout: TierTimeout,
    /// The maximum number of concurrent uploads to the second tier
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=256))]
    tier_uploads: u64,
    /// The maximum number of entries that wait to be uploaded to the second tier; further ones are not uploaded
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    tier_queue: u64,
    /// The announced size, in KiB, from which only one of the services that share the second tier downloads media, while the others wait for
    /// it. With 0, they wait before they ask the origin
    #[arg(long, value_name = "KB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(..=1 << 30))]
    tier_lease_kb: u64,
    /// A host whose media only one of the services that share the second tier requests, whatever its size: `cdn.example.org`, or
    /// `*.example.org` for all its subdomains; may be comma-separated
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    tier_lease_host: Vec<HostPattern>,
}

impl TierOption {
    /// The tier, if one is configured.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn open(&self) -> anyhow::Result<Option<ServiceTier>> {
        let Some(location) = &self.tier else { return Ok(None) };
        let TierLimits { timeout, tier_uploads, tier_queue, tier_lease_kb, ref tier_lease_host } = self.limits;
        let hosts = tier_lease_host.clone();
        let is_leased = move |url: &str| {
            let url = Url::parse(url).ok();
            url.as_ref().and_then(Url::host).is_some_and(|host| hosts.iter().any(|pattern| pattern.matches(&host)))
        };
        let options = TierOptions {
            timeout: timeout.get(),
            max_uploads: usize::try_from(tier_uploads)?,
            max_queue: usize::try_from(tier_queue)?,
            lease_bytes: Some(tier_lease_kb << 10),
            lease_first: Arc::new(is_leased),
            ..TierOptions::new(node_name())
        };
        Ok(Some(ServiceTier(Tier::open(location.clone(), options).context("--tier")?)))
    }
}

/// A name that differs from those of other services, and of this one after a restart.
fn node_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
    let host: String = host.chars().map(|letter| if is_plain(letter) { letter } else { '-' }).take(64).collect();
    format!("{host}-{:08x}", fastrand::u32(..))
}

/// The second tier of a running service.
#[derive(Clone)]
pub struct ServiceTier(Tier);

impl ServiceTier {
    /// Makes a cache look in the tier before it uses `downloader`, and remove entries from both. The key rules must be those of the cache.
    pub fn configure(&self, builder: Builder, downloader: Arc<dyn Downloader>, keys: KeyRules, spool: Arc<Spool>) -> Builder {
        builder.downloader(self.0.downloader(downloader, keys, spool)).copies(Arc::new(self.0.clone()))
    }

    /// Notes what is used.
    pub fn observer(&self) -> Arc<dyn RequestObserver> {
        self.0.observer()
    }

    /// Reports on the tier.
    pub fn report(&self) -> Arc<dyn SecondTier> {
        Arc::new(self.clone())
    }

    /// Uploads what the cache stores from now on.
    pub fn follow(&self, cache: MediaCache) {
        tracing::info!("the second tier is {}", self.name());
        self.0.follow(cache);
    }

    /// Contacts the store. Returns what it is, and the problems.
    pub async fn contact(&self) -> (String, Vec<anyhow::Error>) {
        let name = self.name();
        let Contact { reading, writing } = self.0.contact().await;
        let reading = reading.err().map(|failure| anyhow::anyhow!("the second tier {name} cannot be read: {failure}"));
        let writing = writing.err().map(|failure| anyhow::anyhow!("the second tier {name} cannot be written to: {failure}"));
        (name, reading.into_iter().chain(writing).collect())
    }

    /// The location, and the endpoint that is used for it.
    fn name(&self) -> String {
        let location = self.0.location();
        let endpoint = location.endpoint().map_or_else(String::new, |endpoint| format!(" at {endpoint}"));
        format!("{location}{endpoint}")
    }

    /// Lists in the tier what was used, at most for this long. To be called after the cache was closed.
    pub async fn list_used(&self, limit: Duration) {
        self.0.list_used(limit).await;
    }

    /// Finishes the uploads, at most for this long. To be called before the cache is closed.
    pub async fn finish(&self, limit: Duration) {
        self.0.finish(limit).await;
    }
}

impl SecondTier for ServiceTier {
    fn report(&self) -> TierReport {
        let status = self.0.status();
        let outage =
            |direction: Direction| direction.outage.map(|outage| TierOutage { reason: outage.reason, since: outage.since });
        TierReport {
            location: status.location,
            read_outage: outage(status.reads),
            write_outage: outage(status.writes),
            lookups: status.lookups.into_iter().map(|(outcome, count)| (outcome.name(), count)).collect(),
            lookup_durations: status.lookup_seconds,
            received_bytes: status.received_bytes,
            uploads: status.uploads.into_iter().map(|(outcome, count)| (outcome.name(), count)).collect(),
            sent_bytes: status.sent_bytes,
            queued: status.queued,
            leases: status.leases.into_iter().map(|(outcome, count)| (outcome.name(), count)).collect(),
        }
    }
}
