//! The addresses of a service, on standard output.

use std::time::Duration;

use crate::output::{self, OutputError};

/// How long the service waits for a reader of its addresses that does not read them.
const PATIENCE: Duration = Duration::from_secs(1);

/// Prints the addresses before it returns, if standard output takes them. Clients can be served all the same if it does not.
pub async fn announce(lines: String) {
    let printing = tokio::task::spawn_blocking(move || output::raw(lines.as_bytes()));
    match tokio::time::timeout(PATIENCE, printing).await {
        // Somebody who does not read the address does not miss it.
        Ok(Ok(Ok(()) | Err(OutputError::Closed))) => {}
        Ok(Ok(Err(error))) => tracing::error!("the address could not be printed: {error}"),
        Ok(Err(error)) => tracing::error!("the address could not be printed: {error}"),
        Err(_) => tracing::warn!("nobody reads the address from standard output"),
    }
}
