//! An LRU policy with a selectable fault.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use media_cache::PolicyLimits;
use media_cache::policy::{CreateError, Description, Entry, Event, OptionDescription, Placement, PolicyFault};
use media_cache_conformance::{Outcome, Subject, Verdict};

/// The fault of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    NamesAStranger,
    NamesTwice,
    FreesHalf,
    FreesMuch,
    RefusesStrangers,
    RefusesWhenFull,
    KeepsATenthFree,
    KeepsTheUnpopular,
    IgnoresRestores,
    IgnoresRemovals,
    IgnoresRestoresWhenFull,
    BreaksOffAtManyHits,
    AnswersByChance,
    SharesAClock,
    NeverForgets,
    IsLarge,
    IsSlow,
    HasACapitalName,
    HasNoVersion,
    DescribesTwoThings,
    RefusesItsDefault,
    TakesAnyOption,
    IsSilentOnOptions,
    BreaksOffAtValues,
    IsSilentOnValues,
}

/// The verdicts of the checks that did not pass.
pub fn failed(fault: Fault) -> Vec<Verdict> {
    let verdicts: Vec<Verdict> = verdicts(fault).collect();
    assert_eq!(verdicts.len(), 22);
    verdicts.into_iter().filter(|verdict| !verdict.is_passed()).collect()
}

/// All verdicts, computed as the iterator advances.
pub fn verdicts(fault: Fault) -> impl Iterator<Item = Verdict> {
    let start = move || -> Result<Box<dyn Subject>, PolicyFault> { Ok(Box::new(Wrong::new(fault))) };
    media_cache_conformance::try_out(start, Vec::new(), PolicyLimits::default())
}

/// Asserts that exactly these checks find a fault, and returns the detail of the first.
#[track_caller]
pub fn fails(fault: Fault, checks: &[&str]) -> String {
    let failed = failed(fault);
    let found: Vec<&str> =
        failed.iter().filter(|verdict| verdict.outcome == Outcome::Failed).map(|verdict| verdict.check).collect();
    assert_eq!(found, checks, "{fault:?}: {failed:#?}");
    failed.into_iter().find(|verdict| verdict.outcome == Outcome::Failed).map(|verdict| verdict.detail).unwrap_or_default()
}

thread_local! {
    /// The number of instances started by a test.
    static STARTED: Cell<u64> = const { Cell::new(0) };
}

pub struct Wrong {
    fault: Fault,
    description: Description,
    /// The number of this instance.
    number: u64,
    rankings: Vec<Ranking>,
    calls: u64,
    forgotten: u64,
}

#[derive(Default)]
struct Ranking {
    capacity: u64,
    used: u64,
    next: u64,
    /// In the order of eviction.
    queue: BTreeSet<(u64, u64, u64)>,
    entries: HashMap<u64, Kept>,
    known: HashSet<u64>,
    decisions: u64,
}

#[derive(Clone, Copy)]
struct Kept {
    size: u64,
    hits: u64,
    number: u64,
}

impl Wrong {
    fn new(fault: Fault) -> Self {
        let number = STARTED.replace(STARTED.get() + 1);
        let option = OptionDescription { name: "depth".into(), default: "1".into(), doc: "A number.".into() };
        let description = Description {
            name: if fault == Fault::HasACapitalName { "Wrong".into() } else { "wrong".into() },
            version: if fault == Fault::HasNoVersion { "1".into() } else { "1.0.0".into() },
            doc: if fault == Fault::DescribesTwoThings { format!("Number {number}.") } else { "Wrong.".into() },
            options: vec![option],
        };
        Self { fault, description, number, rankings: Vec::new(), calls: 0, forgotten: 0 }
    }

    fn check_option(&self, name: &str, value: &str) -> Result<(), CreateError> {
        let refuse = |why: String| Err(CreateError::Options(why));
        match (self.fault, name, value.parse::<u64>()) {
            (Fault::TakesAnyOption, ..) => Ok(()),
            (Fault::RefusesItsDefault, "depth", Ok(1)) => refuse("depth has to be 2".into()),
            (_, "depth", Ok(_)) => Ok(()),
            (Fault::BreaksOffAtValues, "depth", Err(_)) => Err(PolicyFault::Trapped("unwrap".into()).into()),
            (Fault::IsSilentOnValues, "depth", Err(_)) => refuse("no".into()),
            (_, "depth", Err(_)) => refuse(format!("depth is {value:?}; it has to be a number")),
            (Fault::IsSilentOnOptions, ..) => refuse("no".into()),
            _ => refuse(format!("there is no {name:?}; there is depth")),
        }
    }

