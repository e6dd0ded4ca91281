//! `media-cache policy show|list|swap|rollback`: the policy of a running service.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use clap::Args;
use indicatif::{HumanBytes, HumanDuration};
use media_cache::policy::PolicyOrigin;
use media_cache::{Pipes, PolicySpec, read_small_file};
use media_cache_server::MAX_POLICY_BYTES;
use reqwest::Method;
use serde_json::Value;
use url::Url;

use crate::config::ConfigurationFile;
use crate::output::{self, OutputError};
use crate::progress;
use crate::service_client::{ServiceClient, TokenFile, service_address};

/// How often the progress of a swap is polled.
const POLL: Duration = Duration::from_millis(200);

/// The service, and the format of its response.
#[derive(Args)]
pub struct Server {
    #[command(flatten)]
    config: ConfigurationFile,
    /// The address of the service
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", value_parser = service_address)]
    server: Url,
    #[command(flatten)]
    token: TokenFile,
    /// Print the response of the service as JSON
    #[arg(long)]
    json: bool,
}

/// `media-cache policy show`.
#[derive(Args)]
pub struct Show {
    #[command(flatten)]
    server: Server,
}

/// `media-cache policy list`.
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    server: Server,
}

/// `media-cache policy swap`.
#[derive(Args)]
pub struct Swap {
    /// The new policy: a name or a component file, with options, such as `gdsf:beta=0.75`
    policy: PolicySpec,
    #[command(flatten)]
    server: Server,
}

/// `media-cache policy rollback`.
#[derive(Args)]
pub struct Rollback {
    #[command(flatten)]
    server: Server,
}

impl Show {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let policy = self.server.ask(Method::GET, "policy", &[], None).await?;
        self.server.print(&policy, show)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let policies = self.server.ask(Method::GET, "policies", &[], None).await?;
        let policy = self.server.ask(Method::GET, "policy", &[], None).await?;
        self.server.print(&policies, |policies| list(policies, text(&policy["digest"])))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Swap {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let mut query = self.policy.options.clone();
        let component = match &self.policy.origin {
            PolicyOrigin::File(path) => Some(read_component("policy", path, MAX_POLICY_BYTES)?),
            origin => {
                query.insert(0, ("name".into(), origin.to_string()));
                None
            }
        };
        let swap = self.server.ask(Method::PUT, "policy", &query, component);
        let policy = self.server.while_showing_progress(swap).await?;
        self.server.print(&policy, in_place)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Rollback {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let swap = self.server.ask(Method::POST, "policy/rollback", &[], None);
        let policy = self.server.while_showing_progress(swap).await?;
        self.server.print(&policy, in_place)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Server {
    fn client(&self) -> anyhow::Result<ServiceClient> {
        ServiceClient::new(self.server.clone(), &self.token)
    }

    /// Sends a request for a path, and returns the document in the response.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(String, String)],
        component: Option<Vec<u8>>,
    ) -> anyhow::Result<Value> {
        let client = self.client()?;
        let request = client.request(method, client.url(path, query)?);
        let request = match component {
            Some(component) => request.header("content-type", "application/wasm").body(component),
            None => request,
        };
        client.ask(request).await
    }

    /// Waits for a swap, and shows its progress on a terminal.
    async fn while_showing_progress(&self, swap: impl Future<Output = anyhow::Result<Value>>) -> anyhow::Result<Value> {
        if !std::io::stderr().is_terminal() {
            return swap.await;
        }
        let bar = progress::seeding();
        let watch = async {
            loop {
                tokio::time::sleep(POLL).await;
                let asked = self.ask(Method::GET, "policy", &[], None).await;
                if let Some(progress) = asked.ok().as_ref().map(|policy| &policy["swap"]).filter(|swap| !swap.is_null()) {
                    bar.set_length(progress["entries"].as_u64().unwrap_or(0));
                    bar.set_position(progress["seeded"].as_u64().unwrap_or(0));
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

    /// Prints a response, as JSON if requested.
    pub fn print(&self, answer: &Value, for_people: impl FnOnce(&Value) -> Vec<String>) -> Result<(), OutputError> {
        if self.json { output::json_value(answer) } else { output::lines(for_people(answer)) }
    }
}

/// Reads a component to send, and rejects a file that is not WebAssembly. `what` describes the component in errors.
pub fn read_component(what: &str, path: &Path, max_bytes: u64) -> anyhow::Result<Vec<u8>> {
    let component = read_small_file(path, max_bytes, Pipes::Accepted);
    let component = component.with_context(|| format!("cannot read the {what} {}", path.display()))?;
    anyhow::ensure!(component.starts_with(b"\0asm"), "{} is not WebAssembly", path.display());
    Ok(component)
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
