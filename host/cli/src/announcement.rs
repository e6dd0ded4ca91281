//! Prints the addresses of a service on standard output.

use std::time::Duration;

use crate::output::{self, OutputError};

/// How long the service waits if standard output is not read.
const PATIENCE: Duration = Duration::from_secs(1);

/// Prints the addresses before returning, if standard output accepts them. If it does not, the service starts anyway.
pub async fn announce(lines: String) {
    let printing = tokio::task::spawn_blocking(move || output::raw(lines.as_bytes()));
    match tokio::time::timeout(PATIENCE, printing).await {
        // A reader that has closed the pipe does not need the addresses.
        Ok(Ok(Ok(()) | Err(OutputError::Closed))) => {}
        Ok(Ok(Err(error))) => tracing::error!("cannot print the address on standard output: {error}"),
        Ok(Err(error)) => tracing::error!("cannot print the address on standard output: {error}"),
        Err(_) => tracing::warn!("the address is not printed, since standard output is not read"),
    }
}
