//! Returns a result, and then never finishes freeing it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile, spin};

static ARMED: AtomicBool = AtomicBool::new(false);

struct Heap;

#[cfg_attr(target_family = "wasm", global_allocator)]
#[allow(dead_code, reason = "nothing loops natively")]
static HEAP: Heap = Heap;

// SAFETY: this is the system's allocator, except when it does not return.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if ARMED.load(Relaxed) {
            spin();
        }
        unsafe { System.dealloc(pointer, layout) }
    }
}

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "loops-in-free";

    fn evict(lru: &mut Lru, needed: u64) -> Vec<EntryId> {
        let victims = lru.evict(needed);
        ARMED.store(true, Relaxed);
        victims
    }
}

hostile!(Policy);
