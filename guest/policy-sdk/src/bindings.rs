//! Generated from the WIT: the types of the interface `eviction`, and the macro that exports it.
#![allow(missing_docs, clippy::all, clippy::unwrap_used, unused_qualifications, reason = "generated")]

wit_bindgen::generate!({
    path: "wit",
    world: "eviction-policy",
    generate_all,
    pub_export_macro: true,
    default_bindings_module: "media_cache_policy_sdk::bindings",
});
