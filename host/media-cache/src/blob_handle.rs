//! A component's handles to bytes that stay on the host.

use std::sync::Arc;

use media_cache_interfaces::Blob;

use crate::disk_usage::RemovedFiles;

/// A handle that a component holds. The [`Arc`] lives as long as a handle is in the component's table, so a weak reference to it shows
/// whether the component still has the blob.
pub struct BlobHandle {
    pub(crate) blob: Arc<Blob>,
    /// The URL of the media, if the bytes are media that was downloaded or put. Used in logs.
    pub(crate) url: Option<Arc<str>>,
    /// Counts the component's handles.
    _counted: Arc<()>,
    /// Shared only by the component's handles to this blob.
    _held: Arc<Held>,
}

/// Dropped with the component's last handle to a blob, even if the component has trapped and its whole table is dropped. Readers may still
/// hold the blob, so its file is watched from then on, in case it is removed.
struct Held {
    blob: Arc<Blob>,
    removed: Arc<RemovedFiles>,
}

impl BlobHandle {
    /// Creates the first handle to a blob. `counted` counts the handles.
    pub(crate) fn new(blob: Arc<Blob>, url: Option<Arc<str>>, counted: Arc<()>, removed: Arc<RemovedFiles>) -> Self {
        let held = Held { blob: blob.clone(), removed };
        Self { blob, url, _counted: counted, _held: Arc::new(held) }
    }

    /// Creates another handle to the same blob.
    pub(crate) fn share(&self) -> Self {
        let Self { blob, url, _counted, _held } = self;
        Self { blob: blob.clone(), url: url.clone(), _counted: _counted.clone(), _held: _held.clone() }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.removed.watch(&self.blob);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use wasmtime::component::ResourceTable;

    use super::*;

    #[test]
    fn removed_file_that_a_reader_holds_counts_after_the_table_of_the_component_is_dropped() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, vec![b'x'; 5000]).unwrap();
        let removed = Arc::<RemovedFiles>::default();
        let blob = Blob::from_file(Arc::new(File::open(&path).unwrap())).unwrap();
        let reader = blob.clone();
        let handle = BlobHandle::new(Arc::new(blob), None, Arc::default(), removed.clone());
        let mut table = ResourceTable::new();
        let other = handle.share();
        table.push(handle).unwrap();
        table.push(other).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(removed.bytes(), 0, "the component accounts for it");
        drop(table);
        assert_eq!(removed.bytes(), 8192);
        drop(reader);
        assert_eq!(removed.bytes(), 0);
    }
}
