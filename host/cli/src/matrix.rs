//! The homeserver through which Matrix media is fetched.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use media_cache_http_downloader::{Homeserver, HomeserverUrl};

use crate::secrets;

/// The homeserver for Matrix media, for commands that download.
#[derive(Args)]
#[command(next_help_heading = "Downloads")]
pub struct Matrix {
    /// The Matrix homeserver through which mxc:// URLs are fetched; its address may be private
    #[arg(long, value_name = "URL", requires = "matrix_token_file")]
    matrix_homeserver: Option<HomeserverUrl>,
    /// A file with an access token for the homeserver
    #[arg(long, value_name = "FILE", requires = "matrix_homeserver")]
    matrix_token_file: Option<PathBuf>,
}

impl Matrix {
    /// The homeserver, if there is one, with the token that is now in the file.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn homeserver(&self) -> anyhow::Result<Option<Homeserver>> {
        let (Some(url), Some(file)) = (&self.matrix_homeserver, &self.matrix_token_file) else { return Ok(None) };
        let token = secrets::text(file).with_context(|| format!("cannot read the access token in {}", file.display()))?;
        let homeserver = Homeserver::new(url.clone(), token.trim());
        Ok(Some(homeserver.with_context(|| format!("the file {} contains no access token", file.display()))?))
    }
}
