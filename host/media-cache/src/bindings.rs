//! Host bindings generated from the WIT.

include!(concat!(env!("OUT_DIR"), "/contract.rs"));

/// The world `media-cache` from the host's side: the host implements the imports and calls the export.
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

/// The world `eviction-policy` from the host's side: the host calls the export.
#[allow(missing_docs, clippy::all, reason = "generated")]
pub mod policy {
    wasmtime::component::bindgen!({ path: "wit/policy", world: "eviction-policy", additional_derives: [PartialEq, Eq] });
}
