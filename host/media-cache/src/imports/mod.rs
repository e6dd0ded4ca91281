//! The imports of a cache component, one module for each interface.

mod blobs;
pub(crate) mod directory;
mod downloader;
mod error_code;
mod eviction;
mod failures;
mod names;
mod open_at;
mod persist;
mod storage;
mod transcoder;

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::cache::media_cache::cache as cache_package;
use crate::bindings::cache::media_cache::policy as policy_package;
use crate::host_state::HostState;

/// Adds everything that a cache may import.
pub(crate) fn add_to_linker(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::clocks::add_to_linker(linker)?;
    wasmtime_wasi::p3::filesystem::add_to_linker(linker)?;
    directory::list_all_directories(linker)?;
    open_at::open_without_blocking(linker)?;
    names::use_names(linker)?;
    cache_package::blobs::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    cache_package::downloader::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    cache_package::storage::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    cache_package::transcoder::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    policy_package::eviction::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    Ok(())
}
