//! Plays a sequence to a policy as a cache would, and looks at every answer.
//!
//! What is wrong in an answer is noted and then put right as the cache puts it right, so that the run goes on and one mistake does not
//! look like many.

use std::fmt::Display;

use super::log::{Answer, Call, Counterexample, Log};
use super::model::Model;
use super::random::Random;
use super::sequences::{Sequence, Walk};
use super::subject::Subject;
use crate::policy::{Access, CreateError, Entry, Event, PAGE, Placement, PolicyFault};

/// A ranking of a policy, and the sequence that is played to it.
pub(super) struct Player {
    sequence: Sequence,
    ranking: usize,
    random: Random,
    walk: Walk,
    now: u64,
    events: Vec<Event>,
    pub model: Model,
    pub log: Log,
    pub seen: Seen,
}

/// What there was to be seen.
#[derive(Default)]
pub(super) struct Seen {
    /// The first answer with an id that does not reside, or twice.
    pub wrong_names: Option<Counterexample>,
    /// The first answer that did not free enough.
    pub too_little: Option<Counterexample>,
    /// The first small candidate that was not kept though there was room.
    pub refused: Option<Counterexample>,
    /// Answers with victims where little was needed, and the shares that were in use after each, added up.
    pub small_evictions: u64,
    pub left_in_use: f64,
    pub asked: u64,
    pub hits: u64,
    /// The same for those few small objects that are asked for most often.
    pub popular_asked: u64,
    pub popular_hits: u64,
}

/// How many objects of a sequence by Zipf's law count as popular.
const POPULAR: u64 = 20;

impl Player {
    /// Has `subject` make a ranking.
    pub fn new(sequence: Sequence, subject: &mut dyn Subject, options: &[(String, String)]) -> Result<Self, CreateError> {
        let ranking = subject.create(sequence.tier.capacity(), options)?;
        let mut random = Random::new(sequence.seed);
        let (model, walk) = (Model::new(sequence.tier, &mut random), Walk::new(sequence.shape, sequence.seed));
        let (events, log, seen) = Default::default();
        Ok(Self { sequence, ranking, random, walk, now: 1_700_000_000_000, events, model, log, seen })
    }

    /// Plays the whole sequence: what is there at the start, all turns, and that everything has to go in the end.
    pub fn play(&mut self, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        self.start(subject)?;
        for _ in 0..self.sequence.turns {
            self.turn(subject)?;
        }
        self.end(subject)
    }

    /// What is there at the start.
    pub fn start(&mut self, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        if !self.sequence.happenings.restores {
            return Ok(());
        }
        // All that fits, or half of it, or next to nothing; in two calls and an empty one.
        let room = self.sequence.tier.capacity() >> [0, 1, 6][self.random.below(3) as usize];
        let tries = 2 * self.sequence.tier.most_entries(room);
        for room in [room / 2, 0, room] {
            self.restore_up_to(room, tries, subject)?;
        }
        Ok(())
    }

    /// One thing happens, and then an object is asked for.
    pub fn turn(&mut self, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        let happenings = self.sequence.happenings;
        self.now = self.sequence.clock.after(self.now, &mut self.random);
        if happenings.evictions && self.random.once_in(60) {
            let needed = match self.random.below(12) {
                0 => 0,
                1 => 1,
                2 => self.model.used(),
                3 => u64::MAX,
                _ => self.random.below(self.sequence.tier.capacity() / 4 + 1),
            };
            self.evict(needed, subject)?;
        }
        if happenings.removals && self.random.once_in(6) {
            self.remove_some(subject)?;
        }
        if happenings.restores && self.random.once_in(80) {
            let more = self.random.below(self.sequence.tier.capacity() / 16 + 2);
            self.restore_up_to(self.model.used() + more, 8, subject)?;
        }
        if self.random.once_in(200) {
            self.hand_over(subject)?;
        }
        let object = self.walk.next();
        self.ask(object, subject)
    }

    /// Everything has to go.
    pub fn end(&mut self, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        self.evict(u64::MAX, subject)
    }

    /// An object is asked for.
    pub fn ask(&mut self, object: u64, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        let is_popular = u64::from(object < POPULAR && self.sequence.tier.is_small(self.sequence.tier.size_of(object)));
        self.seen.asked += 1;
        self.seen.popular_asked += is_popular;
        match self.model.id_of(object) {
            Some(id) => {
                self.seen.hits += 1;
                self.seen.popular_hits += is_popular;
                self.model.access(id, self.now);
                self.tell(Event::Accessed(Access { id, at: self.now }), subject)
            }
            None => {
                let hits = if self.random.once_in(8) { self.random.below(1000) } else { 0 };
                let candidate = self.model.candidate(object, hits, self.now);
                self.place(candidate, subject)
            }
        }
    }

