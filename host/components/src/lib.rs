//! The embedded components of media-cache: the cache itself and the built-in eviction policies.
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
    fn policies_are_found_by_name() {
        assert_eq!(policy_names().first(), Some(&LRU));
        assert_eq!(policy("gdsf"), Some(POLICIES[3].1));
        assert_eq!(policy("fifo"), None);
    }
}
