//! Connections to origins that serve several requests, one after the other (HTTP/1).
//!
//! A connection is reused only for the same scheme, host, port and address, and by the same [`ConnectionPool`], that is, with the same
//! rules, certificates and credentials: scheme and host determine which of an operator's headers are sent. Whether the last response
//! permits reuse is decided elsewhere (`byte_counter`). This module checks that nothing has arrived when a connection becomes idle, and
//! again when it is taken: it is not reused after an unrequested byte or the end of the connection.
//!
//! A connection is used only in the runtime in which it was opened: nothing would be read from it if that runtime were not driven.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use http::Uri;
use http::uri::{Authority, Scheme};
use tokio::io::AsyncWrite;
use tokio::runtime::{self, Handle};

use crate::address_block::AddressBlock;
use crate::idle_list::IdleList;
use crate::limiter_options::LimiterOptions;
use crate::origin_stream::{OriginStream, is_http2, is_quiet};

/// How long an unused connection is kept. Common servers close theirs after 5 seconds (Apache, Node.js), and a request that is sent at that
/// moment is lost. If the origin states a time, four fifths of that time is a limit as well.
const KEEP_IDLE: Duration = Duration::from_secs(4);

/// The maximum number of idle connections, regardless of the limit on concurrent downloads.
const MAX_IDLE: usize = 256;

/// The connections that downloaders keep for later requests, and their counts. Clones are handles to the same connections. Downloaders with
/// the same handle share its limits, but not their connections. A connection serves only requests in the Tokio runtime in which it was
/// opened.
#[derive(Clone)]
pub struct OriginConnections(Arc<Shared>);

/// The counts of [`OriginConnections`], for HTTP/1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OriginConnectionCounts {
    /// Connections that are currently kept for later requests.
    pub idle: usize,
    /// The number of requests since the start that were answered over a connection that had already served another one.
    pub reused: u64,
    /// The number of requests since the start that were sent again over a new connection because a reused one had failed.
    pub retried: u64,
}

struct Shared {
    idle: Mutex<Idle>,
    /// Open connections, in use or idle.
    open: Arc<AtomicUsize>,
    /// Open HTTP/2 connections, in use or idle. The HTTP clients keep the idle ones.
    open_http2: Arc<AtomicUsize>,
    reused: AtomicU64,
    retried: AtomicU64,
    keep_idle: Duration,
}

#[derive(Default)]
struct Idle {
    list: IdleList<Key, Open>,
    /// The tasks that close connections as they expire, while there are any. Each runtime in which connections are kept has its own, since
    /// the others may no longer be driven.
    expiry: HashMap<runtime::Id, ExpiryTask>,
    /// How many such tasks there have been.
    expiry_tasks: u64,
}

#[derive(Clone, Copy)]
struct ExpiryTask {
    number: u64,
    /// When it next looks for connections that have expired.
    wakes: Instant,
}

/// The task with this number, in this runtime. Dropped when the task ends.
struct Expiry {
    shared: Weak<Shared>,
    runtime: runtime::Id,
    number: u64,
}

impl Expiry {
    /// Closes connections as they expire, until there are none or another task of the runtime does so.
    async fn run(self) {
        while let Some(next) = self.next() {
            tokio::time::sleep_until(next.into()).await;
        }
    }

    /// Closes the expired connections of all runtimes. Returns the time at which the next one expires.
    fn next(&self) -> Option<Instant> {
        let shared = self.shared.upgrade()?;
        let mut idle = shared.idle();
        if !idle.has_task(self) {
            return None;
        }
        let next = idle.list.remove_expired(Instant::now());
        // Under the same lock, so that if this task ends, the next connection that becomes idle starts another one.
        match next {
            Some(wakes) => idle.expiry.insert(self.runtime, ExpiryTask { number: self.number, wakes }),
            None => idle.expiry.remove(&self.runtime),
        };
        next
    }
}

