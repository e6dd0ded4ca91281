//! The engines that run components.

use std::path::PathBuf;

use media_cache::Engine;
use media_cache::policy::PolicyEngine;

/// The engine that runs components. Compiled built-in components and policies are kept in the user's cache directory, if there is one.
///
/// # Errors
/// Returns an error with a message for the user.
pub fn engine() -> anyhow::Result<Engine> {
    started(compiled_directory().map_or_else(Engine::new, Engine::keeping_compiled))
}

/// As [`engine`], but for commands without a cache, which run only policies.
///
/// # Errors
/// Returns an error with a message for the user.
pub fn policy_engine() -> anyhow::Result<PolicyEngine> {
    started(compiled_directory().map_or_else(PolicyEngine::new, PolicyEngine::keeping_compiled))
}

/// Where compiled components are kept: below `$XDG_CACHE_HOME`, by default `~/.cache`.
fn compiled_directory() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(caches.join("media-cache/compiled"))
}

fn started<T, E: std::fmt::Display>(engine: Result<T, E>) -> anyhow::Result<T> {
    engine.map_err(|error| anyhow::anyhow!("cannot run WebAssembly on this machine: {error:#}"))
}
