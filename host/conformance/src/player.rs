//! Plays a sequence against a policy as a cache would, and checks every answer.
//!
//! A wrong answer is recorded and then corrected as a cache would correct it, so that the sequence continues and one mistake does not cause
//! others.

use std::fmt::Display;

use media_cache::policy::{Access, Entry, Event, Placement, PolicyFault, SEED_PAGE};

use crate::access_pattern::RequestGenerator;
use crate::call::{Answer, Call};
use crate::call_log::CallLog;
use crate::counterexample::Counterexample;
use crate::model::Model;
use crate::observations::Observations;
use crate::random::Random;
use crate::sequence::Sequence;
use crate::subject::Subject;

/// The number of objects that count as popular.
const POPULAR: u64 = 20;
/// The time at the start, in milliseconds since 1970.
const START: u64 = 1_700_000_000_000;

/// A ranking of a policy, and the sequence that is played against it.
pub(crate) struct Player {
    sequence: Sequence,
    ranking: usize,
    random: Random,
    requests: RequestGenerator,
    now: u64,
    events: Vec<Event>,
    pub model: Model,
    pub log: CallLog,
    pub observed: Observations,
}

impl Player {
    /// `ranking` must be empty and have the capacity of the sequence's tier.
    pub fn new(sequence: Sequence, ranking: usize) -> Self {
        let mut random = Random::new(sequence.seed);
        let model = Model::new(sequence.tier, &mut random);
        let requests = RequestGenerator::new(sequence.pattern, sequence.seed);
        let (events, log, observed) = Default::default();
        Self { sequence, ranking, random, requests, now: START, events, model, log, observed }
    }

    /// Plays the whole sequence.
    pub fn play(&mut self, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        self.start(subject)?;
        for _ in 0..self.sequence.requests {
            self.step(subject)?;
        }
        self.end(subject)
    }

    /// Restores the initial entries.
    pub fn start(&mut self, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        if !self.sequence.extra.restores {
            return Ok(());
        }
        // Restores everything that fits, half of that, or very little, in two calls with an empty one between them.
        let size = self.sequence.tier.capacity() >> [0, 1, 6][self.random.below(3) as usize];
        let tries = 2 * self.sequence.tier.max_entries(size);
        for size in [size / 2, 0, size] {
            self.restore_up_to(size, tries, subject)?;
        }
        Ok(())
    }

    /// Plays extra operations, if any are due, and then one request.
    pub fn step(&mut self, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        let extra = self.sequence.extra;
        self.now = self.sequence.clock.after(self.now, &mut self.random);
        if extra.evictions && self.random.once_in(60) {
            let needed = match self.random.below(12) {
                0 => 0,
                1 => 1,
                2 => self.model.used(),
                3 => u64::MAX,
                _ => self.random.below(self.sequence.tier.capacity() / 4 + 1),
            };
            self.evict(needed, subject)?;
        }
        if extra.removals && self.random.once_in(6) {
            self.remove_random(subject)?;
        }
        if extra.restores && self.random.once_in(80) {
            let more = self.random.below(self.sequence.tier.capacity() / 16 + 2);
            self.restore_up_to(self.model.used() + more, 8, subject)?;
        }
        if self.random.once_in(200) {
            self.flush(subject)?;
        }
        let object = self.requests.next();
        self.request(object, subject)
    }

    /// Evicts all entries.
    pub fn end(&mut self, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        self.evict(u64::MAX, subject)
    }

    /// Plays a request for an object.
    pub fn request(&mut self, object: u64, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        let is_popular = u64::from(object < POPULAR && self.sequence.tier.is_small(self.sequence.tier.size_of(object)));
        self.observed.requests += 1;
        self.observed.popular_requests += is_popular;
        match self.model.id_of(object) {
            Some(id) => {
                self.observed.hits += 1;
                self.observed.popular_hits += is_popular;
                self.access(id, subject)
            }
            None => {
                let hits = if self.random.once_in(8) { self.random.below(1000) } else { 0 };
                let candidate = self.model.candidate(object, hits, self.now);
                self.place(candidate, subject)
            }
        }
    }

