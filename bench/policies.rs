//! Measures the cost of a policy, native and in the sandbox, alternately and on one thread.
//!
//! ```sh
//! cargo bench --bench policies
//! ```
//!
//! `observe` measures hits in batches of 1024, in millions per second, including their lowering into the component. `replay` measures the
//! trace `tests/data/media.csv.xz` at 512 MiB, in millions of requests per second, including everything else that a replay does; about half
//! of the requests are misses for LRU, and each miss is a call. Results are medians.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Context;
use media_cache::policy::{Access, Entry, Event, Placement, PolicyEngine, PolicyFault, PolicyLimits, PolicySpec};
use media_cache_policy_gdsf::Gdsf;
use media_cache_policy_hazard::Hazard;
use media_cache_policy_lru::Lru;
use media_cache_policy_s3_fifo::S3Fifo;
use media_cache_policy_sdk as sdk;
use media_cache_policy_sdk::bindings::exports::media_cache::policy::eviction::GuestPolicy;
use media_cache_policy_sieve::Sieve;
use media_cache_policy_w_tinylfu::WTinyLfu;
use media_cache_simulator::{Counts, Policy, Replay, Sandboxed, Trace};
use media_cache_test_support::random::Random;
use media_cache_test_support::workspace::workspace_path;

const CAPACITY: u64 = 512 << 20;
const ROUNDS: usize = 15;
const BATCH: usize = 1024;
/// Batches in a round.
const BATCHES: usize = 1000;
/// Tracked entries while hits are observed, about as many as in the replay.
const ENTRIES: u64 = 10_000;

/// A policy compiled into this program.
struct Native<A>(sdk::PolicyState<A>);

impl<A: sdk::Algorithm> Native<A> {
    fn new() -> anyhow::Result<Self> {
        Ok(Self(sdk::PolicyState::new(CAPACITY, Vec::new()).map_err(anyhow::Error::msg)?))
    }
}

impl<A: sdk::Algorithm> Policy for Native<A> {
    fn restore(&mut self, entries: &[Entry]) -> Result<(), PolicyFault> {
        self.0.restore(entries.iter().map(entry).collect());
        Ok(())
    }

    fn observe(&mut self, events: &[Event]) -> Result<(), PolicyFault> {
        self.0.observe(events.iter().map(event).collect());
        Ok(())
    }

    fn place(&mut self, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault> {
        Ok(match self.0.place(events.iter().map(event).collect(), entry(&candidate), needed) {
            sdk::Placement::Refuse => Placement::Refuse,
            sdk::Placement::Admit(victims) => Placement::Admit(victims),
        })
    }

    fn evict(&mut self, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault> {
        Ok(self.0.evict(events.iter().map(event).collect(), needed))
    }
}

fn entry(of: &Entry) -> sdk::Entry {
    sdk::Entry { fingerprint: of.fingerprint, hits: of.hits, accessed_at: of.accessed_at, ..sdk::Entry::new(of.id, of.size) }
}

fn event(of: &Event) -> sdk::Event {
    match of {
        Event::Accessed(access) => sdk::Event::Accessed(sdk::Access { id: access.id, at: access.at }),
        Event::Removed(id) => sdk::Event::Removed(*id),
    }
}

fn main() -> anyhow::Result<()> {
    let file = workspace_path("tests/data/media.csv.xz");
    let trace = Trace::read(std::fs::File::open(&file).with_context(|| format!("cannot open {}", file.display()))?)?;
    let engine = PolicyEngine::new().map_err(|error| anyhow::anyhow!("{error:#}"))?;
    println!("{:<10} {:>29}    {:>29}", "", "observe, million hits/s", "replay, million requests/s");
    println!("{:<10} {:>9} {:>9} {:>9}    {:>9} {:>9} {:>9}", "", "native", "wasm", "ratio", "native", "wasm", "ratio");
    compare::<Lru>(&engine, &trace)?;
    compare::<Sieve>(&engine, &trace)?;
    compare::<S3Fifo>(&engine, &trace)?;
    compare::<Gdsf>(&engine, &trace)?;
    compare::<WTinyLfu>(&engine, &trace)?;
    compare::<Hazard>(&engine, &trace)
}

fn compare<A: sdk::Algorithm>(engine: &PolicyEngine, trace: &Trace) -> anyhow::Result<()> {
    let component = PolicySpec::built_in(A::NAME).compile(engine)?;
    let sandboxed = || anyhow::Ok(Sandboxed::new(engine, &component.clone().into(), PolicyLimits::default(), CAPACITY)?);
    let batches = batches();
    let (mut observed, mut replayed) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..ROUNDS {
        observed[0].push(observe(Native::<A>::new()?, &batches)?);
        observed[1].push(observe(sandboxed()?, &batches)?);
        let (native, wasm) = (replay(Native::<A>::new()?, trace)?, replay(sandboxed()?, trace)?);
        anyhow::ensure!(native.1 == wasm.1, "{} counts {:?} natively and {:?} in the sandbox", A::NAME, native.1, wasm.1);
        replayed[0].push(native.0);
        replayed[1].push(wasm.0);
    }
    let observed = observed.map(|times| (BATCH * BATCHES) as f64 / median(times).as_secs_f64() / 1e6);
    let replayed = replayed.map(|times| trace.requests().len() as f64 / median(times).as_secs_f64() / 1e6);
    let column = |[native, wasm]: [f64; 2]| format!("{native:>9.2} {wasm:>9.2} {:>9.2}", wasm / native);
    println!("{:<10} {}    {}", A::NAME, column(observed), column(replayed));
    Ok(())
}

/// Hits on uniformly distributed entries, so that processor caches do not improve the result.
fn batches() -> Vec<Vec<Event>> {
    let mut random = Random(1);
    let hit = |at: usize| Event::Accessed(Access { id: random.below(ENTRIES), at: at as u64 });
    let hits: Vec<Event> = (0..BATCH * 64).map(hit).collect();
    hits.chunks(BATCH).map(<[Event]>::to_vec).collect()
}

fn observe(mut policy: impl Policy, batches: &[Vec<Event>]) -> anyhow::Result<Duration> {
    let entries: Vec<Entry> = (0..ENTRIES).map(|id| Entry::new(id, id, 1000 + id)).collect();
    policy.restore(&entries)?;
    let started = Instant::now();
    for batch in batches.iter().cycle().take(BATCHES) {
        policy.observe(black_box(batch))?;
    }
    Ok(started.elapsed())
}

fn replay(policy: impl Policy, trace: &Trace) -> anyhow::Result<(Duration, Counts)> {
    let mut replay = Replay::new(trace, policy, CAPACITY);
    let started = Instant::now();
    replay.run(trace.requests().len())?;
    Ok((started.elapsed(), black_box(replay.counts())))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
