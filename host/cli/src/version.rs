//! The output of `media-cache --version`.

use std::sync::LazyLock;

use media_cache::Engine;

/// The version, the commit, and the version of Wasmtime.
pub static TEXT: LazyLock<String> = LazyLock::new(|| {
    let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("BUILD_COMMIT"));
    format!("{version} (commit {commit}, wasmtime {})", Engine::WASMTIME_VERSION)
});

#[cfg(test)]
mod tests {
    #[test]
    fn build_script_sets_no_variable_with_the_prefix_of_options() {
        // `cargo run` sets it for the program.
        assert!(!include_str!("../build.rs").contains("rustc-env=MEDIA_CACHE_"));
    }
}
