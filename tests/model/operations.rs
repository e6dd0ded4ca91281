//! The operations, and their effects on the possible states of the URLs.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use futures::future::join_all;
use media_cache::{Blob, CacheError, EntryFilter, Media, PutOutcome, Source, StoreError};
use media_cache_test_support::cache_requests::body;
use media_cache_test_support::cache_rig::ENGINE;

use crate::campaign::Campaign;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Get,
    GetOrDownload,
    Burst,
    Put,
    Refresh,
    Remove,
    RemoveMatching,
    RemoveAll,
    List,
    Checkpoint,
    SwapPolicy,
    SwapComponent,
    Damage,
    BeginFaults,
    Restart,
    Verify,
}

/// The relative frequency of each operation. To add an operation, add it here and in [`Campaign::random_operation`].
const WEIGHTS: [(Operation, u64); 16] = [
    (Operation::Get, 280),
    (Operation::GetOrDownload, 200),
    (Operation::Burst, 10),
    (Operation::Put, 260),
    (Operation::Refresh, 80),
    (Operation::Remove, 80),
    (Operation::RemoveMatching, 6),
    (Operation::RemoveAll, 1),
    (Operation::List, 20),
    (Operation::Checkpoint, 20),
    (Operation::SwapPolicy, 4),
    (Operation::SwapComponent, 3),
    (Operation::Damage, 3),
    (Operation::BeginFaults, 10),
    (Operation::Restart, 5),
    (Operation::Verify, 3),
];

const POLICIES: [&str; 6] = ["lru", "sieve", "s3-fifo", "gdsf", "w-tinylfu", "hazard"];

impl Campaign {
    pub async fn random_operation(&mut self) {
        let number = self.random.below(self.subjects.len() as u64) as usize;
        match self.choose() {
            Operation::Get => self.get(number).await,
            Operation::GetOrDownload => self.get_or_download(number).await,
            Operation::Burst => self.burst().await,
            Operation::Put => self.put(number).await,
            Operation::Refresh => self.refresh(number).await,
            Operation::Remove => self.remove(number).await,
            Operation::RemoveMatching => {
                let prefix = format!("test:put/{}", self.random.below(3));
                self.remove_matching(EntryFilter::Prefix(prefix.clone()), |url| url.starts_with(&prefix)).await;
            }
            Operation::RemoveAll => self.remove_matching(EntryFilter::All, |_| true).await,
            Operation::List => self.list().await,
            Operation::Checkpoint => drop(self.cache.checkpoint().await),
            Operation::SwapPolicy => self.swap_policy().await,
            Operation::SwapComponent => self.swap_component().await,
            Operation::Damage => self.damage(number),
            Operation::BeginFaults if self.faulty == 0 => self.begin_faults(),
            Operation::BeginFaults => {}
            Operation::Restart => self.restart().await,
            Operation::Verify if self.faulty == 0 => self.verify().await,
            Operation::Verify => {}
        }
        self.tally.faults = self.disk.failed();
    }

    fn choose(&mut self) -> Operation {
        let total: u64 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
        let mut chosen = self.random.below(total);
        let at = |(operation, weight): &(Operation, u64)| match chosen.checked_sub(*weight) {
            Some(rest) => {
                chosen = rest;
                None
            }
            None => Some(*operation),
        };
        WEIGHTS.iter().find_map(at).unwrap()
    }

    /// Checks that the served media is a possible version. If it came from the cache, it is from then on the only possible one.
    async fn served(&mut self, number: usize, media: &Media) {
        let bytes = body(media).await;
        let subject = &self.subjects[number];
        let Some(version) = subject.recognise(&bytes) else {
            panic!("{subject:?} has a wrong body of {} bytes, {}", bytes.len(), self.context())
        };
        if media.source != Source::Origin {
            self.subjects[number].is(Some(version));
        }
    }

    /// Records that nothing was found. While the disk fails, that proves nothing.
    async fn not_found(&mut self, number: usize) {
        if self.faulty > 0 {
            return;
        }
        if self.subjects[number].must_be_stored() {
            self.miss(number).await;
        }
        self.subjects[number].is(None);
    }

