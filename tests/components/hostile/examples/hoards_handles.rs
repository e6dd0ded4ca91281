//! Acquires handles to standard output and never drops them.

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "hoards-handles";

    fn evict(_lru: &mut Lru, _needed: u64) -> Vec<EntryId> {
        loop {
            acquire_handle();
        }
    }
}

#[cfg(target_family = "wasm")]
fn acquire_handle() {
    #[link(wasm_import_module = "wasi:cli/stdout@0.2.0")]
    unsafe extern "C" {
        #[link_name = "get-stdout"]
        fn get_stdout() -> i32;
    }
    // SAFETY: this is its signature.
    unsafe { get_stdout() };
}

#[cfg(not(target_family = "wasm"))]
fn acquire_handle() {}

hostile!(Policy);
