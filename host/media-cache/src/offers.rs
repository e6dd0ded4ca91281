//! Offers entries to the memory tier one at a time, since each is read into memory first and may then be refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether an entry is being offered.
#[derive(Default)]
pub(crate) struct Offers(Arc<AtomicBool>);

/// Permission to offer an entry. The next entry can be offered when this is dropped.
pub(crate) struct OfferTurn(Arc<AtomicBool>);

impl Offers {
    /// Permission to offer another entry, unless one is already being offered.
    pub fn next(&self) -> Option<OfferTurn> {
        (!self.0.swap(true, Ordering::Relaxed)).then(|| OfferTurn(self.0.clone()))
    }
}

impl Drop for OfferTurn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_entry_is_offered_at_a_time() {
        let offers = Offers::default();
        let turn = offers.next();
        assert!(turn.is_some() && offers.next().is_none());
        drop(turn);
        assert!(offers.next().is_some());
    }
}
