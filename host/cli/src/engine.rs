//! What runs components.

use media_cache::Engine;
use media_cache::policy::PolicyEngine;

/// What runs components.
///
/// # Errors
/// With a sentence for the user.
pub fn engine() -> anyhow::Result<Engine> {
    started(Engine::new())
}

/// What runs policies alone, for commands without a cache.
///
/// # Errors
/// With a sentence for the user.
pub fn policy_engine() -> anyhow::Result<PolicyEngine> {
    started(PolicyEngine::new())
}

fn started<T, E: std::fmt::Display>(engine: Result<T, E>) -> anyhow::Result<T> {
    engine.map_err(|error| anyhow::anyhow!("WebAssembly does not run here: {error:#}"))
}
