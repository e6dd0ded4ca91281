//! The log of the calls of a sequence, for counterexamples and comparisons.

use std::collections::VecDeque;
use std::fmt::Display;

use media_cache::policy::{Entry, Event};

use crate::call::{Answer, Call};
use crate::counterexample::Counterexample;

/// The number of calls in a counterexample.
const SHOWN_CALLS: usize = 7;

/// Counts the calls of a sequence and retains the last ones.
#[derive(Default)]
pub(crate) struct CallLog {
    /// The number of calls.
    pub calls: u64,
    /// The number of answered calls to `place` and `evict`.
    pub decisions: u64,
    last: VecDeque<(Call, Option<Answer>)>,
    /// All answers, if recording is enabled.
    pub transcript: Option<Vec<Answer>>,
}

impl CallLog {
    /// Adds a call that is about to be made.
    pub fn begin(&mut self, call: Call) {
        self.calls += 1;
        if self.last.len() == SHOWN_CALLS {
            self.last.pop_front();
        }
        self.last.push_back((call, None));
    }

    /// The events of the last call.
    pub fn events(&self) -> &[Event] {
        self.last.back().map_or(&[], |(call, _)| call.events())
    }

    /// The entries of the last call.
    pub fn entries(&self) -> &[Entry] {
        self.last.back().map_or(&[], |(call, _)| call.entries())
    }

    /// Adds the answer to the last call.
    pub fn end(&mut self, answer: Answer) {
        self.decisions += u64::from(answer != Answer::Nothing);
        if let Some(transcript) = &mut self.transcript {
            transcript.push(answer.clone());
        }
        if let Some((_, answered)) = self.last.back_mut() {
            *answered = Some(answer);
        }
    }

    /// The last call as a counterexample.
    pub fn counterexample(&self, sequence: &impl Display, expected: String) -> Counterexample {
        let write = |(call, answer): &(Call, Option<Answer>)| match answer {
            Some(answer) => format!("{call}{answer}"),
            None => format!("{call} -> no answer"),
        };
        let mut preceding: Vec<String> = self.last.iter().map(write).collect();
        let actual = preceding.pop().unwrap_or_default();
        Counterexample { sequence: sequence.to_string(), call: self.calls, expected, actual, preceding }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media_cache::policy::{Access, Placement};

    #[test]
    fn counterexample_shows_the_call_and_the_preceding_calls() {
        let mut log = CallLog::default();
        let candidate = Entry { accessed_at: 9, ..Entry::new(3, 0xab, 1) };
        log.begin(Call::Observe(vec![Event::Accessed(Access { id: 1, at: 7 }), Event::Removed(2)]));
        log.end(Answer::Nothing);
        log.begin(Call::Place { events: Vec::new(), candidate, needed: 1 });
        log.end(Answer::Placed(Placement::Admit((0..20).collect())));
        assert_eq!(
            log.counterexample(&"a sequence", "one that is tracked".into()).to_string(),
            "sequence: a sequence\n\
             call 2: place([], {id 3, fingerprint 0xab, size 1, hits 0, accessed-at 9, cost 0, waiters 0, kind other}, needed 1) \
             -> admit([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ... 20 in total])\n\
             expected: one that is tracked\n\
             the calls before it:\n  call 1: observe([accessed 1 at 7, removed 2])"
        );
    }

    #[test]
    fn only_the_last_calls_are_retained() {
        let mut log = CallLog::default();
        for needed in 0..100 {
            log.begin(Call::Evict { events: vec![Event::Removed(needed)], needed });
            assert_eq!(log.events(), [Event::Removed(needed)]);
            log.end(Answer::Evicted(Vec::new()));
        }
        let found = log.counterexample(&"s", String::new());
        assert_eq!((found.call, found.preceding.len(), log.decisions), (100, SHOWN_CALLS - 1, 100));
        assert_eq!(found.preceding[5], "evict([removed 98], needed 98) -> []");
    }
}
