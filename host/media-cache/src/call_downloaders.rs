//! The downloaders that callers supply for single calls.
//!
//! A call passes the number of its downloader to the component as the `context`, and the component passes it on when it fetches.

use std::collections::HashMap;
use std::sync::Arc;

use media_cache_interfaces::Downloader;

/// The downloaders of calls in progress, by number.
#[derive(Default)]
pub(crate) struct CallDownloaders {
    last: u64,
    downloaders: HashMap<u64, Arc<dyn Downloader>>,
}

impl CallDownloaders {
    /// Adds the downloader of a call. Returns its number.
    pub fn insert(&mut self, downloader: Arc<dyn Downloader>) -> u64 {
        self.last += 1;
        self.downloaders.insert(self.last, downloader);
        self.last
    }

    /// The downloader with a number, if its call is still in progress.
    pub fn get(&self, number: u64) -> Option<Arc<dyn Downloader>> {
        self.downloaders.get(&number).cloned()
    }

    /// Removes the downloader of a call that has ended.
    pub fn remove(&mut self, number: u64) {
        self.downloaders.remove(&number);
    }
}
