//! `media-cache policy show|list|swap|rollback`: the policy of a running cache.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Args;
use indicatif::{HumanBytes, HumanDuration};
use media_cache::PolicySpec;
use serde_json::Value;

use crate::config::Settings;
use crate::running_cache::RunningCacheOptions;
use crate::used_cache::UsedCache;
use crate::{output, progress};

/// How often the progress of a swap is polled.
const POLL: Duration = Duration::from_millis(200);

/// `media-cache policy show`.
#[derive(Args)]
pub struct Show {
    #[command(flatten)]
    cache: RunningCacheOptions,
}

/// `media-cache policy list`.
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    cache: RunningCacheOptions,
}

/// `media-cache policy swap`.
#[derive(Args)]
pub struct Swap {
    /// The new policy: a name or a component file, with options, such as `gdsf:beta=0.75`
    policy: PolicySpec,
    #[command(flatten)]
    cache: RunningCacheOptions,
}

/// `media-cache policy rollback`.
#[derive(Args)]
pub struct Rollback {
    #[command(flatten)]
    cache: RunningCacheOptions,
}

impl Show {
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let cache = self.cache.connect(settings).await?;
        output::document(&cache.policy().await?, self.cache.json, show)?;
        cache.close().await?;
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let cache = self.cache.connect(settings).await?;
        let (policies, policy) = (cache.policies().await?, cache.policy().await?);
        output::document(&policies, self.cache.json, |policies| list(policies, text(&policy["digest"])))?;
        cache.close().await?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Swap {
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let cache = self.cache.connect(settings).await?;
        let policy = show_progress(&cache, "compiling", cache.swap_policy(&self.policy)).await?;
        output::document(&policy, self.cache.json, in_place)?;
        cache.close().await?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Rollback {
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let cache = self.cache.connect(settings).await?;
        let policy = show_progress(&cache, "waiting", cache.rollback_policy()).await?;
        output::document(&policy, self.cache.json, in_place)?;
        cache.close().await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Waits for a swap, and shows its progress on a terminal: what happens before the new policy is seeded, and then its seeding.
async fn show_progress(
    cache: &UsedCache,
    before: &'static str,
    swap: impl Future<Output = anyhow::Result<Value>>,
) -> anyhow::Result<Value> {
    if !std::io::stderr().is_terminal() {
        return swap.await;
    }
    let bar = progress::timed(before);
    let watch = async {
        loop {
            tokio::time::sleep(POLL).await;
            let asked = cache.policy().await;
            if let Some(progress) = asked.ok().as_ref().map(|policy| &policy["swap"]).filter(|swap| !swap.is_null()) {
                let number = |name: &str| progress[name].as_u64().unwrap_or(0);
                progress::seeded(&bar, number("seeded"), number("entries"));
            }
        }
    };
    let swapped = tokio::select! {
        swapped = swap => swapped,
        () = watch => anyhow::bail!("the progress poll ended early"),
    };
    bar.finish_and_clear();
    swapped
}

fn in_place(policy: &Value) -> Vec<String> {
    let options = policy["options"].as_object().into_iter().flatten().map(|(name, value)| format!("{name}={}", text(value)));
    let options = options.collect::<Vec<_>>().join(", ");
    let options = if options.is_empty() { options } else { format!(" ({options})") };
    vec![format!("{} {}{options} is active", text(&policy["name"]), text(&policy["version"]))]
}

fn show(policy: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push(format!("{name:<18} {value}"));
    line("policy", format!("{} {}", text(&policy["name"]), text(&policy["version"])));
    line("", text(&policy["doc"]).into());
    line("from", text(&policy["origin"]).into());
    line("digest", text(&policy["digest"]).into());
    for (name, value) in policy["options"].as_object().into_iter().flatten() {
        line("option", format!("{name} = {}", text(value)));
    }
    line("active since", ago(&policy["since"]));
    line("calls", format!("{} in {:.3} s", policy["calls"], policy["seconds"].as_f64().unwrap_or(0.0)));
    line("memory", HumanBytes(policy["memory_bytes"].as_u64().unwrap_or(0)).to_string());
    line("rejected ids", policy["rejected_ids"].to_string());
    line("swaps", policy["swaps"].to_string());
    line("fallbacks", policy["fallbacks"].to_string());
    let fault = &policy["last_fault"];
    if !fault.is_null() {
        line("last fault", format!("{}, {}: {}", text(&fault["policy"]), ago(&fault["at"]), text(&fault["why"])));
    }
    if let Some(previous) = policy["previous"].as_str() {
        line("before", previous.into());
    }
    let swap = &policy["swap"];
    if !swap.is_null() {
        line("swapping to", format!("{}: {} of {} entries seeded", text(&swap["to"]), swap["seeded"], swap["entries"]));
    }
    lines
}

fn list(policies: &Value, in_place: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for policy in policies["policies"].as_array().into_iter().flatten() {
        let mark = if policy["digest"] == in_place { '*' } else { ' ' };
        lines.push(format!("{mark} {:<10} {}", text(&policy["name"]), text(&policy["doc"])));
        for option in policy["options"].as_array().into_iter().flatten() {
            lines.push(format!("               {}={}  {}", text(&option["name"]), text(&option["default"]), text(&option["doc"])));
        }
    }
    lines
}

/// A text in a response.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// How long ago a time was, given in seconds since 1970.
fn ago(time: &Value) -> String {
    let since_1970 = Duration::try_from_secs_f64(time.as_f64().unwrap_or(0.0)).unwrap_or(Duration::ZERO);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    format!("{} ago", HumanDuration(now.saturating_sub(since_1970)))
}