impl Idle {
    /// Whether this is the current task of its runtime.
    fn has_task(&self, expiry: &Expiry) -> bool {
        self.expiry.get(&expiry.runtime).is_some_and(|task| task.number == expiry.number)
    }
}

impl Drop for Expiry {
    fn drop(&mut self) {
        // When a runtime ends, its connections are closed. Others are opened again when they are needed.
        let Some(shared) = self.shared.upgrade() else { return };
        let mut idle = shared.idle();
        if idle.has_task(self) {
            idle.expiry.remove(&self.runtime);
            idle.list.trim(0, |key| key.runtime == self.runtime);
        }
    }
}

/// Where a connection leads, and which pool it belongs to.
#[derive(Clone, PartialEq, Eq)]
struct Key {
    pool: u64,
    runtime: runtime::Id,
    scheme: Scheme,
    authority: Authority,
    address: IpAddr,
}

impl Key {
    /// Whether both are connections to the same host, on any port.
    fn has_host_of(&self, other: &Self) -> bool {
        self.pool == other.pool && self.authority.host().eq_ignore_ascii_case(other.authority.host())
    }
}

/// An open connection.
struct Open {
    stream: OriginStream,
    /// The counter of open connections of its version of HTTP.
    count: Arc<AtomicUsize>,
}

