//! The valid responses for each URL, from the harness's own record of acknowledged changes.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};

use media_cache_test_support::random::noise;
use tokio::sync::RwLock;

/// A version of the media of a URL, or `None` if nothing is stored.
pub type State = Option<u32>;

/// Sizes of media in bytes. Most versions of a URL have the same size, so the size proves nothing.
const LENGTHS: [usize; 6] = [600, 3_000, 4_096, 20_000, 70_000, 150_000];

/// The length of the prefix of media.
const MAGIC: usize = 16;

/// Where the media of a URL comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Clients put it.
    Put,
    /// The service downloads it.
    Origin,
}

/// A URL, and the possible states of its media.
pub struct Subject {
    pub url: String,
    pub kind: Kind,
    pub number: u32,
    /// Locked for writing by operations that change the media, and for reading by those that may download it.
    pub lock: RwLock<()>,
    /// The last version.
    version: AtomicU32,
    /// The possible states, one set after each change. The last one applies.
    history: Mutex<Vec<BTreeSet<State>>>,
}

/// Media of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    pub bytes: Vec<u8>,
    pub mimetype: &'static str,
    pub filename: String,
}

/// How a response contradicts the acknowledged changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// Media that must be stored is missing.
    Lost,
    /// Deleted media is back.
    Reappeared,
    /// The media is not a possible version.
    Wrong,
}

impl Subject {
    pub fn new(url: String, kind: Kind, number: u32) -> Self {
        let history = Mutex::new(vec![BTreeSet::from([None])]);
        Self { url, kind, number, lock: RwLock::default(), version: AtomicU32::new(0), history }
    }

    /// The latest version.
    pub fn version(&self) -> u32 {
        self.version.load(Ordering::SeqCst)
    }

    /// Creates a new version.
    pub fn next_version(&self) -> u32 {
        self.version.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The media of a version. It contains the numbers of the subject and of the version.
    pub fn media(&self, version: u32) -> Media {
        let (magic, mimetype, extension): (&[u8; MAGIC], _, _) = match version % 2 {
            0 => (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png", "png"),
            _ => (b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01", "image/jpeg", "jpg"),
        };
        let length = LENGTHS[self.number as usize % LENGTHS.len()] + usize::from(version % 11 == 10);
        let mut bytes = [&magic[..], &self.number.to_le_bytes(), &version.to_le_bytes()].concat();
        bytes.extend(noise(u64::from(self.number) << 32 | u64::from(version), length - bytes.len()));
        Media { bytes, mimetype, filename: format!("v{version}.{extension}") }
    }

    /// The version of this media, if it matches byte for byte.
    pub fn recognise(&self, media: &Media) -> Option<u32> {
        let version = media.bytes.get(MAGIC + 4..MAGIC + 8)?.try_into().ok().map(u32::from_le_bytes)?;
        (self.media(version) == *media).then_some(version)
    }

    /// The current position in the history. The response to a request sent now may have any state from here on.
    pub fn now(&self) -> usize {
        self.history().len() - 1
    }

    /// The states that are possible now.
    pub fn possible(&self) -> BTreeSet<State> {
        self.history().last().cloned().unwrap()
    }

    /// Records the start of a change that may lead to this state.
    pub fn may_become(&self, state: State) {
        let mut possible = self.possible();
        possible.insert(state);
        self.history().push(possible);
    }

    /// Records that a state is no longer possible.
    pub fn is_not(&self, state: State) {
        let mut possible = self.possible();
        possible.remove(&state);
        self.history().push(possible);
    }

    /// Records a change that was acknowledged or observed.
    pub fn is(&self, states: impl IntoIterator<Item = State>) {
        self.history().push(states.into_iter().collect());
    }

    /// Forgets past states. No request that was sent at that time may still be in progress.
    pub fn forget_the_past(&self) {
        let possible = self.possible();
        *self.history() = vec![possible];
    }

    /// Checks whether the response to a request sent at the position `since` may have this state.
    pub fn check(&self, since: usize, observed: State) -> Result<(), Contradiction> {
        let history = self.history();
        let possible: BTreeSet<&State> = history[since..].iter().flatten().collect();
        match observed {
            _ if possible.contains(&observed) => Ok(()),
            None => Err(Contradiction::Lost),
            Some(_) if possible.iter().all(|state| state.is_none()) => Err(Contradiction::Reappeared),
            Some(_) => Err(Contradiction::Wrong),
        }
    }

    /// Checks whether this state was possible at a position in the history.
    pub fn was(&self, at: usize, observed: State) -> Result<(), Contradiction> {
        if self.history()[at].contains(&observed) { Ok(()) } else { Err(Contradiction::Lost) }
    }

    fn history(&self) -> MutexGuard<'_, Vec<BTreeSet<State>>> {
        self.history.lock().unwrap()
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.url, self.possible())
    }
}

#[test]
fn response_is_valid_if_its_state_was_possible_since_the_request() {
    let subject = Subject::new("u".into(), Kind::Put, 0);
    subject.may_become(Some(1));
    let during = subject.now();
    subject.is([Some(1)]);
    assert_eq!([None, Some(1), Some(2)].map(|state| subject.check(during, state)), [Ok(()), Ok(()), Err(Contradiction::Wrong)]);
    let after = subject.now();
    assert_eq!([None, Some(1)].map(|state| subject.check(after, state)), [Err(Contradiction::Lost), Ok(())]);
    subject.is([None]);
    assert_eq!(subject.check(subject.now(), Some(1)), Err(Contradiction::Reappeared));
    assert_eq!(subject.check(after, Some(1)), Ok(()));
}

#[test]
fn media_is_recognised_if_bytes_type_and_name_belong_to_one_version() {
    let subject = Subject::new("u".into(), Kind::Put, 3);
    assert_eq!(subject.media(1).bytes.len(), subject.media(2).bytes.len());
    assert_eq!([1, 2].map(|version| subject.recognise(&subject.media(version))), [Some(1), Some(2)]);
    let mut other = subject.media(2);
    other.bytes[9_000] ^= 1;
    assert_eq!(subject.recognise(&other), None);
    assert_eq!(subject.recognise(&Media { filename: "v4.png".into(), ..subject.media(2) }), None);
    assert_eq!(Subject::new("u".into(), Kind::Put, 9).recognise(&subject.media(2)), None);
}
