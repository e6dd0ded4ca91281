//! The service that a command for its components uses.

use std::path::Path;

use anyhow::Context;
use clap::Args;
use media_cache::{Pipes, read_small_file};
use url::Url;

use crate::config::ConfigurationFile;
use crate::service_client::{ServiceClient, TokenFile, service_address};

/// The address of a service with the default options.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

/// The service, and the format of its response.
#[derive(Args)]
pub struct Server {
    #[command(flatten)]
    config: ConfigurationFile,
    /// The address of the service
    #[arg(long, value_name = "URL", default_value = DEFAULT_SERVER, value_parser = service_address)]
    server: Url,
    #[command(flatten)]
    token: TokenFile,
    /// Print the response of the service as JSON
    #[arg(long)]
    pub json: bool,
}

impl Server {
    /// The service.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn client(&self) -> anyhow::Result<ServiceClient> {
        ServiceClient::new(self.server.clone(), &self.token)
    }
}

/// Reads a component to send, and rejects a file that is not WebAssembly. `what` describes the component in errors.
pub fn read_component(what: &str, path: &Path, max_bytes: u64) -> anyhow::Result<Vec<u8>> {
    let component = read_small_file(path, max_bytes, Pipes::Accepted);
    let component = component.with_context(|| format!("cannot read the {what} {}", path.display()))?;
    anyhow::ensure!(component.starts_with(b"\0asm"), "{} is not WebAssembly", path.display());
    Ok(component)
}
