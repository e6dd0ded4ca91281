//! The interface `eviction`: passed on to the policy component in the slot.

use crate::bindings::cache::media_cache::cache::eviction::{Description, Entry, EntryId, Event, Host, HostPolicy, Placement};
use crate::policy::RankingHandle;
use crate::state::State;

impl Host for State {
    fn describe(&mut self) -> wasmtime::Result<Description> {
        Ok(self.policy.describe())
    }
}

impl HostPolicy for State {
    fn create(&mut self, capacity: u64, options: Vec<(String, String)>) -> wasmtime::Result<Result<RankingHandle, String>> {
        match self.policy.create(capacity, &options) {
            Ok(ranking) => Ok(Ok(self.table.push(ranking)?)),
            Err(why) => Ok(Err(why)),
        }
    }

    fn restore(&mut self, ranking: RankingHandle, entries: Vec<Entry>) -> wasmtime::Result<()> {
        self.policy.restore(self.table.get(&ranking)?, entries);
        Ok(())
    }

    fn observe(&mut self, ranking: RankingHandle, events: Vec<Event>) -> wasmtime::Result<()> {
        self.policy.observe(self.table.get(&ranking)?, events);
        Ok(())
    }

    fn place(&mut self, ranking: RankingHandle, events: Vec<Event>, candidate: Entry, needed: u64) -> wasmtime::Result<Placement> {
        Ok(self.policy.place(self.table.get(&ranking)?, events, candidate, needed))
    }

    fn evict(&mut self, ranking: RankingHandle, events: Vec<Event>, needed: u64) -> wasmtime::Result<Vec<EntryId>> {
        Ok(self.policy.evict(self.table.get(&ranking)?, events, needed))
    }

    fn drop(&mut self, ranking: RankingHandle) -> wasmtime::Result<()> {
        let ranking = self.table.delete(ranking)?;
        self.policy.drop_ranking(ranking);
        Ok(())
    }
}
