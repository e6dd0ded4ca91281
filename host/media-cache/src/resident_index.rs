//! An index of the resident and open entries outside the component, so that hits on them need no call to the component.
//!
//! For each cache key whose media was returned, it has weak references to the blobs that the component holds: the bytes, and the open file.
//! While the component holds a blob, any thread can serve it. When the component releases it (because the entry was evicted, removed or
//! replaced), the reference is dead, so nothing in the index is ever stale. If another program has changed a file, its times or its link
//! count differ, and the request goes to the component. The same applies if the sidecar has changed, which is checked every two seconds.
//! Hits that are served this way are recorded in the [`HitBuffer`](crate::hit_buffer::HitBuffer).
//!
//! Only one instance of the component decides what is resident. When another one takes over, all references are dropped, although the
//! previous instance may hold its blobs for a while.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Instant;

use crate::media::{Delivered, Media, MediaInfo, Source};
use crate::sidecar_version::{SidecarDirectory, SidecarVersion};
use media_cache_interfaces::Blob;

/// An entry is offered to the memory tier each time its open file has had this many hits.
const HITS_PER_OFFER: u32 = 64;

/// The entries that the component holds, by cache key. Their number depends on the component, and not on how many differently signed URLs
/// there are for an entry.
pub(crate) struct ResidentIndex {
    path: PathBuf,
    /// Times are measured from this instant.
    started: Instant,
    residents: RwLock<Residents>,
}

#[derive(Default)]
struct Residents {
    /// The instance that decides what is resident.
    instance: u64,
    resident: HashMap<Box<str>, Arc<Resident>>,
    /// The number of live entries after the last sweep of dead ones.
    live_after_sweep: usize,
    /// The directory of that instance's entries. Without it, open files are not served.
    directory: Option<Arc<SidecarDirectory>>,
}

/// An entry that the component holds, or held.
pub(crate) struct Resident {
    blob: Weak<Blob>,
    file: Weak<Blob>,
    /// The version of the sidecar, while the file is served.
    sidecar: Option<SidecarVersion>,
    info: Arc<MediaInfo>,
    handle: u64,
    /// Hits on the file since the entry was offered to the memory tier.
    file_hits: AtomicU32,
}

impl Resident {
    fn is_alive(&self) -> bool {
        self.blob.strong_count() > 0 || self.file.strong_count() > 0
    }

    /// The bytes in memory, or otherwise the file.
    fn blob(&self) -> Option<(Arc<Blob>, Source)> {
        match self.blob.upgrade() {
            Some(blob) => Some((blob, Source::Memory)),
            None => Some((self.file.upgrade()?, Source::Disk)),
        }
    }

    /// Counts a hit on the file. Returns whether the entry should be offered to the memory tier now.
    pub fn count_file_hit(&self) -> bool {
        let is_due = self.file_hits.fetch_add(1, Ordering::Relaxed) + 1 >= HITS_PER_OFFER;
        is_due && self.file_hits.swap(0, Ordering::Relaxed) >= HITS_PER_OFFER
    }
}

/// Identifies a resident entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResidentHandle {
    /// The instance of the component that holds it.
    pub instance: u64,
    /// The handle that the instance has given to it.
    pub handle: u64,
}

impl ResidentIndex {
    /// An index of the entries in this directory.
    pub fn new(directory: &Path) -> Self {
        Self { path: directory.into(), started: Instant::now(), residents: RwLock::default() }
    }

    /// Returns the media that is resident or open under `key`, its handle, and its index entry. Does not check whether an open file or its
    /// sidecar has changed.
    pub fn get(&self, key: &str) -> Option<(Media, ResidentHandle, Arc<Resident>)> {
        let residents = self.residents.read().unwrap_or_else(PoisonError::into_inner);
        let resident = residents.resident.get(key)?;
        let (blob, source) = resident.blob()?;
        let handle = ResidentHandle { instance: residents.instance, handle: resident.handle };
        Some((Media::new(resident.info.clone(), Blob::clone(&blob), source), handle, resident.clone()))
    }

    /// Whether the sidecar of an open file is unchanged, as of a check in the last two seconds. False if the component has to check it.
    pub fn has_current_sidecar(&self, key: &str, resident: &Resident) -> bool {
        let Some(sidecar) = &resident.sidecar else { return false };
        if sidecar.is_changed() {
            return false;
        }
        if sidecar.is_due(self.now()) {
            let directory = self.residents.read().unwrap_or_else(PoisonError::into_inner).directory.clone();
            return directory.is_some_and(|directory| sidecar.look(key, &directory));
        }
        !sidecar.is_changed()
    }

    fn now(&self) -> u32 {
        self.started.elapsed().as_millis() as u32
    }

    /// Records media that the component returned, if the component holds it.
    pub fn insert(&self, key: &str, delivered: &Delivered) {
        let Some(handle) = delivered.handle else { return };
        let read = delivered.sidecar.filter(|_| delivered.file.strong_count() > 0);
        let directory = read.and_then(|_| self.residents.read().unwrap_or_else(PoisonError::into_inner).directory.clone());
        let sidecar = directory.and_then(|directory| directory.version(key, self.now()));
        // Another program may have replaced the sidecar that the component read.
        let sidecar = sidecar.filter(|sidecar| read.is_some_and(|read| sidecar.is(read)));
        let resident = Resident {
            blob: delivered.resident.clone(),
            file: if sidecar.is_some() { delivered.file.clone() } else { Weak::new() },
            sidecar,
            info: delivered.media.info().clone(),
            handle,
            file_hits: AtomicU32::new(0),
        };
        if !resident.is_alive() {
            return;
        }
        let mut residents = self.residents.write().unwrap_or_else(PoisonError::into_inner);
        if delivered.instance != residents.instance {
            return;
        }
        if residents.resident.len() >= 2 * residents.live_after_sweep + 64 {
            residents.resident.retain(|_, resident| resident.is_alive());
            residents.live_after_sweep = residents.resident.len();
        }
        residents.resident.insert(key.into(), Arc::new(resident));
    }

