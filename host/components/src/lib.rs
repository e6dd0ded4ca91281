//! The embedded components of media-cache, which are the cache itself and the built-in eviction policies, and their WIT packages.
//!
//! In a checkout the build script builds them from `guest/`. The published package contains them prebuilt, and packagers can set
//! `PREBUILT_COMPONENTS_DIR` to their own directory. See the crate `media-cache-component-builder`.

/// The cache component, which exports `media-cache:cache/cache`.
pub static CACHE: &[u8] = include_bytes!(concat!(env!("COMPONENTS"), "/media_cache_component.wasm"));

/// The name of the default policy.
pub const LRU: &str = "lru";

/// The names and components of the built-in policies, beginning with the default. Each component exports `media-cache:policy/eviction`.
///
/// A new policy needs a package in `guest/policies/` and its name in `build.rs`.
pub static POLICIES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/policies.rs"));

/// The files of the WIT packages, sorted by path. Each of the directories `cache` and `policy` is a complete package, with its dependencies
/// in `deps`.
pub static WIT: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/wit.rs"));

/// The metadata of [`CACHE`] and of [`POLICIES`], in this order.
static METADATA: &[Option<Metadata>] = include!(concat!(env!("OUT_DIR"), "/metadata.rs"));

/// What a component states about itself, in the custom sections of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The name of its package.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its licence, as an SPDX expression.
    pub license: &'static str,
    /// What it is, in one line.
    pub description: &'static str,
    /// The WIT package that it implements, with its version, such as `media-cache:policy@0.2.0`.
    pub contract: &'static str,
}

/// The metadata of the cache component. Components that plain `cargo build` has built have none.
#[must_use]
pub fn cache_metadata() -> Option<Metadata> {
    METADATA[0]
}

/// The metadata of the built-in policy with this name.
#[must_use]
pub fn policy_metadata(name: &str) -> Option<Metadata> {
    let at = POLICIES.iter().position(|(known, _)| *known == name)?;
    METADATA[1 + at]
}

/// The component of the built-in policy with this name.
#[must_use]
pub fn policy(name: &str) -> Option<&'static [u8]> {
    POLICIES.iter().find(|(known, _)| *known == name).map(|(_, component)| *component)
}

/// The names of the built-in policies, beginning with the default.
#[must_use]
pub fn policy_names() -> Vec<&'static str> {
    POLICIES.iter().map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bytes of every component: the magic number of WebAssembly, and the version and layer that distinguish components from
    /// modules.
    const PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn every_embedded_file_is_a_component() {
        assert!(CACHE.starts_with(PREAMBLE));
        for (name, component) in POLICIES {
            assert!(component.starts_with(PREAMBLE), "{name}");
        }
    }

    #[test]
    fn every_component_has_its_metadata() {
        let cache = cache_metadata().unwrap();
        assert_eq!((cache.name, cache.version), ("media-cache-component", env!("CARGO_PKG_VERSION")));
        assert!(cache.contract.starts_with("media-cache:cache@"), "{cache:?}");
        for name in policy_names() {
            let policy = policy_metadata(name).unwrap();
            assert_eq!((policy.name, policy.version), (&*format!("media-cache-policy-{name}"), env!("CARGO_PKG_VERSION")));
            assert!(policy.contract.starts_with("media-cache:policy@") && !policy.description.is_empty(), "{policy:?}");
        }
        assert_eq!(policy_metadata("fifo"), None);
    }

    #[test]
    fn wit_packages_contain_their_dependencies() {
        let text = |path: &str| WIT.iter().find(|(known, _)| *known == path).unwrap_or_else(|| panic!("no {path}")).1;
        assert!(text("cache/world.wit").contains("world media-cache {"));
        assert_eq!(text("policy/eviction.wit"), text("cache/deps/policy/eviction.wit"));
        assert!(text("cache/deps/filesystem.wit").contains("package wasi:filesystem@0.3.0;"));
        assert!(WIT.is_sorted());
    }

    #[test]
    fn policies_are_found_by_name() {
        assert_eq!(policy_names().first(), Some(&LRU));
        assert_eq!(policy("gdsf"), Some(POLICIES[3].1));
        assert_eq!(policy("fifo"), None);
    }
}