    /// Restores entries until the tracked ones add up to `size`. Makes at most `tries` attempts, because generated objects may be
    /// tracked already.
    pub fn restore_up_to(&mut self, size: u64, tries: u64, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        let limit = size.min(self.sequence.tier.capacity());
        let mut entries = Vec::new();
        for _ in 0..tries {
            if self.model.used() >= limit {
                break;
            }
            let object = self.requests.next();
            let size = self.sequence.tier.size_of(object);
            if self.model.used() + size > limit || self.model.id_of(object).is_some() {
                continue;
            }
            let hits = [0, 0, 1, 5, self.random.below(100), u64::MAX][self.random.below(6) as usize];
            let entry = self.model.candidate(object, hits, self.now - 1000 + entries.len() as u64);
            self.model.insert(entry);
            entries.push(entry);
            if entries.len() == SEED_PAGE {
                self.restore(std::mem::take(&mut entries), subject)?;
            }
        }
        self.restore(entries, subject)
    }

    /// Frees at least `needed`.
    pub fn evict(&mut self, needed: u64, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        self.log.begin(Call::Evict { events: std::mem::take(&mut self.events), needed });
        let victims = subject.evict(self.ranking, self.log.events(), needed)?;
        self.log.end(Answer::Evicted(victims.clone()));
        check_number(&victims, self.model.len())?;
        let limit = self.model.used().saturating_sub(needed);
        let (evicted, freed) = self.remove_victims(&victims);
        self.observed.add_eviction(&evicted, needed, self.model.used(), freed + self.model.used());
        if self.model.used() > limit {
            let (used, missing) = (freed + self.model.used(), self.model.used() - limit);
            let expected = format!("victims that free {}; these free {freed}, which is {missing} too little", needed.min(used));
            record(&mut self.observed.too_little_freed, &self.log, &self.sequence, expected);
        }
        let restored = self.restore_some(&evicted, None, subject)?;
        while self.model.used() > limit {
            match self.model.least_recently_used() {
                Some(id) if !restored.contains(&id) => self.remove(id, subject)?,
                _ => break,
            }
        }
        Ok(())
    }

    /// Plays an access to every other entry. Ids must be consecutive.
    pub fn access_every_other(&mut self, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        for id in (0..self.model.len() as u64).step_by(2) {
            self.access(id, subject)?;
        }
        Ok(())
    }

    /// The last call as a counterexample.
    pub fn counterexample(&self, expected: String) -> Counterexample {
        self.log.counterexample(&self.sequence, expected)
    }

    fn place(&mut self, candidate: Entry, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        let needed = self.model.needed(candidate.size);
        self.log.begin(Call::Place { events: std::mem::take(&mut self.events), candidate, needed });
        let placement = subject.place(self.ranking, self.log.events(), candidate, needed)?;
        self.log.end(Answer::Placed(placement.clone()));
        let Placement::Admit(victims) = placement else {
            self.model.release(candidate);
            self.check_refusal(candidate, needed);
            return Ok(());
        };
        self.model.insert(candidate);
        check_number(&victims, self.model.len())?;
        let (evicted, freed) = self.remove_victims(&victims);
        if evicted.iter().any(|entry| entry.id == candidate.id) {
            let others: Vec<Entry> = evicted.iter().filter(|entry| entry.id != candidate.id).copied().collect();
            self.observed.add_eviction(&others, 0, self.model.used(), self.sequence.tier.capacity());
            self.check_refusal(candidate, needed);
            self.restore_some(&evicted, Some(candidate.id), subject)?;
            return Ok(());
        }
        self.observed.add_eviction(&evicted, needed, self.model.used(), self.sequence.tier.capacity());
        if self.model.excess() > 0 {
            let expected = format!("victims that free at least {needed}, or a refusal; these free {freed}");
            record(&mut self.observed.too_little_freed, &self.log, &self.sequence, expected);
        }
        let restored = self.restore_some(&evicted, Some(candidate.id), subject)?;
        while self.model.excess() > 0 {
            match self.model.least_recently_used() {
                Some(id) if id != candidate.id && !restored.contains(&id) => self.remove(id, subject)?,
                // Nothing else can be removed, so the candidate cannot be stored.
                _ => return self.remove(candidate.id, subject),
            }
        }
        if self.sequence.extra.refusals && self.random.once_in(8) {
            self.remove(candidate.id, subject)?;
        }
        Ok(())
    }

