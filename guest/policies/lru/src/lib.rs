//! Least recently used, as an eviction policy: a component that imports nothing and exports `eviction`.

/// What the WIT becomes in Rust.
#[allow(missing_docs, clippy::all, clippy::unwrap_used, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "eviction-policy", generate_all });
}

#[cfg(target_family = "wasm")]
mod component;
pub mod lru;
