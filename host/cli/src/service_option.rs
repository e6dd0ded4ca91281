//! A running service to use instead of a directory.

use clap::Args;
use url::Url;

use crate::config::{Setting, Settings, UsageError};
use crate::service_client::{ServiceClient, TokenFile, service_address};

/// The options under a heading that have an effect although the command uses a service. All options without a heading do.
const EFFECTIVE: [&str; 2] = ["config", "max-body-mb"];

/// A running service, for commands that otherwise use a directory.
#[derive(Args)]
pub struct ServiceOption {
    /// The address of a running service to use instead of a directory
    #[arg(long, value_name = "URL", conflicts_with = "dir", value_parser = service_address)]
    server: Option<Url>,
    #[command(flatten)]
    token: TokenFile,
}

impl ServiceOption {
    /// The service, if one is named.
    ///
    /// # Errors
    /// Returns an error with a message for the user, even if an argument merely has no effect on a service, which has its own options.
    pub fn client(&self, settings: &Settings) -> anyhow::Result<Option<ServiceClient>> {
        let Some(server) = &self.server else { return Ok(None) };
        let is_ineffective =
            |setting: &&Setting| setting.is_flag() && setting.heading.is_some() && !EFFECTIVE.contains(&&*setting.name);
        if let Some(Setting { name, .. }) = settings.iter().find(is_ineffective) {
            let message = format!("--{name} has no effect with --server; the service has its own options");
            return Err(UsageError::new(message).into());
        }
        ServiceClient::new(server.clone(), &self.token).map(Some)
    }

    /// The service that is named, or the one at this address.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn client_or(&self, default: Url) -> anyhow::Result<ServiceClient> {
        ServiceClient::new(self.server.clone().unwrap_or(default), &self.token)
    }
}
