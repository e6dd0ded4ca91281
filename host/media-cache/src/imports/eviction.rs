//! The interface `eviction`, which is passed on to the policy in the slot.

use crate::bindings::cache::media_cache::policy::eviction as wit;
use crate::host_state::HostState;
use crate::policy;
use crate::policy::tier_handle::TierResource;

impl wit::Host for HostState {
    fn describe(&mut self) -> wasmtime::Result<wit::Description> {
        let policy::Description { name, version, doc, options } = self.policy.describe();
        let option = |policy::OptionDescription { name, default, doc }| wit::OptionDescription { name, default, doc };
        Ok(wit::Description { name, version, doc, options: options.into_iter().map(option).collect() })
    }
}

impl wit::HostPolicy for HostState {
    /// The host has chosen the policy and its options, so the cache must not pass any.
    fn create(&mut self, capacity: u64, options: Vec<(String, String)>) -> wasmtime::Result<Result<TierResource, String>> {
        if let Some((name, _)) = options.first() {
            return Ok(Err(format!("the options of the policy are set by the host, not by the cache: {name}")));
        }
        match self.policy.create(capacity) {
            Ok(tier) => Ok(Ok(self.table.push(tier)?)),
            Err(why) => Ok(Err(why)),
        }
    }

    fn restore(&mut self, tier: TierResource, entries: Vec<wit::Entry>) -> wasmtime::Result<()> {
        let entries: Vec<_> = entries.into_iter().map(entry).collect();
        self.policy.restore(self.table.get(&tier)?, &entries);
        Ok(())
    }

    fn observe(&mut self, tier: TierResource, events: Vec<wit::Event>) -> wasmtime::Result<()> {
        self.policy.observe(self.table.get(&tier)?, &all(events));
        Ok(())
    }

    fn place(
        &mut self,
        tier: TierResource,
        events: Vec<wit::Event>,
        candidate: wit::Entry,
        needed: u64,
    ) -> wasmtime::Result<wit::Placement> {
        let placement = self.policy.place(self.table.get(&tier)?, &all(events), entry(candidate), needed);
        Ok(match placement {
            policy::Placement::Refuse => wit::Placement::Refuse,
            policy::Placement::Admit(victims) => wit::Placement::Admit(victims),
        })
    }

    fn evict(&mut self, tier: TierResource, events: Vec<wit::Event>, needed: u64) -> wasmtime::Result<Vec<wit::EntryId>> {
        Ok(self.policy.evict(self.table.get(&tier)?, &all(events), needed))
    }

    fn drop(&mut self, tier: TierResource) -> wasmtime::Result<()> {
        let tier = self.table.delete(tier)?;
        self.policy.drop_tier(tier);
        Ok(())
    }
}

fn entry(entry: wit::Entry) -> policy::Entry {
    let wit::Entry { id, fingerprint, size, hits, accessed_at, cost, waiters, kind } = entry;
    policy::Entry { id, fingerprint, size, hits, accessed_at, cost, waiters, kind: media_kind(kind) }
}

fn media_kind(kind: wit::MediaKind) -> policy::MediaKind {
    match kind {
        wit::MediaKind::Image => policy::MediaKind::Image,
        wit::MediaKind::Animation => policy::MediaKind::Animation,
        wit::MediaKind::Video => policy::MediaKind::Video,
        wit::MediaKind::Audio => policy::MediaKind::Audio,
        wit::MediaKind::Other => policy::MediaKind::Other,
    }
}

fn all(events: Vec<wit::Event>) -> Vec<policy::Event> {
    let event = |event| match event {
        wit::Event::Accessed(wit::Access { id, at }) => policy::Event::Accessed(policy::Access { id, at }),
        wit::Event::Removed(id) => policy::Event::Removed(id),
    };
    events.into_iter().map(event).collect()
}
