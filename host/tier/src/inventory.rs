//! What is in a tier: listing, checking and trimming, for a command. No node has to be running.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use media_cache::{FetchedMedia, Spool};
use media_cache_entry_files::{DigestMap, KeyDigest, Sidecar};
use object_store::path::Path;

use crate::failure::StoreFailure;
use crate::location::{Location, LocationError};
use crate::lookup::{Found, media};
use crate::names::Kind;
use crate::store::Store;
use crate::used::{fingerprints, hour};

/// The number of objects that are requested concurrently.
const CONCURRENCY: usize = 16;

/// A body without a sidecar, or a lease, is a leftover when it is this old.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 3600);

/// Lists of used entries are deleted after this many hours: 90 days.
const LIST_HOURS: u64 = 90 * 24;

/// The maximum size of a list of used entries, in bytes.
const MAX_LIST: u64 = 32 << 20;

/// Entries of a tier, each with what was read, or why it could not be used. Ends with the first failure of the store.
pub type ReadEntries<T, E> = BoxStream<'static, Result<(TierEntry, Result<T, E>), StoreFailure>>;

/// The entries in a tier.
pub struct Inventory {
    pub(crate) store: Arc<Store>,
}

/// An entry in a tier, as the store lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierEntry {
    /// The digest of its cache key.
    pub digest: KeyDigest,
    /// The size of its body in bytes. `None` if it is missing.
    pub media_bytes: Option<u64>,
    /// The size of its sidecar in bytes. `None` if it is missing.
    pub sidecar_bytes: Option<u64>,
    /// When the younger of its objects was written.
    pub written: SystemTime,
}

/// What is in a tier.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The entries, also those of which an object is missing, in no particular order.
    pub entries: Vec<TierEntry>,
    /// Leases and lists of used entries that are no longer needed.
    pub old_objects: Vec<OldObject>,
    /// Objects that belong to no tier. Nothing removes them.
    pub others: u64,
    /// Their size in bytes.
    pub other_bytes: u64,
}

/// A lease or a list that is no longer needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldObject {
    pub(crate) path: Path,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is a body without a sidecar. It may belong to an entry that is being uploaded.
    #[error("it has a body but no sidecar")]
    NoSidecar,
    /// Its sidecar says that the media is private. Services do not use it.
    #[error("it is private, so it must not be in a tier")]
    Private,
    /// The objects are damaged.
    #[error("{0}")]
    Damaged(String),
}

fn is_leftover(written: SystemTime) -> bool {
    SystemTime::now().duration_since(written).is_ok_and(|age| age >= LEFTOVER_AGE)
}

impl TierEntry {
    /// Whether it is left over from an interrupted upload: it has no sidecar, and was not written during the last day.
    #[must_use]
    pub fn is_leftover(&self) -> bool {
        self.sidecar_bytes.is_none() && is_leftover(self.written)
    }

    /// The size of both objects in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.media_bytes.unwrap_or(0) + self.sidecar_bytes.unwrap_or(0)
    }
}

impl Inventory {
    /// The entries of a tier. Nothing is requested yet. `timeout` is the maximum time for the response to
    /// each request, which is tried again up to four times.
    ///
    /// # Errors
    /// If the directory does not exist, or the options in the environment are incomplete or invalid.
    pub fn open(location: &Location, timeout: Duration) -> Result<Self, LocationError> {
        Ok(Self { store: Arc::new(Store::patient(location, timeout)?) })
    }

