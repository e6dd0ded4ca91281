//! A time limit for anything that a test waits for.

use std::time::Duration;

/// Waits for an event that might never come, so that the test fails instead of hanging.
///
/// # Panics
/// If it takes longer than a minute.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("timed out after a minute")
}

/// Waits for a condition that no event signals, such as one in another process, by checking it repeatedly.
///
/// # Panics
/// If it takes longer than a minute.
pub async fn eventually(mut holds: impl FnMut() -> bool) {
    soon(async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
