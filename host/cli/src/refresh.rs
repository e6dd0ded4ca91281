//! `media-cache refresh`.

use std::process::ExitCode;

use clap::Args;
use indicatif::HumanBytes;
use reqwest::Method;
use serde_json::Value;

use crate::policy::Server;

/// `media-cache refresh`.
#[derive(Args)]
pub struct Refresh {
    /// The URL to fetch again
    url: String,
    #[command(flatten)]
    server: Server,
}

impl Refresh {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let query = [("url".to_owned(), self.url)];
        let refreshed = self.server.ask(Method::POST, "refresh", &query, None).await?;
        self.server.print(&refreshed, describe)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn describe(refreshed: &Value) -> Vec<String> {
    let outcome = if refreshed["changed"] == true { "changed" } else { "unchanged" };
    let text = |key: &str| refreshed[key].as_str().unwrap_or_default();
    let size = HumanBytes(refreshed["size"].as_u64().unwrap_or(0));
    vec![format!("{outcome}: {}, {}, {size}", text("filename"), text("mimetype"))]
}
