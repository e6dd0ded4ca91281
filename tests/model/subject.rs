//! The possible states of each URL, as recorded by the test.

use std::collections::{BTreeSet, VecDeque};

use media_cache_test_support::random::Random;

/// A version of the media of a URL, or `None` if nothing is stored.
pub type State = Option<u32>;

/// Sizes of media in bytes: below and above a block, above the size that is read in place, and above the size that is kept in memory.
const LENGTHS: [usize; 7] = [1, 500, 4_096, 4_097, 9_000, 20_000, 70_000];

/// The number of past operations that are kept.
const HISTORY: usize = 12;

/// A URL, and the versions of its media that may be stored.
#[derive(Debug)]
pub struct Subject {
    pub number: u32,
    pub url: String,
    /// Whether the cache downloads the media. Otherwise, the test puts it.
    pub has_origin: bool,
    /// The latest version.
    pub version: u32,
    /// The states that are possible now.
    pub possible: BTreeSet<State>,
    /// The latest operations, for failure messages.
    history: VecDeque<String>,
}

impl Subject {
    pub fn new(number: u32, has_origin: bool) -> Self {
        let kind = if has_origin { "get" } else { "put" };
        let possible = BTreeSet::from([None]);
        Self { number, url: format!("test:{kind}/{number}"), has_origin, version: 1, possible, history: VecDeque::new() }
    }

    /// The media of a version. All versions of a URL have the same size, so the size proves nothing.
    pub fn media(&self, version: u32) -> Vec<u8> {
        let length = LENGTHS[self.number as usize % LENGTHS.len()];
        if length == 1 {
            return vec![version as u8];
        }
        let pattern = Random(u64::from(self.number) << 32 | u64::from(version)).number().to_le_bytes();
        let mut media = pattern.repeat(length.div_ceil(pattern.len()));
        media.truncate(length);
        media
    }

    /// The possible version with these bytes.
    pub fn recognise(&self, media: &[u8]) -> Option<u32> {
        self.possible.iter().flatten().copied().find(|version| self.media(*version) == media)
    }

    /// Records an operation.
    pub fn note(&mut self, what: String) {
        self.history.push_back(what);
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
    }

    /// Records that this is the only possible state.
    pub fn is(&mut self, state: State) {
        self.possible = BTreeSet::from([state]);
    }

    /// Records that this state is also possible.
    pub fn may_be(&mut self, state: State) {
        self.possible.insert(state);
    }

    /// Whether media was acknowledged, and nothing since then could have removed it.
    pub fn must_be_stored(&self) -> bool {
        !self.possible.contains(&None)
    }
}