    /// Switches to another instance, which decides from now on. Returns the keys of the previous instance's entries by their handles.
    pub fn begin_instance(&self, instance: u64) -> HashMap<u64, Box<str>> {
        let directory = SidecarDirectory::open(&self.path).map(Arc::new);
        let before = Residents { instance, directory, ..Residents::default() };
        let before = std::mem::replace(&mut *self.residents.write().unwrap_or_else(PoisonError::into_inner), before);
        before.resident.into_iter().map(|(key, resident)| (resident.handle, key)).collect()
    }

    /// The number of keys, including dead ones.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.residents.read().unwrap_or_else(PoisonError::into_inner).resident.len()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::time::SystemTime;

    use super::*;
    use crate::bindings::cache::media_cache::cache::storage::Stamp;

    /// Media that an instance holds and delivers.
    pub(crate) fn delivered(instance: u64, handle: Option<u64>) -> (Arc<Blob>, Delivered) {
        let blob = Arc::new(Blob::from("bytes"));
        let info = MediaInfo::new("image/png", "a.png", SystemTime::UNIX_EPOCH);
        let media = Media::new(info, Blob::clone(&blob), Source::Origin);
        let resident = Arc::downgrade(&blob);
        (blob, Delivered { media, instance, handle, resident, file: Weak::new(), sidecar: None })
    }

    #[test]
    fn resident_is_served_only_while_the_component_keeps_its_blob() {
        let resident = ResidentIndex::new(Path::new("."));
        let (blob, answer) = delivered(0, Some(7));
        resident.insert("u", &answer);
        let (media, handle, _) = resident.get("u").unwrap();
        assert_eq!((handle.handle, media.source, media.body.len()), (7, Source::Memory, 5));
        drop(blob);
        assert!(resident.get("u").is_none(), "{media:?} still has the bytes, but the component does not");
        assert!(resident.get("v").is_none());
    }

    #[test]
    fn blob_that_the_component_does_not_keep_is_not_indexed() {
        let resident = ResidentIndex::new(Path::new("."));
        resident.insert("u", &delivered(0, None).1);
        let (blob, answer) = delivered(0, Some(1));
        drop(blob);
        resident.insert("v", &answer);
        assert_eq!(resident.len(), 0);
    }

    #[test]
    fn late_answer_from_an_earlier_instance_is_not_indexed() {
        let resident = ResidentIndex::new(Path::new("."));
        let ((_old, early), (_new, late)) = (delivered(0, Some(1)), delivered(0, Some(2)));
        resident.insert("u", &early);
        assert_eq!(resident.begin_instance(1), [(1, "u".into())].into());
        resident.insert("u", &late);
        assert!(resident.get("u").is_none());
        let (_blob, current) = delivered(1, Some(3));
        resident.insert("u", &current);
        assert_eq!(resident.get("u").unwrap().1, ResidentHandle { instance: 1, handle: 3 });
    }

    #[test]
    fn dropped_blobs_do_not_accumulate_in_the_index() {
        let resident = ResidentIndex::new(Path::new("."));
        let alive: Vec<_> = (0..10).map(|i| (i, delivered(0, Some(i)))).collect();
        for (i, (_, answer)) in &alive {
            resident.insert(&format!("alive {i}"), answer);
        }
        for i in 0..10_000 {
            let (_blob, answer) = delivered(0, Some(i));
            resident.insert(&format!("dead {i}"), &answer);
        }
        assert!(resident.len() < 200, "{}", resident.len());
        assert!((0..10).all(|i| resident.get(&format!("alive {i}")).is_some()));
    }

    #[test]
    fn open_file_is_offered_after_every_64_hits_and_served_while_the_sidecar_is_unchanged() {
        let root = tempfile::tempdir().unwrap();
        let resident = ResidentIndex::new(root.path());
        resident.begin_instance(0);
        let (blob, mut answer) = delivered(0, Some(7));
        (answer.resident, answer.file) = (Weak::new(), Arc::downgrade(&blob));
        resident.insert("a", &answer);
        assert!(resident.get("a").is_none(), "there is no sidecar");
        let sidecar = root.path().join("ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb.json");
        std::fs::write(&sidecar, "{}").unwrap();
        let stat = std::fs::metadata(&sidecar).unwrap();
        let version = Stamp { size: 2, modified: stat.mtime() as u64 * 1_000_000_000 + stat.mtime_nsec() as u64 };
        for other in [Stamp { size: 3, ..version }, Stamp { modified: version.modified - 1, ..version }] {
            answer.sidecar = Some(other);
            resident.insert("a", &answer);
            assert!(resident.get("a").is_none(), "the component has read another one");
        }
        answer.sidecar = Some(version);
        resident.insert("a", &answer);
        let (media, _, entry) = resident.get("a").unwrap();
        assert!(media.source == Source::Disk && resident.has_current_sidecar("a", &entry));
        let offers: Vec<usize> = (1..=200).filter(|_| entry.count_file_hit()).collect();
        assert_eq!(offers, [64, 128, 192]);
    }
}
