//! Prints the addresses of a service to standard output.

use std::time::Duration;

use crate::output::{self, OutputError};

/// How long the service waits for a reader of standard output.
const PATIENCE: Duration = Duration::from_secs(1);

/// Prints the addresses. If nothing reads standard output, this gives up after a second, and the service starts anyway.
pub async fn announce(lines: String) {
    let printing = tokio::task::spawn_blocking(move || output::raw(lines.as_bytes()));
    match tokio::time::timeout(PATIENCE, printing).await {
        // A reader that has closed the pipe does not need the addresses.
        Ok(Ok(Ok(()) | Err(OutputError::Closed))) => {}
        Ok(Ok(Err(error))) => tracing::error!("cannot print the address to standard output: {error}"),
        Ok(Err(error)) => tracing::error!("cannot print the address to standard output: {error}"),
        Err(_) => tracing::warn!("the address was not printed, since nothing reads standard output"),
    }
}
