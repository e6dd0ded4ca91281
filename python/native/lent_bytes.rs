//! The `bytes` objects of Python whose contents the cache uses without a copy.
//!
//! While an object is lent to the cache, it is also what callers get for these contents. So a download, its waiters, and later hits in
//! memory share the object that the downloader returned.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

/// The objects that are lent, and how many times, by the address of their contents.
static LENT: Mutex<Lent> = Mutex::new(BTreeMap::new());

type Lent = BTreeMap<usize, (Py<PyBytes>, usize)>;

/// Keeps the contents of an object alive.
struct Loan(PyBackedBytes);

/// Lends an object to the cache.
pub(crate) fn lend(object: &Bound<'_, PyBytes>) -> Bytes {
    let loan = Loan(object.clone().into());
    // The class of the object is part of what callers get.
    if object.is_exact_instance_of::<PyBytes>() {
        lent().entry(loan.address()).or_insert_with(|| (object.clone().unbind(), 0)).1 += 1;
    }
    Bytes::from_owner(loan)
}

/// The object with these contents: the one that was lent, or a copy.
pub(crate) fn object<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyBytes> {
    let lent = lent();
    let found = lent.get(&bytes.as_ptr().addr()).map(|(object, _)| object.bind(py).clone());
    drop(lent);
    found.filter(|object| object.as_bytes().len() == bytes.len()).unwrap_or_else(|| PyBytes::new(py, bytes))
}

fn lent() -> MutexGuard<'static, Lent> {
    LENT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Loan {
    fn address(&self) -> usize {
        self.0.as_ptr().addr()
    }
}

impl AsRef<[u8]> for Loan {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let mut lent = lent();
        let Some((_, count)) = lent.get_mut(&self.address()) else { return };
        *count -= 1;
        if *count == 0 {
            lent.remove(&self.address());
        }
    }
}