    /// Tells of what was found: entries that do not reside, as many as fit into `room`. The walk may come to what resides already
    /// again and again, and so gets so many tries.
    pub fn restore_up_to(&mut self, room: u64, tries: u64, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        let room = room.min(self.sequence.tier.capacity());
        let mut entries = Vec::new();
        for _ in 0..tries {
            if self.model.used() >= room {
                break;
            }
            let object = self.walk.next();
            let size = self.sequence.tier.size_of(object);
            if self.model.used() + size > room || self.model.id_of(object).is_some() {
                continue;
            }
            let hits = [0, 0, 1, 5, self.random.below(100), u64::MAX][self.random.below(6) as usize];
            let entry = self.model.candidate(object, hits, self.now - 1000 + entries.len() as u64);
            self.model.insert(entry);
            entries.push(entry);
            if entries.len() == PAGE {
                self.restore(std::mem::take(&mut entries), subject)?;
            }
        }
        self.restore(entries, subject)
    }

    /// At least `needed` must be freed.
    pub fn evict(&mut self, needed: u64, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        self.log.begin(Call::Evict { events: std::mem::take(&mut self.events), needed });
        let victims = subject.evict(self.ranking, self.log.events(), needed)?;
        self.log.end(Answer::Evicted(victims.clone()));
        check_number(&victims, self.model.len())?;
        let must_be_left = self.model.used().saturating_sub(needed);
        let (gone, freed) = self.carry_out(&victims);
        self.see_what_is_left(&gone, needed, freed + self.model.used());
        if self.model.used() > must_be_left {
            let (used, missing) = (freed + self.model.used(), self.model.used() - must_be_left);
            let expected = format!("victims that free {}; these free {freed}, and {missing} too little", needed.min(used));
            note(&mut self.seen.too_little, &self.log, &self.sequence, expected);
        }
        let kept = self.keep_some(&gone, None, subject)?;
        while self.model.used() > must_be_left {
            match self.model.oldest() {
                Some(id) if !kept.contains(&id) => self.drop_entry(id, subject)?,
                _ => break,
            }
        }
        Ok(())
    }

    /// Hands over what was collected, be it nothing.
    pub fn hand_over(&mut self, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        self.log.begin(Call::Observe(std::mem::take(&mut self.events)));
        subject.observe(self.ranking, self.log.events())?;
        self.log.end(Answer::Nothing);
        Ok(())
    }

    /// Every other entry is asked for, from the first id on.
    pub fn access_every_other(&mut self, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        for id in (0..self.model.len() as u64).step_by(2) {
            self.model.access(id, self.now);
            self.tell(Event::Accessed(Access { id, at: self.now }), subject)?;
        }
        Ok(())
    }

    fn place(&mut self, candidate: Entry, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        let needed = self.model.needed(candidate.size);
        self.log.begin(Call::Place { events: std::mem::take(&mut self.events), candidate, needed });
        let placement = subject.place(self.ranking, self.log.events(), candidate, needed)?;
        self.log.end(Answer::Placed(placement.clone()));
        let Placement::Admit(victims) = placement else {
            self.model.give_back(candidate);
            self.check_refusal(candidate, needed);
            return Ok(());
        };
        self.model.insert(candidate);
        check_number(&victims, self.model.len())?;
        let (gone, freed) = self.carry_out(&victims);
        if gone.iter().any(|entry| entry.id == candidate.id) {
            let others: Vec<Entry> = gone.iter().filter(|entry| entry.id != candidate.id).copied().collect();
            self.see_what_is_left(&others, 0, self.sequence.tier.capacity());
            self.check_refusal(candidate, needed);
            self.keep_some(&gone, Some(candidate.id), subject)?;
            return Ok(());
        }
        self.see_what_is_left(&gone, needed, self.sequence.tier.capacity());
        if self.model.excess() > 0 {
            let expected = format!("victims that free {needed} or more, or a refusal; these free {freed}");
            note(&mut self.seen.too_little, &self.log, &self.sequence, expected);
        }
        let kept = self.keep_some(&gone, Some(candidate.id), subject)?;
        while self.model.excess() > 0 {
            match self.model.oldest() {
                Some(id) if id != candidate.id && !kept.contains(&id) => self.drop_entry(id, subject)?,
                // Nothing more can go: so the candidate cannot stay.
                _ => return self.drop_entry(candidate.id, subject),
            }
        }
        if self.sequence.happenings.refusals && self.random.once_in(8) {
            self.drop_entry(candidate.id, subject)?;
        }
        Ok(())
    }

