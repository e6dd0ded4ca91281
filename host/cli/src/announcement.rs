//! Prints the addresses of a service on standard output.

use std::time::Duration;

use crate::output::{self, OutputError};

/// How long the service waits for a reader of its addresses that does not read.
const PATIENCE: Duration = Duration::from_secs(1);

/// Prints the addresses before it returns, if standard output accepts them. If it does not, clients are served nevertheless.
pub async fn announce(lines: String) {
    let printing = tokio::task::spawn_blocking(move || output::raw(lines.as_bytes()));
    match tokio::time::timeout(PATIENCE, printing).await {
        // A reader that has closed the pipe does not need the addresses.
        Ok(Ok(Ok(()) | Err(OutputError::Closed))) => {}
        Ok(Ok(Err(error))) => tracing::error!("the address could not be printed: {error}"),
        Ok(Err(error)) => tracing::error!("the address could not be printed: {error}"),
        Err(_) => tracing::warn!("nobody reads the address from standard output"),
    }
}
