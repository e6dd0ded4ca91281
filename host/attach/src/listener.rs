//! The owner's side: accepts the connections of processes that attach to its directory.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use media_cache::{ListedDescriptor, MediaCache};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::connection::Connection;
use crate::options::DirectoryOptions;
use crate::owner::{Owner, serve};
use crate::socket_path;

/// How long to wait before accepting again after that failed, for example because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long stopping waits for the calls in progress.
const MAX_STOP: Duration = Duration::from_secs(10);

/// Answers other processes that attach to the directory of a cache. They can use the cache as long as this exists.
#[derive(Debug)]
pub struct Listener {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens on a socket in the directory of the cache. `options` are the options of the directory, which attached processes adopt. Must
    /// be called within a Tokio runtime, which then serves the attached processes.
    ///
    /// # Errors
    /// The socket cannot be created, for example because the file system does not support sockets.
    pub fn start(cache: MediaCache, options: DirectoryOptions) -> io::Result<Self> {
        let listener = socket_path::listen(cache.directory())?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let listed = ListedDescriptor::new(&listener);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, listed, Owner { cache, options }.into(), stopped));
        Ok(Self { stop, task })
    }

    /// Removes the socket, waits up to 10 seconds for the calls in progress, and closes all connections. Call this before the cache is
    /// closed. The attached processes then wait until the directory is released, and one of them takes over.
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

async fn accept(listener: UnixListener, listed: ListedDescriptor, owner: Arc<Owner>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stopped.wait_for(|stopped| *stopped) => break,
            // Attached processes can take over only if nothing answers them any more. The socket may belong to the next owner by now.
            () = owner.cache.closed() => return,
        };
        match accepted.and_then(|(stream, _)| Connection::new(stream)) {
            Ok(connection) => {
                let (owner, stopped) = (owner.clone(), stopped.clone());
                connections.spawn(async move {
                    if let Err(error) = serve(connection, &owner, stopped).await {
                        tracing::debug!("the connection to an attached process failed: {error}");
                    }
                });
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                tracing::warn!("refused a process that tried to attach to {}: {error}", owner.cache.directory().display());
            }
            Err(error) => {
                tracing::warn!("cannot accept a process that attaches to {}: {error}", owner.cache.directory().display());
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    socket_path::remove(owner.cache.directory());
    drop((listed, listener));
    let finish = async { while connections.join_next().await.is_some() {} };
    if timeout(MAX_STOP, finish).await.is_err() {
        tracing::warn!("calls of attached processes are still in progress after {} s; ending them", MAX_STOP.as_secs());
    }
}
