//! Generated from the WIT: the imports and exports of the world `media-cache`, without its unstable features.
#![allow(missing_docs, clippy::all, clippy::unwrap_used, reason = "generated")]

wit_bindgen::generate!({ path: "wit", world: "media-cache", generate_all });
