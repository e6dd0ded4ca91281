//! Which entries are resident, seen from outside the component, so that hits on them need no call.
//!
//! For each cache key that was answered there is a weak reference to the blob that the component holds. While the component holds it,
//! any thread can serve it; when the component releases it (evicted, removed, replaced) the reference is dead, so nothing here can be
//! stale. A hit that was served this way goes to the [`HitBuffer`](crate::hit_buffer::HitBuffer).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use crate::media::{Delivered, Media, MediaInfo, Source};
use media_cache_interfaces::Blob;

/// What the component holds, by the key of its URL: so there are as many as it holds, and not as many as there are ways to sign a URL.
#[derive(Default)]
pub(crate) struct ResidentIndex(RwLock<Residents>);

#[derive(Default)]
struct Residents {
    resident: HashMap<Box<str>, Resident>,
    /// How many there were after the dead ones were last swept out.
    live_after_sweep: usize,
}

struct Resident {
    blob: Weak<Blob>,
    info: Arc<MediaInfo>,
    handle: u64,
}

impl ResidentIndex {
    /// What is resident under `key`, and its handle.
    pub fn get(&self, key: &str) -> Option<(Media, u64)> {
        let residents = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let resident = residents.resident.get(key)?;
        let blob = resident.blob.upgrade()?;
        Some((Media::new(resident.info.clone(), Blob::clone(&blob), Source::Memory), resident.handle))
    }

    /// Notes what the component answered, if it holds it.
    pub fn insert(&self, key: &str, delivered: &Delivered) {
        let Some(handle) = delivered.handle.filter(|_| delivered.resident.strong_count() > 0) else { return };
        let mut residents = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if residents.resident.len() >= 2 * residents.live_after_sweep + 64 {
            residents.resident.retain(|_, resident| resident.blob.strong_count() > 0);
            residents.live_after_sweep = residents.resident.len();
        }
        let resident = Resident { blob: delivered.resident.clone(), info: delivered.media.info().clone(), handle };
        residents.resident.insert(key.into(), resident);
    }

    /// How many keys are known, dead ones included.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).resident.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn delivered(handle: Option<u64>) -> (Arc<Blob>, Delivered) {
        let blob = Arc::new(Blob::from("bytes"));
        let info = MediaInfo::new("image/png", "a.png", SystemTime::UNIX_EPOCH);
        let media = Media::new(info, Blob::clone(&blob), Source::Origin);
        let resident = Arc::downgrade(&blob);
        (blob, Delivered { media, handle, resident })
    }

    #[test]
    fn a_blob_is_served_while_it_is_held_and_not_a_moment_longer() {
        let resident = ResidentIndex::default();
        let (blob, answer) = delivered(Some(7));
        resident.insert("u", &answer);
        let (media, handle) = resident.get("u").unwrap();
        assert_eq!((handle, media.source, media.body.len()), (7, Source::Memory, 5));
        drop(blob);
        assert!(resident.get("u").is_none(), "although {media:?} still has the bytes");
        assert!(resident.get("v").is_none());
    }

    #[test]
    fn what_is_not_held_is_not_noted() {
        let resident = ResidentIndex::default();
        resident.insert("u", &delivered(None).1);
        let (blob, answer) = delivered(Some(1));
        drop(blob);
        resident.insert("v", &answer);
        assert_eq!(resident.len(), 0);
    }

    #[test]
    fn dead_references_do_not_pile_up() {
        let resident = ResidentIndex::default();
        let alive: Vec<_> = (0..10).map(|i| (i, delivered(Some(i)))).collect();
        for (i, (_, answer)) in &alive {
            resident.insert(&format!("alive {i}"), answer);
        }
        for i in 0..10_000 {
            let (_blob, answer) = delivered(Some(i));
            resident.insert(&format!("dead {i}"), &answer);
        }
        assert!(resident.len() < 200, "{}", resident.len());
        assert!((0..10).all(|i| resident.get(&format!("alive {i}")).is_some()));
    }
}
