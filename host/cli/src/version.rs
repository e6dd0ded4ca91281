//! What `media-cache --version` says.

use std::sync::LazyLock;

use media_cache::Engine;

/// The version, the commit, and the version of Wasmtime.
pub static TEXT: LazyLock<String> = LazyLock::new(|| {
    let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("MEDIA_CACHE_COMMIT"));
    format!("{version} (commit {commit}, wasmtime {})", Engine::WASMTIME_VERSION)
});
