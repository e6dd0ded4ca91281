//! Which policies were active, and when: the swaps on demand, rollbacks and fallbacks since the service started.

use std::collections::VecDeque;
use std::time::SystemTime;

use media_cache::policy::{PolicySpec, PolicyStatus};
use serde_json::{Value, json};

use crate::timestamp::seconds;

/// The maximum number of changes that are kept.
const MAX_CHANGES: usize = 50;

/// How a policy became active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It was swapped in.
    Swap,
    /// It was restored with a rollback.
    Rollback,
    /// Its predecessor was disabled because of a fault.
    Fallback,
}

#[derive(Debug)]
struct Change {
    at: SystemTime,
    from: String,
    to: String,
    cause: Cause,
}

/// The last changes of the policy.
#[derive(Debug, Default)]
pub(crate) struct PolicyHistory {
    active: Option<Active>,
    changes: VecDeque<Change>,
}

#[derive(Debug)]
struct Active {
    spec: String,
    since: SystemTime,
    fallbacks: u64,
}

impl PolicyHistory {
    /// Records a change if the policy is no longer the one of the previous call. `cause` is how it became active, if the caller knows. Changes
    /// that nobody reports here at once, such as a fallback, are noticed at the next call.
    pub fn observe(&mut self, status: &PolicyStatus, cause: Option<Cause>) {
        let spec = PolicySpec { origin: status.origin.clone(), options: status.options.clone() }.to_string();
        let now = Active { spec, since: status.since, fallbacks: status.fallbacks };
        let Some(before) = &self.active else {
            self.active = Some(now);
            return;
        };
        // Calls may overlap, so that an older status arrives later.
        if now.since <= before.since {
            return;
        }
        let is_fallback = now.fallbacks > before.fallbacks && cause.is_none();
        let cause = if is_fallback { Cause::Fallback } else { cause.unwrap_or(Cause::Swap) };
        if self.changes.len() == MAX_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(Change { at: now.since, from: before.spec.clone(), to: now.spec.clone(), cause });
        self.active = Some(now);
    }

    /// The changes, the newest first.
    pub fn document(&self) -> Value {
        let cause = |cause| match cause {
            Cause::Swap => "swap",
            Cause::Rollback => "rollback",
            Cause::Fallback => "fallback",
        };
        let change = |Change { at, from, to, cause: why }: &Change| json!({ "at": seconds(*at), "from": from, "to": to, "cause": cause(*why) });
        self.changes.iter().rev().map(change).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use media_cache::{MediaCache, NoDownloader, NoTranscoder};

    use super::*;

    async fn status() -> PolicyStatus {
        let directory = tempfile::tempdir().unwrap();
        let builder = MediaCache::builder().directory(directory.path()).downloader(NoDownloader).transcoder(NoTranscoder);
        builder.open().await.unwrap().policy()
    }

    #[tokio::test]
    async fn history_names_each_change_once_and_is_bounded() {
        let (lru, mut history) = (status().await, PolicyHistory::default());
        history.observe(&lru, None);
        assert_eq!(history.document(), json!([]));
        let later = |second, name: &str, fallbacks| PolicyStatus {
            since: lru.since + Duration::from_secs(second),
            origin: PolicySpec::built_in(name).origin,
            fallbacks,
            ..lru.clone()
        };
        history.observe(&later(1, "sieve", 0), Some(Cause::Swap));
        history.observe(&later(1, "sieve", 0), None);
        history.observe(&lru, None);
        history.observe(&later(2, "lru", 1), None);
        let document = history.document();
        let told: Vec<_> =
            document.as_array().unwrap().iter().map(|change| (&change["from"], &change["to"], &change["cause"])).collect();
        assert_eq!(json!(told), json!([["sieve", "lru", "fallback"], ["lru", "sieve", "swap"]]));
        for second in 3..200 {
            history.observe(&later(second, "gdsf", 1), Some(Cause::Rollback));
        }
        assert_eq!(history.document().as_array().unwrap().len(), MAX_CHANGES);
    }
}
