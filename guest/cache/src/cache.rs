//! A cache: what it knows, and the calls that need no download.
//!
//! Everything runs on one thread, so the state lies in a [`RefCell`]. No borrow of it lives across an `await`: whatever waits looks
//! again afterwards, since others went on meanwhile.

use std::cell::{Cell, RefCell};
use std::hash::BuildHasherDefault;
use std::rc::Rc;

use crate::bindings::exports::media_cache::cache::cache::{LoadReport, Media, Source};
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::cache::downloader::FetchError;
use crate::bindings::media_cache::cache::eviction::Policy;
use crate::digest::{DigestHasher, Key};
use crate::disk::{Disk, blames_the_file};
use crate::eviction_tier::Ranking;
use crate::failure_memory::Failures;
use crate::fetched_media::Brought;
use crate::index::{Index, Slot};
use crate::lookup_key::Asked;
use crate::memory_tier::Memory;
use crate::settings::Settings;
use crate::single_flight::{Flights, Part};
use crate::state::{Counters, State, Writing};

type KeyFlights<T> = Flights<Key, T, BuildHasherDefault<DigestHasher>>;

/// A cache.
pub struct Cache {
    pub(crate) settings: Settings,
    pub(crate) state: RefCell<State>,
    pub(crate) disk: RefCell<Option<Rc<Disk>>>,
    pub(crate) report: Cell<Option<LoadReport>>,
    pub(crate) loads: Flights<(), Result<LoadReport, String>, BuildHasherDefault<DigestHasher>>,
    pub(crate) checkpoints: Flights<(), (), BuildHasherDefault<DigestHasher>>,
    /// Downloads, by the URL as it was given.
    pub(crate) downloads: KeyFlights<Result<Brought, FetchError>>,
    /// Downloads and puts, by entry. One that fails is given up.
    pub(crate) arrivals: KeyFlights<Brought>,
    /// Reading back from disk.
    reads: KeyFlights<Option<Brought>>,
    /// Removals of files: until one is done, nothing may be written by the same name.
    pub(crate) leaving: KeyFlights<()>,
}

/// What the index says of a URL.
enum Lookup {
    /// The bytes are at hand.
    AtHand(Brought),
    /// They are on disk.
    OnDisk(Slot),
    /// There is nothing to be had.
    Absent,
}

/// What came of reading an entry's bytes back.
enum ReadBack {
    Whole(Brought),
    /// The entry is no more.
    Gone,
    /// The entry is there, and cannot be read just now.
    OutOfReach,
}

/// What a file turned out to be.
enum Checked {
    /// What it should be; with its digest, where that is known.
    Whole(Blob, Option<[u8; 32]>),
    /// Something else.
    Damaged,
    /// It could not be read, for a reason that need not be its own.
    OutOfReach,
}

impl Cache {
    /// A cache that has not looked at its directory yet.
    pub fn with(settings: Settings) -> Self {
        // A policy that cannot be made with these options is reported by the first load; until then, use alone decides.
        let policy = |capacity: u64| Policy::create(capacity.max(1), &settings.policy_options).ok();
        let ranking = Ranking::new(policy(settings.max_disk_bytes));
        let memory_ranking = Ranking::new(policy(settings.max_memory_items.into()));
        let state = State {
            index: Index::default(),
            ranking,
            memory: Memory::new(memory_ranking, settings.max_memory_items, settings.max_memory_bytes),
            failures: Failures::default(),
            counters: Counters::default(),
            writing: Writing::default(),
        };
        Self {
            settings,
            state: RefCell::new(state),
            disk: RefCell::default(),
            report: Cell::default(),
            loads: Flights::default(),
            checkpoints: Flights::default(),
            downloads: Flights::default(),
            arrivals: Flights::default(),
            reads: Flights::default(),
            leaving: Flights::default(),
        }
    }

