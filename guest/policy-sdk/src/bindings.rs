//! What the WIT becomes in Rust.
#![allow(missing_docs, clippy::all, clippy::unwrap_used, unused_qualifications, reason = "generated")]

wit_bindgen::generate!({
    path: "wit",
    world: "eviction-policy",
    generate_all,
    pub_export_macro: true,
    default_bindings_module: "media_cache_policy_sdk::bindings",
});
