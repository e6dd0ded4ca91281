//! The shadow policies of a service.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use media_cache::policy::{PolicyChoice, PolicyEngine, PolicyInstance, PolicyLimits, RequestObserver};
use media_cache::{MediaCache, PolicySpec, embedded};
use media_cache_server::{Service, ShadowReport};
use media_cache_shadows::{Active, Decision, Progress, ShadowOptions, Shadows};
use media_cache_simulator::Objective;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::storage::MIB;

/// The value of `--shadow` for none.
const NONE: &str = "none";

/// The options of built-in policies that make them useful as shadows, if they are not the defaults.
const RECOMMENDED: &[(&str, &str)] = &[("gdsf", "gdsf:beta=0.5")];

/// The shadow policies of a service.
#[derive(Args)]
#[command(next_help_heading = "Shadow policies")]
pub struct ShadowPolicies {
    /// A policy to compare with the active one while the service runs: a name or a component file, with options; may be repeated. `none`
    /// for no comparison [default: all built-in policies, gdsf with beta=0.5]
    #[arg(long, value_name = "POLICY", value_delimiter = '\n')]
    shadow: Vec<String>,
    /// What to minimise: `requests` (misses), `bytes` (missed bytes), `wait` (time that clients wait for misses), or weights such as
    /// `requests=1,bytes=20KB`
    #[arg(long, value_name = "OBJECTIVE", default_value_t)]
    objective: Objective,
    /// The memory that the comparison may use, in MiB; with less, it samples more sparsely
    #[arg(long, value_name = "MB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(32..=65536))]
    shadow_memory_mb: u64,
    /// The share of one processor core that the comparison may use, in percent; with less, it samples more sparsely
    #[arg(long, value_name = "PERCENT", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=100))]
    shadow_cpu_percent: u64,
    /// The minimum length of the windows in which misses are compared, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86400))]
    shadow_window_seconds: u64,
}

/// Running shadows, for a cache that may not have been opened yet.
pub struct RunningShadows {
    shadows: Arc<Shadows>,
    cache: Arc<OnceLock<MediaCache>>,
    decisions: mpsc::UnboundedReceiver<Decision>,
    own_swaps: Arc<AtomicU64>,
    policies: Vec<PolicyChoice>,
}

impl ShadowPolicies {
    /// Starts the shadows. `None` if there are none. `engine` runs and compiles them.
    ///
    /// # Errors
    /// A policy cannot be used.
    pub fn start(&self, engine: &PolicyEngine, is_automatic: bool) -> anyhow::Result<Option<RunningShadows>> {
        let policies = self.choices(engine, is_automatic)?;
        if policies.is_empty() {
            return Ok(None);
        }
        let options = ShadowOptions {
            objective: self.objective,
            is_automatic,
            memory_bytes: self.shadow_memory_mb * MIB,
            cpu_share: self.shadow_cpu_percent as f64 / 100.0,
            min_window: Duration::from_secs(self.shadow_window_seconds),
            ..ShadowOptions::new(policies.clone())
        };
        let (sender, decisions) = mpsc::unbounded_channel();
        let cache = Arc::new(OnceLock::<MediaCache>::new());
        let of_active = cache.clone();
        let own_swaps = Arc::<AtomicU64>::default();
        let swaps = own_swaps.clone();
        let active = Arc::new(move || of_active.get().map_or_else(Active::default, |cache| active(cache, &swaps)));
        // If the service stops, nothing is switched any more.
        let decide = Box::new(move |progress: &Progress| {
            let _ = progress.decision.clone().map(|decision| sender.send(decision));
        });
        let shadows = Shadows::start(engine.clone(), options, active, decide).context("cannot start the shadow policies")?;
        Ok(Some(RunningShadows { shadows: Arc::new(shadows), cache, decisions, own_swaps, policies }))
    }

