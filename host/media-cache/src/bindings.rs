//! What the WIT becomes on the host's side.

include!(concat!(env!("OUT_DIR"), "/contract.rs"));

/// The world `media-cache`, as the host sees it: it implements the imports and calls the export.
#[allow(missing_docs, clippy::all, reason = "generated")]
pub mod cache {
    contract!({
        world: "media-cache",
        require_store_data_send: true,
        imports: { default: trappable },
        exports: { default: async | store },
        with: {
            "wasi": wasmtime_wasi::p3::bindings,
            "media-cache:cache/blobs.blob": crate::blob_handle::BlobHandle,
            "media-cache:cache/storage.listing": crate::listing::Listing,
            "media-cache:policy/eviction.policy": crate::policy::tier_handle::TierHandle,
        },
    });
}

/// The world `eviction-policy`, as the host sees it: it calls the export.
#[allow(missing_docs, clippy::all, reason = "generated")]
pub mod policy {
    wasmtime::component::bindgen!({ path: "wit/policy", world: "eviction-policy", additional_derives: [PartialEq, Eq] });
}