    /// All entries, in no particular order.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub async fn entries(&self) -> Result<Vec<TierEntry>, StoreFailure> {
        Ok(self.contents().await?.entries)
    }

    /// All objects. Parts of uploads that were interrupted are not objects.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub async fn contents(&self) -> Result<Contents, StoreFailure> {
        let (mut entries, mut contents) = (DigestMap::<TierEntry>::default(), Contents::default());
        let now = SystemTime::now();
        let mut listing = self.store.list(self.store.names.prefix());
        while let Some(object) = listing.try_next().await? {
            let written = object.last_modified.into();
            let (digest, is_media) = match self.store.names.kind(&object.location) {
                Kind::Media(digest) => (digest, true),
                Kind::Sidecar(digest) => (digest, false),
                kind => {
                    let is_old = match kind {
                        Kind::Lease => is_leftover(written),
                        Kind::Usage(used) => used + LIST_HOURS < hour(now),
                        _ => false,
                    };
                    if is_old {
                        contents.old_objects.push(OldObject { path: object.location, bytes: object.size });
                    } else if kind == Kind::Other {
                        contents.others += 1;
                        contents.other_bytes += object.size;
                    }
                    continue;
                }
            };
            let entry = entries.entry(digest).or_insert(TierEntry { digest, media_bytes: None, sidecar_bytes: None, written });
            entry.written = entry.written.max(written);
            *if is_media { &mut entry.media_bytes } else { &mut entry.sidecar_bytes } = Some(object.size);
        }
        contents.entries = entries.into_values().collect();
        Ok(contents)
    }

    /// The sidecars of these entries, in the same order. An entry without one was removed in the meantime, or has none. The inner error
    /// says why a sidecar is damaged.
    pub fn sidecars(&self, entries: Vec<TierEntry>) -> ReadEntries<Option<Sidecar>, String> {
        let store = self.store.clone();
        let read = move |entry: TierEntry| {
            let store = store.clone();
            async move { Ok((entry, store.sidecar(entry.digest).await?)) }
        };
        futures::stream::iter(entries).map(read).buffered(CONCURRENCY).boxed()
    }

    /// The URL of an entry, unless its sidecar is missing or damaged.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn url(&self, digest: KeyDigest) -> Result<Option<String>, StoreFailure> {
        Ok(self.store.sidecar(digest).await?.ok().flatten().map(|sidecar| sidecar.url))
    }

    /// Reads and checks these entries, in no particular order. The inner result is the URL of the entry, or what is wrong with it.
    pub fn verify(&self, entries: Vec<TierEntry>) -> ReadEntries<String, Fault> {
        let store = self.store.clone();
        let check = move |entry: TierEntry| {
            let store = store.clone();
            async move {
                let found = Self { store }.media(entry.digest, &Spool::temporary()).await?;
                Ok((entry, found.map(|(url, _)| url)))
            }
        };
        futures::stream::iter(entries).map(check).buffer_unordered(CONCURRENCY).boxed()
    }

    /// The URL and the media of an entry. Large media arrives in `spool`. The inner error says what is wrong with the entry.
    ///
    /// # Errors
    /// If the store fails, or there is no space for the media.
    pub async fn media(
        &self,
        digest: KeyDigest,
        spool: &Arc<Spool>,
    ) -> Result<Result<(String, FetchedMedia), Fault>, StoreFailure> {
        Ok(match self.store.entry(digest, spool, &|_| true).await? {
            Found::Entry(sidecar, _) if sidecar.metadata.is_private() => Err(Fault::Private),
            Found::Entry(sidecar, body) => Ok((sidecar.url.clone(), media(&sidecar, body))),
            Found::Nothing => Err(Fault::NoSidecar),
            Found::Damaged(why) => Err(Fault::Damaged(why)),
            Found::Refused => Err(Fault::Damaged("it was refused".into())),
            Found::NoSpace(why) => return Err(StoreFailure::Unexpected(why)),
        })
    }

    /// When each entry was last used, as the end of an hour, by its fingerprint. Entries that no node has listed are missing.
    ///
    /// # Errors
    /// If the lists of used entries cannot be read.
    pub async fn last_used(&self) -> Result<LastUsed, StoreFailure> {
        let names = &self.store.names;
        let lists: Vec<_> = self.store.list(&names.all_usage()).try_collect().await?;
        let read = lists.iter().filter_map(|list| Some((names.usage_hour(&list.location)?, &list.location)));
        let read = futures::stream::iter(read).map(|(hour, path)| async move {
            match self.store.read(path, MAX_LIST).await {
                // It was deleted in the meantime.
                Err(StoreFailure::NotFound) => Ok((hour, Bytes::new())),
                read => read.map(|(list, _)| (hour, list)),
            }
        });
        let mut last_used = HashMap::new();
        let mut read = read.buffer_unordered(CONCURRENCY);
        while let Some((hour, list)) = read.try_next().await? {
            for fingerprint in fingerprints(&list) {
                let last: &mut u64 = last_used.entry(fingerprint).or_default();
                *last = hour.max(*last);
            }
        }
        Ok(LastUsed(last_used))
    }
}

/// The hour in which each entry was last used, by fingerprint.
pub struct LastUsed(HashMap<u64, u64>);

impl LastUsed {
    /// The hour in which an entry was last used, since 1970. An entry was used when it was uploaded.
    #[must_use]
    pub fn hour(&self, entry: &TierEntry) -> u64 {
        hour(entry.written).max(self.0.get(&entry.digest.fingerprint()).copied().unwrap_or(0))
    }
}