impl Drop for Open {
    fn drop(&mut self) {
        // Closes TLS properly, as far as that is possible without waiting.
        let _ = Pin::new(&mut self.stream).poll_shutdown(&mut Context::from_waker(Waker::noop()));
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for OriginConnections {
    fn default() -> Self {
        Self::with_keep_idle(KEEP_IDLE)
    }
}

impl OriginConnections {
    pub(crate) fn with_keep_idle(keep_idle: Duration) -> Self {
        Self(Arc::new(Shared {
            idle: Mutex::default(),
            open: Arc::default(),
            open_http2: Arc::default(),
            reused: AtomicU64::default(),
            retried: AtomicU64::default(),
            keep_idle,
        }))
    }

    /// The current counts.
    #[must_use]
    pub fn counts(&self) -> OriginConnectionCounts {
        OriginConnectionCounts {
            idle: self.0.idle().list.len(),
            reused: self.0.reused.load(Ordering::Relaxed),
            retried: self.0.retried.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn count_reused(&self) {
        self.0.reused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_retried(&self) {
        self.0.retried.fetch_add(1, Ordering::Relaxed);
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connections of one client, which sends all its requests under the same rules.
pub(crate) struct ConnectionPool {
    id: u64,
    connections: OriginConnections,
    limits: LimiterOptions,
}

impl ConnectionPool {
    /// Creates a pool with at most as many connections as `limits` allows downloads.
    pub(crate) fn new(connections: OriginConnections, limits: LimiterOptions) -> Self {
        static POOLS: AtomicU64 = AtomicU64::new(0);
        Self { id: POOLS.fetch_add(1, Ordering::Relaxed), connections, limits }
    }

    /// An idle connection to the origin of a URL at this address.
    pub(crate) fn take(self: &Arc<Self>, uri: &Uri, address: IpAddr) -> Option<OriginConnection> {
        let key = self.key(uri, address)?;
        loop {
            let mut open = self.connections.0.idle().list.take(&key, Instant::now())?;
            if is_quiet(&mut open.stream) {
                return Some(OriginConnection { pool: self.clone(), key: Some(key), open });
            }
        }
    }

    /// Takes over a new connection. Closes idle ones if necessary, so that there are never more connections than allowed downloads.
    pub(crate) fn opened(self: &Arc<Self>, stream: OriginStream, uri: &Uri, address: IpAddr) -> OriginConnection {
        let shared = &self.connections.0;
        if is_http2(&stream) {
            shared.open_http2.fetch_add(1, Ordering::Relaxed);
            return OriginConnection { pool: self.clone(), key: None, open: Open { stream, count: shared.open_http2.clone() } };
        }
        let others = shared.open.fetch_add(1, Ordering::Relaxed);
        let open = Open { stream, count: shared.open.clone() };
        let surplus = (others + 1).saturating_sub(self.limits.max_downloads.get());
        if surplus > 0 {
            let list = &mut shared.idle().list;
            list.trim(list.len().saturating_sub(surplus), |_| true);
        }
        OriginConnection { pool: self.clone(), key: self.key(uri, address), open }
    }

    /// Whether a new connection may use HTTP/2. There are at most as many such connections as downloads are allowed, apart from some that
    /// are opened at the same time. Unlike those of HTTP/1, idle ones cannot be closed to make room for others.
    pub(crate) fn may_open_http2(&self) -> bool {
        self.connections.0.open_http2.load(Ordering::Relaxed) < self.limits.max_downloads.get()
    }

    fn key(&self, uri: &Uri, address: IpAddr) -> Option<Key> {
        let runtime = Handle::try_current().ok()?.id();
        Some(Key { pool: self.id, runtime, scheme: uri.scheme()?.clone(), authority: uri.authority()?.clone(), address })
    }

    fn keep(&self, key: Key, open: Open, kept_for: Option<Duration>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let shared = &self.connections.0;
        let time = time_to_keep(shared.keep_idle, kept_for);
        if time.is_zero() {
            return;
        }
        let mut idle = shared.idle();
        idle.list.trim(self.limits.max_downloads_per_host.get() - 1, |other| other.has_host_of(&key));
        let block = AddressBlock::from(key.address);
        idle.list.trim(self.limits.max_downloads_per_address.get() - 1, |other| AddressBlock::from(other.address) == block);
        idle.list.trim(self.limits.max_downloads.get().min(MAX_IDLE) - 1, |_| true);
        let expires = Instant::now() + time;
        idle.list.add(key, open, expires);
        if idle.expiry.get(&runtime.id()).is_none_or(|task| expires < task.wakes) {
            idle.expiry_tasks += 1;
            let number = idle.expiry_tasks;
            idle.expiry.insert(runtime.id(), ExpiryTask { number, wakes: expires });
            // A runtime that is shutting down drops the task at once.
            drop(idle);
            runtime.spawn(Expiry { shared: Arc::downgrade(shared), runtime: runtime.id(), number }.run());
        }
    }
}

impl Drop for ConnectionPool {
    fn drop(&mut self) {
        self.connections.0.idle().list.trim(0, |key| key.pool == self.id);
    }
}

/// A connection that a request uses.
pub(crate) struct OriginConnection {
    pool: Arc<ConnectionPool>,
    key: Option<Key>,
    open: Open,
}

impl OriginConnection {
    pub(crate) fn stream(&self) -> &OriginStream {
        &self.open.stream
    }

    pub(crate) fn stream_mut(&mut self) -> &mut OriginStream {
        &mut self.open.stream
    }

    /// Keeps the connection for a later request, unless bytes have arrived that belong to no response. `kept_for` is how long the origin
    /// keeps it, if it states that.
    pub(crate) fn release(mut self, kept_for: Option<Duration>) {
        if let Some(key) = self.key.take()
            && is_quiet(&mut self.open.stream)
        {
            self.pool.keep(key, self.open, kept_for);
        }
    }
}

/// How long an idle connection is kept, if one is usually kept for `keep_idle`, and the origin keeps this one for `kept_for`. Four fifths
/// of that time leave a request time to arrive before the origin closes the connection.
fn time_to_keep(keep_idle: Duration, kept_for: Option<Duration>) -> Duration {
    kept_for.map_or(keep_idle, |time| keep_idle.min(time * 4 / 5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_is_kept_for_four_fifths_of_the_time_for_which_the_origin_keeps_it() {
        let seconds = Duration::from_secs;
        for (kept_for, expected) in [(None, 4_000), (Some(60), 4_000), (Some(5), 4_000), (Some(4), 3_200), (Some(0), 0)] {
            let time = time_to_keep(seconds(4), kept_for.map(seconds));
            assert_eq!(time, Duration::from_millis(expected), "{kept_for:?}");
        }
    }
}
