//! Accepts connections, and refuses those beyond the limits.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

use crate::connections::close::{Linger, respond_and_close, stopped};
use crate::connections::connection::Server;
use crate::connections::counters::Connections;
use crate::connections::limits::ClientLimits;
use crate::connections::permits::{ConnectionPermit, Permits, Refusal};
use crate::connections::routes::Routes;
use crate::problem::Problem;

/// The maximum number of connections that a listener is refusing at the same time, for each of the two reasons: too many in total, and too
/// many from one address.
///
/// Connections beyond the limit could be left in the kernel's queue. But then their clients would get no response, a proxy in front of
/// several services would not try the next one, and `/healthz` would hang. So they get a response, but only a few at a time, which keeps
/// the cost negligible. While this many refusals are in progress, further connections do wait in the queue.
pub const MAX_REFUSALS: usize = 64;

/// How long to wait before accepting again when the system is out of resources.
const OUT_OF_RESOURCES: Duration = Duration::from_millis(200);

/// Serves routes on a listener until `stop` is true or its sender is dropped. Then it stops listening, closes idle connections, and
/// returns once the others have received their responses. If the future is dropped, all connections are closed immediately.
///
/// Handlers get the address of the client as [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo). HTTP/1.1 and 1.0 are supported, and
/// HTTP/2 over TLS. Connections are counted in `connections`, which several listeners may share; limits are per listener.
pub async fn serve_connections(
    listener: TcpListener,
    routes: impl Into<Routes>,
    limits: ClientLimits,
    connections: Connections,
    mut stop: watch::Receiver<bool>,
) {
    let permits = Permits::new(&limits, connections);
    let refusals = || Arc::new(Semaphore::new(MAX_REFUSALS));
    let mut acceptor = Acceptor { listener, refusals: refusals(), out_of_resources: false };
    let server = Server { routes: routes.into(), limits: Arc::new(limits), stop: stop.clone(), permits };
    let admission = Admission { server, address_refusals: refusals() };
    let mut tasks = JoinSet::new();
    loop {
        let (stream, peer, refusal) = tokio::select! {
            accepted = acceptor.accept() => accepted,
            Some(ended) = tasks.join_next() => {
                report(ended);
                continue;
            }
            () = stopped(&mut stop) => break,
        };
        admission.spawn(stream, peer, refusal, &mut tasks);
    }
    drop(acceptor);
    while let Some(ended) = tasks.join_next().await {
        report(ended);
    }
}

/// Decides which connections are served.
struct Admission {
    server: Server,
    /// Limits the refusals in progress for addresses with too many connections. Beyond this limit, connections from such addresses are
    /// dropped without a response, so that one address does not delay others.
    address_refusals: Arc<Semaphore>,
}

impl Admission {
    /// Serves or refuses a connection in a separate task.
    fn spawn(&self, stream: TcpStream, peer: SocketAddr, refusal: OwnedSemaphorePermit, tasks: &mut JoinSet<()>) {
        let server = self.server.clone();
        match server.permits.for_connection(peer.ip()) {
            Ok(ConnectionPermit { open, permit }) => tasks.spawn(async move {
                server.serve(stream, peer, open).await;
                drop(permit);
            }),
            Err(Refusal::Address(problem)) => {
                let Ok(refusal) = self.address_refusals.clone().try_acquire_owned() else { return };
                tasks.spawn(refuse(server, stream, problem, refusal))
            }
            Err(Refusal::Full(problem)) => tasks.spawn(refuse(server, stream, problem, refusal)),
        };
    }
}

/// Refuses a connection. If it would have to be encrypted first, which is too much work, it is closed without a response.
async fn refuse(server: Server, stream: TcpStream, problem: Problem, refusal: OwnedSemaphorePermit) {
    if server.routes.tls.is_some() {
        return;
    }
    let mut stop = server.stop;
    respond_and_close(stream, problem, Linger::brief(), &mut stop).await;
    drop(refusal);
}

struct Acceptor {
    listener: TcpListener,
    refusals: Arc<Semaphore>,
    /// Whether the system is out of resources, which is logged once.
    out_of_resources: bool,
}

impl Acceptor {
    /// Accepts the next connection, together with a permit to refuse it. Connections wait until a permit is available.
    async fn accept(&mut self) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        loop {
            let Ok(refusal) = self.refusals.clone().acquire_owned().await else {
                // The semaphore is never closed.
                return std::future::pending().await;
            };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.out_of_resources = false;
                    return (stream, peer, refusal);
                }
                // This connection has failed, but the next one may succeed.
                Err(error) if concerns_connection(&error) => {}
                Err(error) => {
                    if !std::mem::replace(&mut self.out_of_resources, true) {
                        tracing::warn!("cannot accept connections at the moment, retrying: {error}");
                    }
                    tokio::time::sleep(OUT_OF_RESOURCES).await;
                }
            }
        }
    }
}

/// Whether an error from `accept` concerns the connection, rather than the listener or the system (accept(2)).
fn concerns_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable,
    };
    let kinds =
        [ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable];
    kinds.contains(&error.kind())
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!("a connection task failed: {error}");
    }
}
