//! Copies of entries outside of the cache, such as in a store that several caches share.

use futures::future::BoxFuture;

/// Copies of entries from which the media of a removed entry could return.
pub trait Copies: Send + Sync + 'static {
    /// Removes the copy of the entry with this cache key, before the entry is removed itself. Returns whether there was one.
    ///
    /// # Errors
    /// Why the copy may still exist. The entry is removed nevertheless, and the caller gets this error.
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, String>>;
}
