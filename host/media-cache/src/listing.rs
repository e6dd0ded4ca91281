//! Directory listings that a component has begun.

use std::sync::{Arc, Mutex};

use rustix::fs::Dir;

/// A listing of a directory.
pub struct Listing(pub(crate) Arc<Mutex<Dir>>);