    /// The policies, compiled, and with valid options.
    fn choices(&self, engine: &PolicyEngine, is_automatic: bool) -> anyhow::Result<Vec<PolicyChoice>> {
        let choose = |text: &str| -> anyhow::Result<PolicyChoice> {
            let spec: PolicySpec = text.parse().with_context(|| format!("--shadow {text}"))?;
            let choice = spec.choose(engine).with_context(|| format!("--shadow {text}"))?;
            let created = || PolicyInstance::new(engine, &choice.component, PolicyLimits::default())?.create(MIB, &choice.options);
            created().with_context(|| format!("--shadow {text}"))?;
            Ok(choice)
        };
        match &self.shadow[..] {
            [none] if none == NONE => {
                anyhow::ensure!(!is_automatic, "--policy auto needs shadow policies, but there are none (--shadow none)");
                Ok(Vec::new())
            }
            [] => embedded::policy_names().into_iter().map(|name| choose(recommended(name))).collect(),
            policies => policies.iter().map(|policy| choose(policy)).collect(),
        }
    }

    /// Why the shadows cannot be used.
    pub fn problem(&self, engine: &PolicyEngine, is_automatic: bool) -> Option<anyhow::Error> {
        self.choices(engine, is_automatic).err()
    }
}

/// A built-in policy with the options that make it useful as a shadow.
fn recommended(name: &str) -> &str {
    RECOMMENDED.iter().find(|(known, _)| *known == name).map_or(name, |(_, policy)| policy)
}

impl RunningShadows {
    /// The observer of the cache's requests.
    pub fn observer(&self) -> Arc<dyn RequestObserver> {
        self.shadows.observer()
    }

    /// The report for the service.
    pub fn report(&self) -> Arc<dyn ShadowReport> {
        Arc::new(Reported(self.shadows.clone()))
    }

    /// Follows the decisions of the shadows once the cache has been opened, until the service stops.
    pub async fn follow(mut self, service: Service, cache: MediaCache, mut stopped: watch::Receiver<bool>) {
        if self.cache.set(cache.clone()).is_err() {
            return;
        }
        loop {
            let decision = tokio::select! {
                Some(decision) = self.decisions.recv() => decision,
                _ = stopped.wait_for(|stopped| *stopped) => return,
            };
            if !self.switch(&service, &cache, &decision).await {
                self.shadows.switch_failed();
            }
        }
    }

    /// Follows a decision, unless the policy has changed since. Returns whether the policy was switched.
    async fn switch(&self, service: &Service, cache: &MediaCache, Decision { from, to }: &Decision) -> bool {
        let current = cache.policy_spec().to_string();
        let Some(choice) = self.policies.iter().find(|choice| choice.spec().to_string() == *to) else { return false };
        if current != *from {
            tracing::info!("the policy is not switched from {from} to {to}, because it is {current} by now");
            return false;
        }
        // Counted before the shadows can see the new policy.
        self.own_swaps.fetch_add(1, Ordering::Relaxed);
        match service.swap_policy(cache, choice.clone()).await {
            Ok(_) => tracing::info!("switched the policy from {from} to {to}, as the shadow policies advise"),
            Err(error) => {
                self.own_swaps.fetch_sub(1, Ordering::Relaxed);
                tracing::error!("cannot switch the policy from {from} to {to}: {error}");
                return false;
            }
        }
        true
    }
}

/// The policy of a cache. `own_swaps` is how often the shadows have replaced it.
fn active(cache: &MediaCache, own_swaps: &AtomicU64) -> Active {
    let status = cache.policy();
    let other_swaps = status.swaps.saturating_sub(own_swaps.load(Ordering::Relaxed));
    Active::of_cache(&cache.policy_spec(), &status, other_swaps)
}

struct Reported(Arc<Shadows>);

impl ShadowReport for Reported {
    fn document(&self) -> Value {
        serde_json::to_value(&*self.0.report()).unwrap_or_default()
    }
}
