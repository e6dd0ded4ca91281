//! The policy that a cache asks: a component in a store of its own, where it has nothing but its memory.
//!
//! A policy that traps is put aside, which is logged and seen in the status. From then on every candidate is admitted and no victim
//! named, and the cache, which makes up for every missing victim by itself, goes on as a plain LRU. No request fails for it.

use std::time::{Duration, Instant};

use serde::Serialize;
use wasmtime::Store;
use wasmtime::component::{Resource, ResourceAny, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bindings::cache::media_cache::cache::eviction as seen_by_cache;
use crate::bindings::policy::EvictionPolicy;
use crate::bindings::policy::exports::media_cache::cache::eviction as seen_by_policy;
use crate::engine::{Engine, PolicyComponent};

/// What a policy has: nothing.
pub struct PolicyState {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for PolicyState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// One ranking of the policy, as the cache holds it.
pub struct Ranking(ResourceAny);

/// What the status says of the policy.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PolicyStatus {
    /// What the policy calls itself.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it came from: `lru` for the built-in one, or a file.
    pub origin: String,
    /// Calls into it.
    pub calls: u64,
    /// Time spent in it, in seconds.
    pub seconds: f64,
    /// Why it was put aside, if it was.
    pub put_aside: Option<String>,
}

/// The policy of a cache.
pub(crate) struct PolicySlot {
    store: Store<PolicyState>,
    bindings: EvictionPolicy,
    status: PolicyStatus,
    busy: Duration,
}

impl PolicySlot {
    /// Instantiates a policy.
    pub fn new(engine: &Engine, policy: &PolicyComponent) -> wasmtime::Result<Self> {
        let (engine, linker) = engine.policies();
        let state = PolicyState { wasi: WasiCtx::builder().build(), table: ResourceTable::new() };
        let mut store = Store::new(engine, state);
        let bindings = EvictionPolicy::instantiate(&mut store, &policy.component, linker)?;
        let description = bindings.media_cache_cache_eviction().call_describe(&mut store)?;
        let status = PolicyStatus {
            name: description.name,
            version: description.version,
            origin: policy.origin.to_string(),
            ..PolicyStatus::default()
        };
        Ok(Self { store, bindings, status, busy: Duration::ZERO })
    }

    pub fn status(&self) -> PolicyStatus {
        PolicyStatus { seconds: self.busy.as_secs_f64(), ..self.status.clone() }
    }

    pub fn describe(&mut self) -> seen_by_cache::Description {
        let described = self.call(|policy, store| policy.call_describe(store)).unwrap_or_else(|| seen_by_policy::Description {
            name: String::new(),
            version: String::new(),
            doc: String::new(),
            options: Vec::new(),
        });
        let options = described.options.into_iter();
        seen_by_cache::Description {
            name: described.name,
            version: described.version,
            doc: described.doc,
            options: options.map(|o| seen_by_cache::OptionDescription { name: o.name, default: o.default, doc: o.doc }).collect(),
        }
    }

    pub fn create(&mut self, capacity: u64, options: &[(String, String)]) -> Result<Ranking, String> {
        let created = self.call(|policy, store| policy.policy().call_create(store, capacity, options));
        created.unwrap_or_else(|| Err("the policy was put aside".into())).map(Ranking)
    }

    pub fn restore(&mut self, ranking: &Ranking, entries: Vec<seen_by_cache::Entry>) {
        let entries: Vec<_> = entries.into_iter().map(entry).collect();
        self.call(|policy, store| policy.policy().call_restore(store, ranking.0, &entries));
    }

    pub fn observe(&mut self, ranking: &Ranking, events: Vec<seen_by_cache::Event>) {
        let events: Vec<_> = events.into_iter().map(event).collect();
        self.call(|policy, store| policy.policy().call_observe(store, ranking.0, &events));
    }

    pub fn place(
        &mut self,
        ranking: &Ranking,
        events: Vec<seen_by_cache::Event>,
        candidate: seen_by_cache::Entry,
        needed: u64,
    ) -> seen_by_cache::Placement {
        let events: Vec<_> = events.into_iter().map(event).collect();
        let placement = self.call(|policy, store| policy.policy().call_place(store, ranking.0, &events, entry(candidate), needed));
        match placement {
            Some(seen_by_policy::Placement::Refuse) => seen_by_cache::Placement::Refuse,
            Some(seen_by_policy::Placement::Admit(victims)) => seen_by_cache::Placement::Admit(victims),
            None => seen_by_cache::Placement::Admit(Vec::new()),
        }
    }

    pub fn evict(&mut self, ranking: &Ranking, events: Vec<seen_by_cache::Event>, needed: u64) -> Vec<u64> {
        let events: Vec<_> = events.into_iter().map(event).collect();
        self.call(|policy, store| policy.policy().call_evict(store, ranking.0, &events, needed)).unwrap_or_default()
    }

    pub fn drop_ranking(&mut self, ranking: Ranking) {
        self.call(|_, store| ranking.0.resource_drop(store));
    }

    /// Calls into the policy, unless it was put aside; puts it aside if it traps.
    fn call<T>(&mut self, call: impl FnOnce(&seen_by_policy::Guest, &mut Store<PolicyState>) -> wasmtime::Result<T>) -> Option<T> {
        if self.status.put_aside.is_some() {
            return None;
        }
        let started = Instant::now();
        let result = call(self.bindings.media_cache_cache_eviction(), &mut self.store);
        self.busy += started.elapsed();
        self.status.calls += 1;
        result
            .inspect_err(|trap| {
                tracing::error!(policy = self.status.name, "the policy is put aside, the least recently used go: {trap:?}");
                self.status.put_aside = Some(trap.root_cause().to_string());
            })
            .ok()
    }
}

fn entry(entry: seen_by_cache::Entry) -> seen_by_policy::Entry {
    let seen_by_cache::Entry { id, fingerprint, size, hits, accessed_at } = entry;
    seen_by_policy::Entry { id, fingerprint, size, hits, accessed_at }
}

fn event(event: seen_by_cache::Event) -> seen_by_policy::Event {
    match event {
        seen_by_cache::Event::Accessed(seen_by_cache::Access { id, at }) => {
            seen_by_policy::Event::Accessed(seen_by_policy::Access { id, at })
        }
        seen_by_cache::Event::Removed(id) => seen_by_policy::Event::Removed(id),
    }
}

/// A handle of the cache to one of its rankings.
pub(crate) type RankingHandle = Resource<Ranking>;
