//! The sandbox of a policy: memory up to a limit, time up to a deadline, and nothing else.
//!
//! Compilers often produce components that expect a system (WASI 0.2). To support these, the interfaces exist but are inert: the
//! environment is empty, no directory is open, output is discarded, clocks stand still, random numbers are always the same, and waiting is
//! an error. Interfaces that allow more than this, such as sockets, do not exist.

use std::time::Duration;

use wasmtime::component::{HasData, HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{Engine, ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, io, random, sync};
use wasmtime_wasi::random::{Deterministic, WasiRandom};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};

use crate::policy::fault::{PolicyFault, TimeIsUp};
use crate::policy::streams::{Inert, Streams};

/// How often a running policy is checked.
const TICK: Duration = Duration::from_millis(20);

/// The packages of interfaces that a policy may import.
const INERT: [&str; 5] = ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/"];

/// The maximum total number of elements in the tables of a policy. They use the host's memory.
const TABLE_ELEMENTS: usize = 1 << 20;

/// The maximum number of handles to inert resources that a policy may have.
const HANDLES: usize = 1024;

/// The limits of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyLimits {
    /// The maximum linear memory of an instance, summed over all tiers, in bytes. Default: 256 MiB.
    pub memory_bytes: u64,
    /// The maximum processor time of one call, accurate to about 20 ms. Default: 250 ms.
    pub call_time: Duration,
}

impl Default for PolicyLimits {
    fn default() -> Self {
        Self { memory_bytes: 256 << 20, call_time: Duration::from_millis(250) }
    }
}

/// The state in the store of a policy.
pub struct SandboxState {
    wasi: WasiCtx,
    table: ResourceTable,
    limits: PolicyLimits,
    memory_bytes: u64,
    denied_memory: bool,
    table_elements: usize,
    /// When the current call was first checked, in processor time of its thread.
    first_seen: Option<Duration>,
}

impl SandboxState {
    /// Creates a store for a policy.
    pub(super) fn store(engine: &Engine, limits: PolicyLimits) -> Store<Self> {
        let mut wasi = WasiCtx::builder();
        wasi.wall_clock(StandsStill).monotonic_clock(StandsStill);
        wasi.secure_random(Deterministic::new(vec![0])).insecure_random(Deterministic::new(vec![0])).insecure_random_seed(0);
        wasi.max_random_size(1 << 16);
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let state =
            Self { wasi: wasi.build(), table, limits, memory_bytes: 0, denied_memory: false, table_elements: 0, first_seen: None };
        let mut store = Store::new(engine, state);
        store.limiter(|state| state);
        // The data that a call passes to the host is copied, so it has the same limit as the memory.
        store.set_hostcall_fuel(usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX));
        store.epoch_deadline_callback(|mut store| store.data_mut().look());
        store
    }

    pub(super) fn limits(&self) -> PolicyLimits {
        self.limits
    }

    /// Linear memory in use, in bytes.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    pub(super) fn was_denied_memory(&self) -> bool {
        self.denied_memory
    }

    /// Checks a call that lasts longer than a tick. Only processor time counts: on a busy machine, a thread may have to wait for a long
    /// time, which is not the policy's fault.
    fn look(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let now = processor_time();
        let since = *self.first_seen.get_or_insert(now);
        if now.saturating_sub(since) < self.limits.call_time { Ok(UpdateDeadline::Continue(1)) } else { Err(TimeIsUp.into()) }
    }
}

/// Starts the time limit of the next call.
pub(super) fn begin(store: &mut Store<SandboxState>) {
    store.set_epoch_deadline(1);
    store.data_mut().first_seen = None;
}

impl ResourceLimiter for SandboxState {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let grown = self.memory_bytes.saturating_add(desired.saturating_sub(current) as u64);
        let granted = grown <= self.limits.memory_bytes;
        if granted {
            self.memory_bytes = grown;
        }
        self.denied_memory = !granted;
        Ok(granted)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let grown = self.table_elements.saturating_add(desired.saturating_sub(current));
        let granted = grown <= TABLE_ELEMENTS;
        if granted {
            self.table_elements = grown;
        }
        Ok(granted)
    }

    fn instances(&self) -> usize {
        100
    }

    fn memories(&self) -> usize {
        16
    }

    fn tables(&self) -> usize {
        100
    }
}

impl WasiView for SandboxState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

struct StandsStill;

impl HostWallClock for StandsStill {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for StandsStill {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}

/// Waiting is refused: with a clock that stands still, it would never end; with a running clock, a policy could wait past any deadline.
impl monotonic_clock::Host for SandboxState {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(0)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, _when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        Err(wasmtime::Error::msg("it tried to wait, which a policy must not do"))
    }

    fn subscribe_duration(&mut self, _for: u64) -> wasmtime::Result<Resource<DynPollable>> {
        Err(wasmtime::Error::msg("it tried to wait, which a policy must not do"))
    }
}

struct Tables;