    /// The victims, subject to the fault.
    fn victims(&mut self, ranking: usize, needed: u64, is_for_candidate: bool) -> Vec<u64> {
        self.calls += 1;
        let (fault, calls, number) = (self.fault, self.calls, self.number);
        let ranking = &mut self.rankings[ranking];
        ranking.decisions += 1;
        let odd = match fault {
            Fault::AnswersByChance => ranking.decisions.is_multiple_of(64) && number.is_multiple_of(3),
            // Calls for the other ranking count as well.
            Fault::SharesAClock => calls.is_multiple_of(8),
            _ => false,
        };
        let needed = match fault {
            Fault::FreesHalf => needed / 2,
            Fault::FreesMuch if needed > 0 => needed.saturating_add(ranking.capacity.min(100)),
            Fault::KeepsATenthFree if is_for_candidate => needed.max((ranking.used + 1).saturating_sub(ranking.capacity / 10 * 9)),
            _ => needed,
        };
        let mut victims = ranking.evict(needed, odd);
        match (fault, victims.first().copied()) {
            (Fault::NamesAStranger, Some(_)) if ranking.entries.len() > 9 && ranking.decisions.is_multiple_of(20) => {
                victims.push(1 << 30)
            }
            (Fault::NamesTwice, Some(first)) if ranking.entries.len() > 9 && ranking.decisions.is_multiple_of(20) => {
                victims.push(first)
            }
            _ => {}
        }
        victims
    }
}

impl Ranking {
    fn insert(&mut self, entry: &Entry, unpopular_stay: bool) {
        self.remove(entry.id);
        let (number, hits) = (self.next, if unpopular_stay { u64::MAX } else { 0 });
        self.next += 1;
        self.used += entry.size;
        self.queue.insert((hits, number, entry.id));
        self.entries.insert(entry.id, Kept { size: entry.size, hits, number });
    }

    fn access(&mut self, id: u64, unpopular_stay: bool) {
        let Some(kept) = self.entries.get_mut(&id) else { return };
        self.queue.remove(&(kept.hits, kept.number, id));
        (kept.hits, kept.number) = (kept.hits - u64::from(unpopular_stay), self.next);
        self.queue.insert((kept.hits, kept.number, id));
        self.next += 1;
    }

    fn remove(&mut self, id: u64) {
        if let Some(kept) = self.entries.remove(&id) {
            self.used -= kept.size;
            self.queue.remove(&(kept.hits, kept.number, id));
        }
    }

    fn evict(&mut self, needed: u64, newest_first: bool) -> Vec<u64> {
        let (mut freed, mut victims) = (0, Vec::new());
        while freed < needed {
            let first = if newest_first { self.queue.last() } else { self.queue.first() };
            let Some((_, _, victim)) = first.copied() else { break };
            freed += self.entries[&victim].size;
            self.remove(victim);
            victims.push(victim);
        }
        victims
    }
}

impl Subject for Wrong {
    fn description(&self) -> &Description {
        &self.description
    }

    fn memory_bytes(&self) -> u64 {
        let entries: u64 = self.rankings.iter().map(|ranking| ranking.entries.len() as u64).sum();
        match self.fault {
            Fault::NeverForgets => 65536 + 8 * self.forgotten,
            Fault::IsLarge => 65536 + 2048 * entries,
            _ => 65536,
        }
    }

    fn create(&mut self, capacity: u64, options: &[(String, String)]) -> Result<usize, CreateError> {
        options.iter().try_for_each(|(name, value)| self.check_option(name, value))?;
        self.rankings.push(Ranking { capacity, ..Ranking::default() });
        Ok(self.rankings.len() - 1)
    }

    fn restore(&mut self, ranking: usize, entries: &[Entry]) -> Result<(), PolicyFault> {
        let fault = self.fault;
        let ranking = &mut self.rankings[ranking];
        for entry in entries {
            match fault {
                Fault::IgnoresRestores => {}
                Fault::IgnoresRestoresWhenFull if ranking.used + entry.size > ranking.capacity => {}
                Fault::BreaksOffAtManyHits if entry.hits == u64::MAX => return Err(PolicyFault::Trapped("overflow".into())),
                _ => ranking.insert(entry, fault == Fault::KeepsTheUnpopular),
            }
        }
        Ok(())
    }

    fn observe(&mut self, ranking: usize, events: &[Event]) -> Result<(), PolicyFault> {
        for event in events {
            match event {
                Event::Accessed(access) => self.rankings[ranking].access(access.id, self.fault == Fault::KeepsTheUnpopular),
                Event::Removed(_) if self.fault == Fault::IgnoresRemovals => {}
                Event::Removed(id) => self.rankings[ranking].remove(*id),
            }
        }
        Ok(())
    }

    fn place(&mut self, ranking: usize, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault> {
        self.observe(ranking, events)?;
        self.forgotten += 1;
        let kept = &mut self.rankings[ranking];
        let is_known = !kept.known.insert(candidate.fingerprint);
        match self.fault {
            Fault::RefusesStrangers if !is_known => return Ok(Placement::Refuse),
            Fault::RefusesWhenFull if needed > 0 => return Ok(Placement::Refuse),
            Fault::IsSlow if kept.entries.len() > 100_000 => busy(Duration::from_micros(300)),
            _ => {}
        }
        let victims = self.victims(ranking, needed, true);
        self.rankings[ranking].insert(&candidate, self.fault == Fault::KeepsTheUnpopular);
        Ok(Placement::Admit(victims))
    }

    fn evict(&mut self, ranking: usize, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault> {
        self.observe(ranking, events)?;
        Ok(self.victims(ranking, needed, false))
    }

    fn forget(&mut self, ranking: usize) -> Result<(), PolicyFault> {
        self.rankings[ranking] = Ranking::default();
        Ok(())
    }
}

/// Uses up processor time of this thread.
fn busy(time: Duration) {
    let now = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
    };
    let started = now();
    while now() - started < time {}
}
