//! `media-cache rm`.

use std::process::ExitCode;

use clap::Args;

use crate::storage::Storage;

/// `media-cache rm`.
#[derive(Args)]
pub struct Rm {
    /// What to remove
    #[arg(required = true)]
    urls: Vec<String>,
    #[command(flatten)]
    storage: Storage,
}

impl Rm {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let cache = self.storage.open_for_reading().await?;
        let mut code = ExitCode::SUCCESS;
        for url in &self.urls {
            // If one cannot be removed, the others are removed all the same.
            let problem = match cache.remove(url).await {
                Ok(true) => continue,
                Ok(false) => format!("nothing is stored for {url}"),
                Err(error) => format!("cannot remove {url}: {error}"),
            };
            eprintln!("media-cache: {problem}");
            code = ExitCode::FAILURE;
        }
        cache.close().await?;
        Ok(code)
    }
}
