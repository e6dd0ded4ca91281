//! `media-cache stats`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::config::Settings;
use crate::output;
use crate::service_option::ServiceOption;
use crate::storage::Storage;

/// `media-cache stats`.
#[derive(Args)]
pub struct Stats {
    /// Print the JSON object on one line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceOption,
    #[command(flatten)]
    storage: Storage,
}

impl Stats {
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let cache = Arc::new(self.storage).used(&self.service, settings).await?;
        let document = cache.stats().await;
        let closed = cache.close().await;
        let document = document?;
        closed?;
        if self.json {
            output::json_value(&document)?
        } else {
            output::json_document(&document)?
        }
        Ok(ExitCode::SUCCESS)
    }
}
