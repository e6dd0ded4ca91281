//! Calls and answers, and how they are written for the author of a policy.

use std::collections::VecDeque;
use std::fmt::{self, Display, Write};

use crate::policy::{Entry, Event, Placement};

/// How many calls are remembered for a counterexample.
const REMEMBERED: usize = 7;
/// How much of a list is written out.
const SHOWN: usize = 12;

/// A call into a policy.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Restore(Vec<Entry>),
    Observe(Vec<Event>),
    Place { events: Vec<Event>, candidate: Entry, needed: u64 },
    Evict { events: Vec<Event>, needed: u64 },
}

/// What it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Nothing,
    Placed(Placement),
    Evicted(Vec<u64>),
}

/// The calls of a run.
#[derive(Default)]
pub(super) struct Log {
    /// How many there were.
    pub calls: u64,
    /// How many of them asked for a decision.
    pub decisions: u64,
    last: VecDeque<(Call, Option<Answer>)>,
    /// All answers, if they are wanted.
    pub transcript: Option<Vec<Answer>>,
}

/// What shows that a policy does wrong: something that its author can do again.
#[derive(Clone, Debug)]
pub(super) struct Counterexample {
    pub sequence: String,
    pub call: u64,
    pub expected: String,
    /// The call and the answer.
    pub seen: String,
    /// Those before.
    pub before: Vec<String>,
}

impl Log {
    /// A call is about to be made.
    pub fn begin(&mut self, call: Call) {
        self.calls += 1;
        if self.last.len() == REMEMBERED {
            self.last.pop_front();
        }
        self.last.push_back((call, None));
    }

    /// The events of the call that was begun.
    pub fn events(&self) -> &[Event] {
        match self.last.back() {
            Some((Call::Observe(events) | Call::Place { events, .. } | Call::Evict { events, .. }, _)) => events,
            _ => &[],
        }
    }

    /// The entries of the call that was begun.
    pub fn entries(&self) -> &[Entry] {
        match self.last.back() {
            Some((Call::Restore(entries), _)) => entries,
            _ => &[],
        }
    }

    /// The call that was begun is answered.
    pub fn end(&mut self, answer: Answer) {
        self.decisions += u64::from(answer != Answer::Nothing);
        if let Some(transcript) = &mut self.transcript {
            transcript.push(answer.clone());
        }
        if let Some((_, answered)) = self.last.back_mut() {
            *answered = Some(answer);
        }
    }

    /// The call that was last as a counterexample.
    pub fn counterexample(&self, sequence: &impl Display, expected: String) -> Counterexample {
        let write = |(call, answer): &(Call, Option<Answer>)| match answer {
            Some(answer) => format!("{call}{answer}"),
            None => format!("{call} -> no answer"),
        };
        let mut written: Vec<String> = self.last.iter().map(write).collect();
        let seen = written.pop().unwrap_or_default();
        Counterexample { sequence: sequence.to_string(), call: self.calls, expected, seen, before: written }
    }
}

impl Counterexample {
    /// A sequence that did not come to its first call.
    pub fn of_fault(sequence: &impl Display, fault: String) -> Self {
        Self { sequence: sequence.to_string(), call: 0, expected: "a ranking".into(), seen: fault, before: Vec::new() }
    }
}

impl Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sequence: {}\ncall {}: {}\nexpected: {}", self.sequence, self.call, self.seen, self.expected)?;
        if !self.before.is_empty() {
            write!(f, "\nthe calls before it:")?;
        }
        let first = self.call - self.before.len() as u64;
        self.before.iter().zip(first..).try_for_each(|(call, number)| write!(f, "\n  call {number}: {call}"))
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restore(entries) => write!(f, "restore({})", list(entries, write_entry)),
            Self::Observe(events) => write!(f, "observe({})", list(events, write_event)),
            Self::Place { events, candidate, needed } => {
                write!(f, "place({}, {}, needed {needed})", list(events, write_event), one(candidate))
            }
            Self::Evict { events, needed } => write!(f, "evict({}, needed {needed})", list(events, write_event)),
        }
    }
}

impl Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Placed(Placement::Refuse) => f.write_str(" -> refuse"),
            Self::Placed(Placement::Admit(victims)) => write!(f, " -> admit({})", list(victims, write_id)),
            Self::Evicted(victims) => write!(f, " -> {}", list(victims, write_id)),
        }
    }
}

fn write_id(text: &mut String, id: &u64) {
    let _ = write!(text, "{id}");
}

fn write_event(text: &mut String, event: &Event) {
    let _ = match event {
        Event::Accessed(access) => write!(text, "accessed {} at {}", access.id, access.at),
        Event::Removed(id) => write!(text, "removed {id}"),
    };
}

fn write_entry(text: &mut String, entry: &Entry) {
    let Entry { id, fingerprint, size, hits, accessed_at } = entry;
    let _ = write!(text, "{{id {id}, fingerprint {fingerprint:#x}, size {size}, hits {hits}, accessed-at {accessed_at}}}");
}

fn one(entry: &Entry) -> String {
    let mut text = String::new();
    write_entry(&mut text, entry);
    text
}

fn list<T>(items: &[T], write: fn(&mut String, &T)) -> String {
    let mut text = String::from("[");
    for (at, item) in items.iter().take(SHOWN).enumerate() {
        text.push_str(if at == 0 { "" } else { ", " });
        write(&mut text, item);
    }
    if items.len() > SHOWN {
        let _ = write!(text, ", ... {} in all", items.len());
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Access;

    #[test]
    fn a_counterexample_says_what_was_asked_and_what_before() {
        let mut log = Log::default();
        let candidate = Entry { id: 3, fingerprint: 0xab, size: 1, hits: 0, accessed_at: 9 };
        log.begin(Call::Observe(vec![Event::Accessed(Access { id: 1, at: 7 }), Event::Removed(2)]));
        log.end(Answer::Nothing);
        log.begin(Call::Place { events: Vec::new(), candidate, needed: 1 });
        log.end(Answer::Placed(Placement::Admit((0..20).collect())));
        assert_eq!(
            log.counterexample(&"a sequence", "one that resides".into()).to_string(),
            "sequence: a sequence\n\
             call 2: place([], {id 3, fingerprint 0xab, size 1, hits 0, accessed-at 9}, needed 1) \
             -> admit([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ... 20 in all])\n\
             expected: one that resides\n\
             the calls before it:\n  call 1: observe([accessed 1 at 7, removed 2])"
        );
    }

    #[test]
    fn only_the_last_calls_are_remembered() {
        let mut log = Log::default();
        for needed in 0..100 {
            log.begin(Call::Evict { events: vec![Event::Removed(needed)], needed });
            assert_eq!(log.events(), [Event::Removed(needed)]);
            log.end(Answer::Evicted(Vec::new()));
        }
        let written = log.counterexample(&"s", String::new());
        assert_eq!((written.call, written.before.len(), log.decisions), (100, REMEMBERED - 1, 100));
        assert_eq!(written.before[5], "evict([removed 98], needed 98) -> []");
    }
}