    /// What a URL stands for.
    pub(crate) fn asked<'a>(&self, url: &'a str) -> Asked<'a> {
        Asked::of(url, &self.settings.key_rules)
    }

    /// See `get` in the WIT, as for the others.
    pub async fn get(&self, url: &str) -> Option<Media> {
        // Without its directory the cache is empty.
        let _ = self.ensure_loaded().await;
        let media = self.hit(&self.asked(url).entry).await;
        if media.is_none() {
            self.state.borrow_mut().counters.misses += 1;
        }
        media
    }

    /// What is stored, counted as a hit.
    pub(crate) async fn hit(&self, key: &Key) -> Option<Media> {
        let (brought, source) = self.find(key).await?;
        let state = &mut *self.state.borrow_mut();
        state.counters.hits += 1;
        state.counters.disk_hits += u64::from(source == Source::Disk);
        if let Some(entry) = brought.ticket.and_then(|ticket| state.touch(ticket, source)) {
            entry.hits += 1;
        }
        Some(brought.into_media(source, state))
    }

    /// What is stored, at hand or read back, without counting or moving anything.
    pub(crate) async fn find(&self, key: &Key) -> Option<(Brought, Source)> {
        loop {
            let slot = match self.look_up(key) {
                Lookup::AtHand(brought) => return Some((brought, Source::Memory)),
                Lookup::Absent => return None,
                Lookup::OnDisk(slot) => slot,
            };
            // Where the entry is dropped, the next look finds nothing, or what was stored meanwhile.
            match self.reads.join(key) {
                Part::Lead(lead) => match self.read_back(slot).await {
                    ReadBack::Whole(brought) => {
                        lead.finish(|| Some(brought.share()));
                        return Some((brought, Source::Disk));
                    }
                    ReadBack::Gone => lead.finish(|| None),
                    ReadBack::OutOfReach => return None,
                },
                Part::Follow(result) => {
                    if let Ok(Some(brought)) = result.await {
                        return Some((brought, Source::Disk));
                    }
                }
            }
        }
    }

    fn look_up(&self, key: &Key) -> Lookup {
        let state = self.state.borrow();
        let Some(slot) = state.index.find(key) else { return Lookup::Absent };
        match state.index.get(slot) {
            Some(entry) if entry.committed => match &entry.resident {
                Some(blob) => Lookup::AtHand(Brought::of(entry, blob.share(), state.index.ticket(slot))),
                None => Lookup::OnDisk(slot),
            },
            _ => Lookup::Absent,
        }
    }

    /// Reads an entry's bytes from disk, checks them, and keeps them at hand. Drops the entry where they are not what they should be.
    async fn read_back(&self, slot: Slot) -> ReadBack {
        let (ticket, name, size, digest) = {
            let state = self.state.borrow();
            let Some(entry) = state.index.get(slot) else { return ReadBack::Gone };
            (state.index.ticket(slot), entry.key.media_file(), entry.size, entry.digest)
        };
        let read = self.read_checked(name, size, digest).await;
        let damaged = match (read, &mut *self.state.borrow_mut()) {
            (Checked::Whole(blob, digest), state) => {
                return state.take_in(ticket, blob, digest).map_or(ReadBack::Gone, ReadBack::Whole);
            }
            (Checked::OutOfReach, _) => return ReadBack::OutOfReach,
            (Checked::Damaged, state) => {
                // Whoever removed the entry meanwhile has removed its files.
                let Some(slot) = state.index.redeem(ticket) else { return ReadBack::Gone };
                state.counters.damaged += 1;
                state.drop_entry(slot)
            }
        };
        self.discard(damaged).await;
        ReadBack::Gone
    }

    /// Reads a file that should have this size and digest.
    async fn read_checked(&self, name: String, size: u64, expected: Option<[u8; 32]>) -> Checked {
        let Some(disk) = self.disk.borrow().clone() else { return Checked::OutOfReach };
        let blob = match disk.read(name).await {
            Ok(blob) if blob.size() == size => blob,
            Ok(_) => return Checked::Damaged,
            Err(error) if blames_the_file(&error) => return Checked::Damaged,
            Err(_) => return Checked::OutOfReach,
        };
        let in_memory = self.state.borrow().memory.takes_in(size);
        let Ok(blob) = (if in_memory { blob.load().await } else { Ok(blob) }) else { return Checked::OutOfReach };
        if expected.is_none() && !blob.in_memory() {
            return Checked::Whole(blob, None);
        }
        let digest = blob.digest().await.ok().and_then(|digest| <[u8; 32]>::try_from(digest).ok());
        match digest {
            Some(digest) if expected.is_none_or(|expected| expected == digest) => Checked::Whole(blob, Some(digest)),
            Some(_) => Checked::Damaged,
            None => Checked::OutOfReach,
        }
    }

    /// See the WIT.
    pub async fn remove(&self, url: &str) -> bool {
        let _ = self.ensure_loaded().await;
        let asked = self.asked(url);
        self.state.borrow_mut().failures.forget(&asked.itself());
        loop {
            let under_way = match self.state.borrow_mut().take_out(&asked.entry) {
                Removal::Done => break,
                Removal::Absent => return false,
                Removal::UnderWay => self.arrivals.follow(&asked.entry),
            };
            // It is being written, which is over soon.
            match under_way {
                Some(written) => drop(written.await),
                None => return false,
            }
        }
        self.discard([asked.entry]).await;
        true
    }

    /// See the WIT.
    pub fn record_hits(&self, tickets: &[u64]) {
        let state = &mut *self.state.borrow_mut();
        state.counters.hits += tickets.len() as u64;
        for ticket in tickets {
            if let Some(entry) = state.touch(*ticket, Source::Memory) {
                entry.hits += 1;
            }
        }
    }
}

/// What became of taking an entry out.
enum Removal {
    Done,
    Absent,
    UnderWay,
}

impl State {
    /// Keeps bytes that were read back at hand. `None` where their entry is gone.
    fn take_in(&mut self, ticket: u64, blob: Blob, digest: Option<[u8; 32]>) -> Option<Brought> {
        let slot = self.index.redeem(ticket)?;
        let entry = self.index.get_mut(slot)?;
        entry.digest = entry.digest.or(digest);
        let brought = Brought::of(entry, blob.share(), ticket);
        self.memory.keep(&mut self.index, slot, blob);
        Some(brought)
    }

    fn take_out(&mut self, key: &Key) -> Removal {
        let Some(slot) = self.index.find(key) else { return Removal::Absent };
        if self.index.get(slot).is_some_and(|entry| !entry.committed) {
            return Removal::UnderWay;
        }
        self.drop_entry(slot);
        Removal::Done
    }
}