    /// How much of what could be in use still is, where little was needed. The largest victim may be much larger than that, which is
    /// no waste.
    fn see_what_is_left(&mut self, gone: &[Entry], needed: u64, most: u64) {
        let freed: u64 = gone.iter().map(|entry| entry.size).sum();
        if freed > 0 && needed <= (self.model.used() + freed) / 8 {
            let largest = gone.iter().map(|entry| entry.size).max().unwrap_or(0);
            self.seen.small_evictions += 1;
            self.seen.left_in_use += ((self.model.used() + largest) as f64 / most as f64).min(1.0);
        }
    }

    fn check_refusal(&mut self, candidate: Entry, needed: u64) {
        if needed == 0 && self.sequence.tier.is_small(candidate.size) {
            let (size, room) = (candidate.size, self.sequence.tier.capacity() - self.model.used());
            let expected = format!("that a candidate of size {size} is kept: {room} is free, and nobody has to go for it");
            note(&mut self.seen.refused, &self.log, &self.sequence, expected);
        }
    }

    /// Takes the victims out, and says what went and how large it was together.
    fn carry_out(&mut self, victims: &[u64]) -> (Vec<Entry>, u64) {
        let resided = self.model.len();
        let mut gone: Vec<Entry> = Vec::new();
        for victim in victims {
            match self.model.remove(*victim) {
                Some(entry) => gone.push(entry),
                None => {
                    let twice = gone.iter().any(|entry| entry.id == *victim);
                    let why = if twice { "was named before" } else { "does not reside" };
                    let expected = format!("ids of the {resided} entries that reside, each once; {victim} {why}");
                    note(&mut self.seen.wrong_names, &self.log, &self.sequence, expected);
                }
            }
        }
        let freed = gone.iter().map(|entry| entry.size).sum();
        (gone, freed)
    }

    /// Some of what should go stays after all, which the policy is told. A candidate that was named itself cannot.
    fn keep_some(&mut self, gone: &[Entry], candidate: Option<u64>, subject: &mut dyn Subject) -> Result<Vec<u64>, PolicyFault> {
        let mut kept = Vec::new();
        if self.sequence.happenings.refusals && self.random.once_in(4) {
            kept.extend(gone.iter().filter(|entry| Some(entry.id) != candidate).take(2).copied());
        }
        for entry in &kept {
            self.model.put_back(*entry);
        }
        if !kept.is_empty() {
            self.restore(kept.clone(), subject)?;
        }
        Ok(kept.iter().map(|entry| entry.id).collect())
    }

    fn remove_some(&mut self, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        let Some(id) = self.model.some_id(&mut self.random) else { return Ok(()) };
        if self.random.once_in(3) {
            // It is asked for right before.
            self.model.access(id, self.now);
            self.tell(Event::Accessed(Access { id, at: self.now }), subject)?;
        }
        self.drop_entry(id, subject)
    }

    /// An entry goes without having been named.
    fn drop_entry(&mut self, id: u64, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        self.model.remove(id);
        self.tell(Event::Removed(id), subject)
    }

    fn restore(&mut self, entries: Vec<Entry>, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        // What was collected happened before.
        if !self.events.is_empty() {
            self.hand_over(subject)?;
        }
        self.log.begin(Call::Restore(entries));
        subject.restore(self.ranking, self.log.entries())?;
        self.log.end(Answer::Nothing);
        Ok(())
    }

    fn tell(&mut self, event: Event, subject: &mut dyn Subject) -> Result<(), PolicyFault> {
        self.events.push(event);
        if self.events.len() >= self.sequence.batch { self.hand_over(subject) } else { Ok(()) }
    }

    /// What the last call shows.
    pub fn counterexample(&self, expected: String) -> Counterexample {
        self.log.counterexample(&self.sequence, expected)
    }
}

/// A cache puts a policy aside that names more than there is. Here, a few too many are wrong names as others are, so that what led to
/// them is found; but nobody looks through millions.
fn check_number(victims: &[u64], resident: usize) -> Result<(), PolicyFault> {
    match victims.len() {
        named if named <= 2 * resident + 100 => Ok(()),
        named => Err(PolicyFault::TooManyVictims { named, resident }),
    }
}

/// Keeps the first counterexample.
fn note(kept: &mut Option<Counterexample>, log: &Log, sequence: &impl Display, expected: String) {
    kept.get_or_insert_with(|| log.counterexample(sequence, expected));
}