    pub async fn get(&mut self, number: usize) {
        self.requests += 1;
        let found = self.cache.get(&self.subjects[number].url).await.unwrap();
        self.note(number, format!("get: {:?}", found.as_ref().map(|media| media.source)));
        match found {
            Some(media) => self.served(number, &media).await,
            None => self.not_found(number).await,
        }
    }

    async fn get_or_download(&mut self, number: usize) {
        if !self.subjects[number].has_origin {
            return self.get(number).await;
        }
        self.requests += 1;
        let media = self.cache.get_or_download(&self.subjects[number].url).await.unwrap();
        self.note(number, format!("get or download: {:?}", media.source));
        self.downloaded(number, &media).await;
    }

    /// Records that media was served, from the cache or from its origin, and may be stored now.
    async fn downloaded(&mut self, number: usize, media: &Media) {
        if media.source == Source::Origin {
            self.not_found(number).await;
            let version = self.subjects[number].version;
            // The policy may refuse it, and the disk may fail.
            self.subjects[number].may_be(Some(version));
        }
        self.served(number, media).await;
    }

    /// Sends several requests concurrently.
    async fn burst(&mut self) {
        let picks: Vec<usize> = (0..8).map(|_| self.random.below(self.subjects.len() as u64) as usize).collect();
        let numbers: Vec<usize> = picks.into_iter().filter(|number| self.subjects[*number].has_origin).collect();
        self.requests += numbers.len() as u64;
        let requests = numbers.iter().map(|number| self.cache.get_or_download(&self.subjects[*number].url));
        let answers = join_all(requests).await;
        for (number, answer) in numbers.into_iter().zip(answers) {
            let media = answer.unwrap();
            self.note(number, format!("get or download in a burst: {:?}", media.source));
            if media.source == Source::Origin || !self.subjects[number].must_be_stored() {
                // One of these requests may have stored the media, and another may have evicted it.
                let version = self.subjects[number].version;
                self.subjects[number].may_be(Some(version));
                if self.subjects[number].must_be_stored() && self.faulty == 0 {
                    self.miss(number).await;
                }
                self.subjects[number].may_be(None);
            }
            self.served(number, &media).await;
            if media.source != Source::Origin {
                // Another of these requests may have evicted the entry.
                self.subjects[number].may_be(None);
            }
        }
    }

    fn note(&mut self, number: usize, what: String) {
        let what = format!("{}{}: {what}", self.tally.operations, if self.faulty > 0 { ", faulty" } else { "" });
        self.subjects[number].note(what);
    }

    async fn put(&mut self, number: usize) {
        if self.subjects[number].has_origin {
            return self.get_or_download(number).await;
        }
        self.subjects[number].version += 1;
        let version = self.subjects[number].version;
        let media = self.subjects[number].media(version);
        let body = if self.random.below(4) == 0 { in_a_file(&media) } else { media.into() };
        let outcome = self.cache.put(&self.subjects[number].url, body, "image/png", "a.png").await.unwrap();
        self.note(number, format!("put of {version}: known: {}, not stored: {:?}", outcome.known, outcome.not_stored));
        match outcome {
            PutOutcome { known: true, media, .. } => self.served(number, &media).await,
            PutOutcome { not_stored: None, .. } => {
                self.not_found(number).await;
                self.subjects[number].is(Some(version));
            }
            PutOutcome { not_stored: Some(StoreError::Refused), .. } => self.not_found(number).await,
            PutOutcome { not_stored: Some(StoreError::Disk(_) | StoreError::NotReady), .. } if self.faulty > 0 => {
                // The files may be complete enough for the next start to find the entry.
                self.subjects[number].may_be(Some(version));
            }
            PutOutcome { not_stored: Some(error), .. } => panic!("{error:?}, {}", self.context()),
        }
    }

