//! Which entries are resident or open, seen from outside the component, so that hits on them need no call.
//!
//! For each cache key that was answered there are weak references to the blobs that the component holds: the bytes, and the open file.
//! While the component holds one, any thread can serve it; when the component releases it (evicted, removed, replaced) the reference is
//! dead, so nothing here can be stale. If another program has changed a file, its times or its number of names differ, and the component is
//! asked. A hit that was served this way goes to the [`HitBuffer`](crate::hit_buffer::HitBuffer).
//!
//! Only one instance of the component decides what is resident. When another one takes over, all references are dropped, although the
//! instance before may hold its blobs for a while.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use crate::media::{Delivered, Media, MediaInfo, Source};
use media_cache_interfaces::Blob;

/// After so many hits on an open file, the component is asked, and may make the entry resident.
const UNSEEN_HITS: u32 = 63;

/// What the component holds, by the key of its URL: so there are as many as it holds, and not as many as there are ways to sign a URL.
#[derive(Default)]
pub(crate) struct ResidentIndex(RwLock<Residents>);

#[derive(Default)]
struct Residents {
    /// The instance that decides.
    instance: u64,
    resident: HashMap<Box<str>, Resident>,
    /// How many there were after the dead ones were last swept out.
    live_after_sweep: usize,
}

struct Resident {
    blob: Weak<Blob>,
    file: Weak<Blob>,
    info: Arc<MediaInfo>,
    handle: u64,
    /// Hits on the file since the component was asked.
    file_hits: AtomicU32,
}

impl Resident {
    fn is_alive(&self) -> bool {
        self.blob.strong_count() > 0 || self.file.strong_count() > 0
    }

    /// The bytes in memory, or else the file, unless it is time to ask the component. One of those who `can_ask` is to do so.
    fn blob(&self, can_ask: bool) -> Option<(Arc<Blob>, Source)> {
        if let Some(blob) = self.blob.upgrade() {
            return Some((blob, Source::Memory));
        }
        let file = self.file.upgrade()?;
        let is_due = self.file_hits.load(Ordering::Relaxed) >= UNSEEN_HITS;
        let is_to_ask = is_due && (!can_ask || self.file_hits.swap(0, Ordering::Relaxed) >= UNSEEN_HITS);
        (!is_to_ask).then_some((file, Source::Disk))
    }
}

/// Identifies a resident entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResidentHandle {
    /// The instance of the component that holds it.
    pub instance: u64,
    /// What the instance calls it.
    pub handle: u64,
}

impl ResidentIndex {
    /// What is resident or open under `key`, and its handle. Whether an open file was changed is not looked at. Those who `can_ask` the
    /// component get nothing when one of them should.
    pub fn get(&self, key: &str, can_ask: bool) -> Option<(Media, ResidentHandle)> {
        let residents = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let resident = residents.resident.get(key)?;
        let (blob, source) = resident.blob(can_ask)?;
        let handle = ResidentHandle { instance: residents.instance, handle: resident.handle };
        Some((Media::new(resident.info.clone(), Blob::clone(&blob), source), handle))
    }

    /// Counts a hit on the file of an entry.
    pub fn count_file_hit(&self, key: &str) {
        let residents = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(resident) = residents.resident.get(key) {
            resident.file_hits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes what the component answered, if it holds it.
    pub fn insert(&self, key: &str, delivered: &Delivered) {
        let Some(handle) = delivered.handle else { return };
        let resident = Resident {
            blob: delivered.resident.clone(),
            file: delivered.file.clone(),
            info: delivered.media.info().clone(),
            handle,
            file_hits: AtomicU32::new(0),
        };
        if !resident.is_alive() {
            return;
        }
        let mut residents = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if delivered.instance != residents.instance {
            return;
        }
        if residents.resident.len() >= 2 * residents.live_after_sweep + 64 {
            residents.resident.retain(|_, resident| resident.is_alive());
            residents.live_after_sweep = residents.resident.len();
        }
        residents.resident.insert(key.into(), resident);
    }

    /// Another instance decides from now on. Returns the keys by the handles of the one before.
    pub fn begin_instance(&self, instance: u64) -> HashMap<u64, Box<str>> {
        let before = Residents { instance, ..Residents::default() };
        let before = std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), before);
        before.resident.into_iter().map(|(key, resident)| (resident.handle, key)).collect()
    }

    /// How many keys are known, dead ones included.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).resident.len()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::SystemTime;

    use super::*;

    /// Media that an instance holds, and delivers.
    pub(crate) fn delivered(instance: u64, handle: Option<u64>) -> (Arc<Blob>, Delivered) {
        let blob = Arc::new(Blob::from("bytes"));
        let info = MediaInfo::new("image/png", "a.png", SystemTime::UNIX_EPOCH);
        let media = Media::new(info, Blob::clone(&blob), Source::Origin);
        let resident = Arc::downgrade(&blob);
        (blob, Delivered { media, instance, handle, resident, file: Weak::new(), cost: 0 })
    }

    #[test]
    fn a_blob_is_served_while_it_is_held_and_not_a_moment_longer() {
        let resident = ResidentIndex::default();
        let (blob, answer) = delivered(0, Some(7));
        resident.insert("u", &answer);
        let (media, handle) = resident.get("u", true).unwrap();
        assert_eq!((handle.handle, media.source, media.body.len()), (7, Source::Memory, 5));
        drop(blob);
        assert!(resident.get("u", true).is_none(), "although {media:?} still has the bytes");
        assert!(resident.get("v", true).is_none());
    }

    #[test]
    fn what_is_not_held_is_not_noted() {
        let resident = ResidentIndex::default();
        resident.insert("u", &delivered(0, None).1);
        let (blob, answer) = delivered(0, Some(1));
        drop(blob);
        resident.insert("v", &answer);
        assert_eq!(resident.len(), 0);
    }

    #[test]
    fn what_an_instance_before_delivers_late_is_not_noted() {
        let resident = ResidentIndex::default();
        let ((_old, early), (_new, late)) = (delivered(0, Some(1)), delivered(0, Some(2)));
        resident.insert("u", &early);
        assert_eq!(resident.begin_instance(1), [(1, "u".into())].into());
        resident.insert("u", &late);
        assert!(resident.get("u", true).is_none());
        let (_blob, current) = delivered(1, Some(3));
        resident.insert("u", &current);
        assert_eq!(resident.get("u", true).unwrap().1, ResidentHandle { instance: 1, handle: 3 });
    }

    #[test]
    fn dead_references_do_not_pile_up() {
        let resident = ResidentIndex::default();
        let alive: Vec<_> = (0..10).map(|i| (i, delivered(0, Some(i)))).collect();
        for (i, (_, answer)) in &alive {
            resident.insert(&format!("alive {i}"), answer);
        }
        for i in 0..10_000 {
            let (_blob, answer) = delivered(0, Some(i));
            resident.insert(&format!("dead {i}"), &answer);
        }
        assert!(resident.len() < 200, "{}", resident.len());
        assert!((0..10).all(|i| resident.get(&format!("alive {i}"), true).is_some()));
    }
}