    fn check_refusal(&mut self, candidate: Entry, needed: u64) {
        if needed == 0 && self.sequence.tier.is_small(candidate.size) {
            let (size, room) = (candidate.size, self.sequence.tier.capacity() - self.model.used());
            let expected =
                format!("a candidate of size {size} to be admitted, since {room} is free and no entry needs to be evicted for it");
            record(&mut self.observed.needless_refusal, &self.log, &self.sequence, expected);
        }
    }

    /// Removes the victims that are tracked. Returns them and the sum of their sizes.
    fn remove_victims(&mut self, victims: &[u64]) -> (Vec<Entry>, u64) {
        let tracked = self.model.len();
        let mut evicted: Vec<Entry> = Vec::new();
        for victim in victims {
            match self.model.remove(*victim) {
                Some(entry) => evicted.push(entry),
                None => {
                    let is_repeated = evicted.iter().any(|entry| entry.id == *victim);
                    let why = if is_repeated { "was named before" } else { "is not tracked" };
                    let expected = format!("ids of the {tracked} tracked entries, each at most once; {victim} {why}");
                    record(&mut self.observed.wrong_victims, &self.log, &self.sequence, expected);
                }
            }
        }
        let freed = evicted.iter().map(|entry| entry.size).sum();
        (evicted, freed)
    }

    /// Occasionally restores up to two victims, like a cache that cannot evict them, and returns their ids. Never restores `candidate`: if
    /// it is a victim, the policy did not admit it.
    fn restore_some(
        &mut self,
        evicted: &[Entry],
        candidate: Option<u64>,
        subject: &mut dyn Subject,
    ) -> Result<Vec<u64>, PolicyFault> {
        let mut restored = Vec::new();
        if self.sequence.extra.refusals && self.random.once_in(4) {
            restored.extend(evicted.iter().filter(|entry| Some(entry.id) != candidate).take(2).copied());
        }
        for entry in &restored {
            self.model.reinsert(*entry);
        }
        if !restored.is_empty() {
            self.restore(restored.clone(), subject)?;
        }
        Ok(restored.iter().map(|entry| entry.id).collect())
    }

    fn remove_random(&mut self, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        let Some(id) = self.model.random_id(&mut self.random) else { return Ok(()) };
        if self.random.once_in(3) {
            self.access(id, subject)?;
        }
        self.remove(id, subject)
    }

    /// Removes an entry that is not a victim.
    fn remove(&mut self, id: u64, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        self.model.remove(id);
        self.buffer(Event::Removed(id), subject)
    }

    fn access(&mut self, id: u64, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        self.model.access(id, self.now);
        self.buffer(Event::Accessed(Access { id, at: self.now }), subject)
    }

    fn restore(&mut self, entries: Vec<Entry>, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        // The buffered events happened before the removal.
        if !self.events.is_empty() {
            self.flush(subject)?;
        }
        self.log.begin(Call::Restore(entries));
        subject.restore(self.ranking, self.log.entries())?;
        self.log.end(Answer::Nothing);
        Ok(())
    }

    /// Buffers an event for the next call.
    fn buffer(&mut self, event: Event, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        self.events.push(event);
        if self.events.len() >= self.sequence.batch { self.flush(subject) } else { Ok(()) }
    }

    /// Sends the buffered events to the policy, even if there are none.
    fn flush(&mut self, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        self.log.begin(Call::Observe(std::mem::take(&mut self.events)));
        subject.observe(self.ranking, self.log.events())?;
        self.log.end(Answer::Nothing);
        Ok(())
    }
}

/// Rejects answers with very many victims. A cache disables a policy that names more victims than there are tracked entries; here, a small
/// excess is reported as wrong victims, which shows the cause.
fn check_number(victims: &[u64], tracked: usize) -> Result<(), PolicyFault> {
    match victims.len() {
        named if named <= 2 * tracked + 100 => Ok(()),
        named => Err(PolicyFault::TooManyVictims { named, tracked }),
    }
}

/// Records the last call as the first counterexample of its kind.
fn record(first: &mut Option<Counterexample>, log: &CallLog, sequence: &impl Display, expected: String) {
    first.get_or_insert_with(|| log.counterexample(sequence, expected));
}
