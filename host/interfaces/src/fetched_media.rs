//! The result of a successful download.

use crate::blob::Blob;

/// One complete piece of media.
#[derive(Clone, Debug)]
pub struct FetchedMedia {
    /// All bytes, in memory or in an open file without a name.
    pub body: Blob,
    /// The media type, such as `image/png`.
    pub mimetype: String,
    /// A name that is safe to use for a file.
    pub filename: String,
}
