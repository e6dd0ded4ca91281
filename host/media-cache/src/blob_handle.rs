//! Handles of a component to bytes that stay on the host's side.

use std::sync::Arc;

use media_cache_interfaces::Blob;

/// What a component holds. As long as one handle is left in its table, the [`Arc`] lives, and a weak reference to it
/// tells that the component still has the blob.
pub struct BlobHandle {
    pub(crate) blob: Arc<Blob>,
    /// Where the bytes are from, if they are those of media that was downloaded or put. For logs.
    pub(crate) url: Option<Arc<str>>,
    /// Counts the handles of the component.
    pub(crate) _counted: Arc<()>,
    /// Shared by the component's handles to this blob, and by nothing else.
    pub(crate) shared: Arc<()>,
}
