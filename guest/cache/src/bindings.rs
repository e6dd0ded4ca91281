//! What the WIT becomes in Rust.
#![allow(missing_docs, clippy::all, clippy::unwrap_used, reason = "generated")]

wit_bindgen::generate!({ path: "wit", world: "media-cache", generate_all });
