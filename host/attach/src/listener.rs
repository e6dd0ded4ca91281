//! The owner's side: accepts the connections of processes that attach to its directory.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use media_cache::policy::RememberedPolicy;
use media_cache::{ListedDescriptor, MediaCache};
use rustix::process::{Resource, getrlimit};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::connection::Connection;
use crate::messages::Admission;
use crate::options::DirectoryOptions;
use crate::owner::{Management, Owner, serve, welcome};
use crate::socket_path::{self, Place, Socket};

/// The maximum number of connections, if the process may open enough files.
const MAX_CONNECTIONS: usize = 1024;

/// The same, if it may not.
const MIN_CONNECTIONS: usize = 16;

/// The number of connections that may be refused at once.
const MAX_REFUSALS: usize = 16;

/// How long to wait before accepting again after that failed, for example because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often to check whether the socket is still in the directory.
const SOCKET_CHECK: Duration = Duration::from_secs(1);

/// How long stopping waits for the calls in progress.
const MAX_STOP: Duration = Duration::from_secs(10);

/// Answers other processes that attach to the directory of a cache. They can use the cache as long as this exists.
#[derive(Debug)]
pub struct Listener {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens on a socket in the directory of the cache. `options` are the options of the directory, which attached processes adopt.
    /// `remembered`, if given, remembers the policies that they select. Must be called within a Tokio runtime, which then serves the attached
    /// processes. If the socket is removed later, or the directory is replaced, this listens on a new one as soon as the cache uses the
    /// current directory.
    ///
    /// # Errors
    /// The socket cannot be created, for example because the file system does not support sockets.
    pub fn start(cache: MediaCache, options: DirectoryOptions, remembered: Option<RememberedPolicy>) -> io::Result<Self> {
        Self::start_with(cache, options, remembered.map_or(Management::Nothing, Management::Remember))
    }

    pub(crate) fn start_with(cache: MediaCache, options: DirectoryOptions, management: Management) -> io::Result<Self> {
        // Each connection may have a file open too.
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let connections = usize::try_from(files / 4).unwrap_or(usize::MAX).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS);
        Self::listen(Owner::new(cache, options, management), connections)
    }

    /// Like [`start`](Self::start), but with this maximum number of connections. An attached process has one, and one more for each call in
    /// progress. By default, it is a quarter of the number of files that this process may open, but at most 1,024. Idle connections are
    /// closed if others need them. While all connections are in use, further calls wait for up to 30 seconds.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn start_limited(cache: MediaCache, options: DirectoryOptions, max_connections: usize) -> io::Result<Self> {
        Self::listen(Owner::new(cache, options, Management::Nothing), max_connections)
    }

    fn listen(owner: Owner, max_connections: usize) -> io::Result<Self> {
        let accepting = Accepting::new(socket_path::listen(owner.cache.directory())?)?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(accepting, owner.into(), max_connections, stopped));
        Ok(Self { stop, task })
    }

    /// Removes the socket, unless another owner has replaced it, waits up to 10 seconds for the calls in progress, and closes all
    /// connections. Call this before the cache is closed. The attached processes then wait until the directory is released, and one of them takes over.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let _ = (&mut self.task).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A socket that accepts connections.
struct Accepting {
    // Dropped before the listener is closed.
    _listed: ListedDescriptor,
    listener: UnixListener,
    place: Place,
}

impl Accepting {
    fn new(Socket { listener, place }: Socket) -> io::Result<Self> {
        let listener = UnixListener::from_std(listener)?;
        Ok(Self { _listed: ListedDescriptor::new(&listener), listener, place })
    }
}

async fn accept(mut socket: Accepting, owner: Arc<Owner>, max_connections: usize, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut replacement = Box::pin(listen_again(owner.cache.clone(), socket.place.clone()));
    loop {
        let accepted = tokio::select! {
            accepted = socket.listener.accept(), if connections.len() < max_connections + MAX_REFUSALS => accepted,
            Some(_) = connections.join_next() => continue,
            new = &mut replacement => {
                replacement.set(listen_again(owner.cache.clone(), new.place.clone()));
                socket = new;
                continue;
            }
            _ = stopped.wait_for(|stopped| *stopped) => break,
            // Attached processes can take over only if nothing answers them any more.
            () = owner.cache.closed() => return socket.place.remove(),
        };
        match accepted.and_then(|(stream, _)| Connection::new(stream)) {
            Ok(mut connection) => {
                let (owner, stopped) = (owner.clone(), stopped.clone());
                let is_full = connections.len() >= max_connections && !owner.idle.close_oldest();
                connections.spawn(async move {
                    let served = if is_full {
                        welcome(&mut connection, Admission::Full(max_connections)).await.map(drop)
                    } else {
                        serve(connection, &owner, stopped).await
                    };
                    if let Err(error) = served {
                        tracing::debug!("the connection to an attached process failed: {error}");
                    }
                });
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                tracing::warn!("refused a process that tried to attach to {}: {error}", owner.cache.directory().display());
            }
            Err(error) => {
                tracing::warn!("cannot accept a process that attaches to {}: {error}", owner.cache.directory().display());
                // There may be too many open files.
                owner.idle.close_oldest();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    socket.place.remove();
    drop(socket);
    let finish = async { while connections.join_next().await.is_some() {} };
    if timeout(MAX_STOP, finish).await.is_err() {
        tracing::warn!("calls of attached processes are still in progress after {} s; ending them", MAX_STOP.as_secs());
    }
}

/// Waits until the socket of this owner is no longer in the directory, and listens on a new one. While the directory does not exist or is
/// locked by another process, this waits; the cache reports that.
async fn listen_again(cache: MediaCache, place: Place) -> Accepting {
    let mut failure = None;
    loop {
        tokio::time::sleep(SOCKET_CHECK).await;
        let (checked, place) = (cache.clone(), place.clone());
        // The disk may hang.
        let listen = move || {
            let is_missing = !place.is_occupied() && checked.is_directory_locked();
            is_missing.then(|| socket_path::listen(checked.directory()))
        };
        let Ok(Some(socket)) = tokio::task::spawn_blocking(listen).await else { continue };
        match socket.and_then(Accepting::new) {
            Ok(accepting) => {
                tracing::warn!(
                    "the socket in {} had been removed and has been recreated; other processes can attach again",
                    cache.directory().display()
                );
                return accepting;
            }
            Err(error) => {
                let error = error.to_string();
                if failure.as_ref() != Some(&error) {
                    tracing::warn!("the socket in {} cannot be recreated: {error}", cache.directory().display());
                }
                failure = Some(error);
            }
        }
    }
}
