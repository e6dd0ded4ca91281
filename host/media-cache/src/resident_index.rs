//! Which entries are resident, seen from outside the component, so that hits on them need no call.
//!
//! For each cache key that was answered there is a weak reference to the blob that the component holds. While the component holds it,
//! any thread can serve it; when the component releases it (evicted, removed, replaced) the reference is dead, so nothing here can be
//! stale. A hit that was served this way goes to the [`HitBuffer`](crate::hit_buffer::HitBuffer).
//!
//! Only one instance of the component decides what is resident. When another one takes over, all references are dropped, although the
//! instance before may hold its blobs for a while.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use crate::media::{Delivered, Media, MediaInfo, Source};
use media_cache_interfaces::Blob;

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
    info: Arc<MediaInfo>,
    handle: u64,
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
    /// What is resident under `key`, and its handle.
    pub fn get(&self, key: &str) -> Option<(Media, ResidentHandle)> {
        let residents = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let resident = residents.resident.get(key)?;
        let blob = resident.blob.upgrade()?;
        let handle = ResidentHandle { instance: residents.instance, handle: resident.handle };
        Some((Media::new(resident.info.clone(), Blob::clone(&blob), Source::Memory), handle))
    }

    /// Notes what the component answered, if it holds it.
    pub fn insert(&self, key: &str, delivered: &Delivered) {
        let Some(handle) = delivered.handle.filter(|_| delivered.resident.strong_count() > 0) else { return };
        let mut residents = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if delivered.instance != residents.instance {
            return;
        }
        if residents.resident.len() >= 2 * residents.live_after_sweep + 64 {
            residents.resident.retain(|_, resident| resident.blob.strong_count() > 0);
            residents.live_after_sweep = residents.resident.len();
        }
        let resident = Resident { blob: delivered.resident.clone(), info: delivered.media.info().clone(), handle };
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
        (blob, Delivered { media, instance, handle, resident })
    }

    #[test]
    fn a_blob_is_served_while_it_is_held_and_not_a_moment_longer() {
        let resident = ResidentIndex::default();
        let (blob, answer) = delivered(0, Some(7));
        resident.insert("u", &answer);
        let (media, handle) = resident.get("u").unwrap();
        assert_eq!((handle.handle, media.source, media.body.len()), (7, Source::Memory, 5));
        drop(blob);
        assert!(resident.get("u").is_none(), "although {media:?} still has the bytes");
        assert!(resident.get("v").is_none());
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
        assert!(resident.get("u").is_none());
        let (_blob, current) = delivered(1, Some(3));
        resident.insert("u", &current);
        assert_eq!(resident.get("u").unwrap().1, ResidentHandle { instance: 1, handle: 3 });
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
        assert!((0..10).all(|i| resident.get(&format!("alive {i}")).is_some()));
    }
}
