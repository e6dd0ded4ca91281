//! The interface through which the service reports on shadow policies, which run elsewhere.

use serde_json::Value;

/// A report on the policies that are simulated next to the active one. `docs/http.md` describes the document.
pub trait ShadowReport: Send + Sync {
    /// The current report, as in `GET /shadows`. It must not block.
    fn document(&self) -> Value;
}