impl HasData for Tables {
    type Data<'a> = &'a mut ResourceTable;
}

/// Converts the error of a call to a fault.
pub(super) fn fault(error: &wasmtime::Error, store: &Store<SandboxState>) -> PolicyFault {
    let state = store.data();
    if error.is::<TimeIsUp>() {
        PolicyFault::Overran(state.limits().call_time)
    } else if state.was_denied_memory() {
        PolicyFault::OutOfMemory(state.limits().memory_bytes)
    } else {
        PolicyFault::Trapped(error.root_cause().to_string())
    }
}

/// A linker with everything that a policy may import.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<SandboxState>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    io::error::add_to_linker::<SandboxState, Tables>(l, |state| &mut state.table)?;
    sync::io::poll::add_to_linker::<SandboxState, Streams>(l, |state| Inert(&mut state.table))?;
    sync::io::streams::add_to_linker::<SandboxState, Streams>(l, |state| Inert(&mut state.table))?;
    clocks::wall_clock::add_to_linker::<SandboxState, WasiClocks>(l, SandboxState::clocks)?;
    monotonic_clock::add_to_linker::<SandboxState, HasSelf<SandboxState>>(l, |state| state)?;
    filesystem::preopens::add_to_linker::<SandboxState, WasiFilesystem>(l, SandboxState::filesystem)?;
    sync::filesystem::types::add_to_linker::<SandboxState, WasiFilesystem>(l, SandboxState::filesystem)?;
    random::random::add_to_linker::<SandboxState, WasiRandom>(l, |state| state.wasi.random())?;
    random::insecure::add_to_linker::<SandboxState, WasiRandom>(l, |state| state.wasi.random())?;
    random::insecure_seed::add_to_linker::<SandboxState, WasiRandom>(l, |state| state.wasi.random())?;
    cli::environment::add_to_linker::<SandboxState, WasiCli>(l, SandboxState::cli)?;
    cli::exit::add_to_linker::<SandboxState, WasiCli>(l, SandboxState::cli)?;
    cli::stdin::add_to_linker::<SandboxState, WasiCli>(l, SandboxState::cli)?;
    cli::stdout::add_to_linker::<SandboxState, WasiCli>(l, SandboxState::cli)?;
    cli::stderr::add_to_linker::<SandboxState, WasiCli>(l, SandboxState::cli)?;
    cli::terminal_input::add_to_linker::<SandboxState, WasiCli>(l, SandboxState::cli)?;
    cli::terminal_output::add_to_linker::<SandboxState, WasiCli>(l, SandboxState::cli)?;
    cli::terminal_stdin::add_to_linker::<SandboxState, WasiCli>(l, SandboxState::cli)?;
    cli::terminal_stdout::add_to_linker::<SandboxState, WasiCli>(l, SandboxState::cli)?;
    cli::terminal_stderr::add_to_linker::<SandboxState, WasiCli>(l, SandboxState::cli)?;
    Ok(linker)
}

/// The first of these imports that is not part of the inert WASI 0.2.
pub(crate) fn reaches_for<'a>(imports: &[&'a str]) -> Option<&'a str> {
    let inert = |name: &str| INERT.iter().any(|package| name.starts_with(package)) && name.contains("@0.2.");
    imports.iter().copied().find(|name| !inert(name))
}

/// Keeps checking the policies of an engine, as long as the engine exists.
pub(crate) fn keep_ticking(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    let tick = move || {
        loop {
            std::thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    };
    std::thread::Builder::new().name("policy-deadlines".into()).spawn(tick).map(drop)
}

/// The processor time of this thread.
#[must_use]
pub fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(memory_bytes: u64) -> Store<SandboxState> {
        SandboxState::store(&Engine::default(), PolicyLimits { memory_bytes, ..PolicyLimits::default() })
    }

    #[test]
    fn all_memories_share_one_limit() {
        let mut store = store(100);
        let state = store.data_mut();
        assert!(state.memory_growing(0, 60, None).unwrap() && state.memory_growing(0, 30, None).unwrap());
        assert!(!state.memory_growing(30, 41, None).unwrap());
        assert!(state.was_denied_memory());
        assert!(state.memory_growing(30, 40, None).unwrap(), "exactly the limit is allowed");
        assert_eq!((state.memory_bytes(), state.was_denied_memory()), (100, false));
        assert!(!state.memory_growing(60, usize::MAX, None).unwrap());
    }

    #[test]
    fn all_tables_share_one_limit() {
        let mut store = store(100);
        let state = store.data_mut();
        assert!(state.table_growing(0, TABLE_ELEMENTS / 2, None).unwrap());
        assert!(state.table_growing(TABLE_ELEMENTS / 2, TABLE_ELEMENTS - 1, None).unwrap());
        assert!(!state.table_growing(0, 2, None).unwrap() && !state.table_growing(0, usize::MAX, None).unwrap());
        assert!(state.table_growing(0, 1, None).unwrap());
    }
}
