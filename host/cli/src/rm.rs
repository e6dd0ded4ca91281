//! `media-cache rm`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::output;
use crate::storage::Storage;

/// `media-cache rm`.
#[derive(Args)]
pub struct Rm {
    /// What to remove
    #[arg(required = true)]
    urls: Vec<String>,
    /// Print a JSON object for each URL: whether something was removed, and what kept it from being removed
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: Storage,
}

impl Rm {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let cache = self.storage.open_for_reading().await?;
        let mut code = ExitCode::SUCCESS;
        let mut documents = Vec::new();
        for url in &self.urls {
            // If one cannot be removed, the others are removed all the same.
            let outcome = cache.remove(url).await;
            let error = outcome.as_ref().err().map(ToString::to_string);
            documents.push(json!({ "url": url, "removed": matches!(outcome, Ok(true)), "error": error }));
            let problem = match outcome {
                Ok(true) => continue,
                Ok(false) => format!("nothing is stored for {url}"),
                Err(error) => format!("cannot remove {url}: {error}"),
            };
            output::problem(problem);
            code = ExitCode::FAILURE;
        }
        cache.close().await?;
        if self.json {
            documents.iter().try_for_each(output::json_value)?;
        }
        Ok(code)
    }
}
