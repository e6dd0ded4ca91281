//! A running service to use instead of a directory.

use clap::Args;
use url::Url;

use crate::service_client::{ServiceClient, TokenFile, service_address};

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
    /// Returns an error with a message for the user.
    pub fn client(&self) -> anyhow::Result<Option<ServiceClient>> {
        self.server.clone().map(|server| ServiceClient::new(server, &self.token)).transpose()
    }

    /// The service that is named, or the one at this address.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn client_or(&self, default: Url) -> anyhow::Result<ServiceClient> {
        ServiceClient::new(self.server.clone().unwrap_or(default), &self.token)
    }
}