    async fn refresh(&mut self, number: usize) {
        if !self.subjects[number].has_origin {
            return self.get(number).await;
        }
        let subject = &mut self.subjects[number];
        if self.random.below(3) > 0 {
            subject.version += 1;
            self.rig.origin.serves_bytes(&subject.url, subject.media(subject.version));
        }
        let version = subject.version;
        let outcome = self.cache.refresh(&subject.url).await.unwrap();
        self.note(number, format!("refresh to {version}: modified: {}, not stored: {:?}", outcome.modified, outcome.not_stored));
        let subject = &mut self.subjects[number];
        assert!(body(&outcome.media).await == subject.media(version), "a refresh returned a wrong body, {}", self.context());
        let subject = &mut self.subjects[number];
        match outcome.not_stored {
            None => subject.is(Some(version)),
            // The old version may have been evicted in the meantime, or the policy may have refused the new one.
            Some(StoreError::Refused) => {
                subject.may_be(None);
                subject.may_be(Some(version));
            }
            Some(StoreError::Disk(_) | StoreError::NotReady) if self.faulty > 0 => {
                subject.may_be(None);
                subject.may_be(Some(version));
            }
            Some(error) => panic!("{error:?}, {}", self.context()),
        }
    }

    async fn remove(&mut self, number: usize) {
        let removed = self.cache.remove(&self.subjects[number].url).await;
        self.note(number, format!("remove: {removed:?}"));
        match removed {
            Ok(true) => self.subjects[number].is(None),
            Ok(false) if self.faulty == 0 => self.not_found(number).await,
            // Acknowledged, regardless of the state of the disk.
            Ok(false) => self.subjects[number].is(None),
            Err(CacheError::Store(StoreError::Disk(_))) if self.faulty > 0 => self.subjects[number].may_be(None),
            Err(error) => panic!("{error}, {}", self.context()),
        }
    }

    async fn remove_matching(&mut self, filter: EntryFilter, matches: impl Fn(&str) -> bool) {
        let removed = self.cache.remove_matching(filter).await;
        let is_faulty = self.faulty > 0;
        match removed {
            Ok(_) => {}
            Err(CacheError::Store(StoreError::Disk(_))) if is_faulty => {}
            Err(error) => panic!("{error}, {}", self.context()),
        }
        for number in 0..self.subjects.len() {
            if matches(&self.subjects[number].url) {
                self.note(number, format!("removed with others: {removed:?}"));
            }
        }
        for subject in self.subjects.iter_mut().filter(|subject| matches(&subject.url)) {
            // An entry that could not be read during the load is not in the index.
            if removed.is_ok() && !is_faulty { subject.is(None) } else { subject.may_be(None) }
        }
    }

    async fn list(&mut self) {
        let page = self.cache.entries(None, 1000).await.unwrap();
        for entry in page.entries {
            let subject = self.subjects.iter().find(|subject| subject.url == entry.url).unwrap();
            let is_possible = subject.possible.iter().any(Option::is_some);
            assert!(is_possible, "{subject:?} is listed, {}", self.context());
        }
    }

    async fn swap_policy(&mut self) {
        let name = POLICIES[self.random.below(POLICIES.len() as u64) as usize];
        self.cache.swap_policy(ENGINE.built_in_policy(name).unwrap()).await.unwrap();
        self.tally.swaps += 1;
    }

    async fn swap_component(&mut self) {
        match self.cache.swap_component(ENGINE.built_in_cache().unwrap()).await {
            Ok(_) => self.tally.component_swaps += 1,
            // The new component could not know the changes that the active one has failed to save.
            Err(_) if self.faulty > 0 => {}
            Err(error) => panic!("cannot replace the component: {error}, {}", self.context()),
        }
    }

    /// Changes a byte of an entry, as another program might. Entries in memory remain valid.
    fn damage(&mut self, number: usize) {
        let Ok(file) = File::options().read(true).write(true).open(self.media_file(number)) else { return };
        let mut byte = [0];
        if file.read_exact_at(&mut byte, 0).is_ok() {
            file.write_all_at(&[byte[0] ^ 1], 0).unwrap();
            self.note(number, "damaged".into());
            self.subjects[number].may_be(None);
            self.has_damage = true;
            self.tally.damaged += 1;
        }
    }
}

/// Bytes in an unnamed file.
fn in_a_file(media: &[u8]) -> Blob {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(media, 0).unwrap();
    Blob::from_file(Arc::new(file)).unwrap()
}
