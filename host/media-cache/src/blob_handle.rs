//! A component's handles to bytes that stay on the host.

use std::sync::Arc;

use media_cache_interfaces::Blob;

/// A handle that a component holds. The [`Arc`] lives as long as a handle is in the component's table, so a weak reference to it shows
/// whether the component still has the blob.
pub struct BlobHandle {
    pub(crate) blob: Arc<Blob>,
    /// The URL of the media, if the bytes are media that was downloaded or put. Used in logs.
    pub(crate) url: Option<Arc<str>>,
    /// Counts the component's handles.
    pub(crate) _counted: Arc<()>,
    /// Shared only by the component's handles to this blob.
    pub(crate) shared: Arc<()>,
}
