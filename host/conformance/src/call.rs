//! Calls and answers, and how counterexamples show them.

use std::fmt::{self, Display, Write};

use media_cache::policy::{Entry, Event, MediaKind, Placement};

/// The maximum number of list elements shown.
const MAX_SHOWN: usize = 12;

/// A call to a policy.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Restore(Vec<Entry>),
    Observe(Vec<Event>),
    Place { events: Vec<Event>, candidate: Entry, needed: u64 },
    Evict { events: Vec<Event>, needed: u64 },
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Nothing,
    Placed(Placement),
    Evicted(Vec<u64>),
}

impl Call {
    /// The events that the call passes to the policy.
    pub fn events(&self) -> &[Event] {
        match self {
            Self::Observe(events) | Self::Place { events, .. } | Self::Evict { events, .. } => events,
            Self::Restore(_) => &[],
        }
    }

    /// The entries that the call restores.
    pub fn entries(&self) -> &[Entry] {
        match self {
            Self::Restore(entries) => entries,
            Self::Observe(_) | Self::Place { .. } | Self::Evict { .. } => &[],
        }
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
    let Entry { id, fingerprint, size, hits, accessed_at, cost, waiters, kind } = entry;
    let kind = match kind {
        MediaKind::Image => "image",
        MediaKind::Animation => "animation",
        MediaKind::Video => "video",
        MediaKind::Audio => "audio",
        MediaKind::Other => "other",
    };
    let _ = write!(text, "{{id {id}, fingerprint {fingerprint:#x}, size {size}, hits {hits}, accessed-at {accessed_at}, ");
    let _ = write!(text, "cost {cost}, waiters {waiters}, kind {kind}}}");
}

fn one(entry: &Entry) -> String {
    let mut text = String::new();
    write_entry(&mut text, entry);
    text
}

fn list<T>(items: &[T], write: fn(&mut String, &T)) -> String {
    let mut text = String::from("[");
    for (at, item) in items.iter().take(MAX_SHOWN).enumerate() {
        text.push_str(if at == 0 { "" } else { ", " });
        write(&mut text, item);
    }
    if items.len() > MAX_SHOWN {
        let _ = write!(text, ", ... {} in total", items.len());
    }
    text.push(']');
    text
}
