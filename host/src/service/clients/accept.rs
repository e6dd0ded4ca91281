//! Who is let in.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

use super::ClientLimits;
use super::connection::{Linger, Server, say_and_close, stopped};
use super::counters::{Connections, OpenConnection};
use crate::service::problem::Problem;

/// How many connections are told at once that there is no room for them.
///
/// Those beyond the limit could be left in the kernel's queue; but whoever waits there learns nothing, a proxy in front of several
/// services would not try the next one, and `/healthz` would hang. So they are told, and there are so few at once that it costs
/// next to nothing. While these are being told, whoever else comes does wait in the queue.
const REFUSALS: usize = 64;

/// When those who are refused may come back, in seconds: connections come and go.
const RETRY_AFTER: u32 = 1;

/// How long to wait when the system has nothing left to accept a connection with, before it is tried again.
const OUT_OF_RESOURCES: Duration = Duration::from_millis(200);

/// Serves a router on a listener until `stop` is true, or its sender gone. Then it stops listening, idle connections are closed, and it
/// comes back once the others have had their answers. If it is dropped, they are closed where they are.
///
/// Handlers find the address of the client as [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo). HTTP/1.1 is spoken, and 1.0. What
/// happens is counted in `connections`, which several listeners may share; limits are for each.
pub async fn serve_connections(
    listener: TcpListener,
    router: Router,
    limits: ClientLimits,
    connections: Connections,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.max_connections.get().min(Semaphore::MAX_PERMITS)));
    let mut acceptor = Acceptor { listener, refusals: Arc::new(Semaphore::new(REFUSALS)), out_of_resources: false };
    let server = Server { router, limits: Arc::new(limits), stop: stop.clone() };
    let door = Door { server, connections, places, refusals_by_address: Arc::new(Semaphore::new(REFUSALS)) };
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
        door.let_in(stream, peer, refusal, &mut tasks);
    }
    drop(acceptor);
    while let Some(ended) = tasks.join_next().await {
        report(ended);
    }
}

struct Door {
    server: Server,
    connections: Connections,
    places: Arc<Semaphore>,
    /// One address that has too many connections must not hold up others, so its refusals wait for nothing.
    refusals_by_address: Arc<Semaphore>,
}

impl Door {
    /// Serves a connection in a task of its own, or refuses it there.
    fn let_in(&self, stream: TcpStream, peer: SocketAddr, refusal: OwnedSemaphorePermit, tasks: &mut JoinSet<()>) {
        let server = self.server.clone();
        match self.room_for(peer) {
            Ok((open, place)) => tasks.spawn(async move {
                server.serve(stream, peer, open).await;
                drop(place);
            }),
            Err(Refusal::Address(problem)) => {
                let Ok(refusal) = self.refusals_by_address.clone().try_acquire_owned() else { return };
                tasks.spawn(refuse(server, stream, problem, refusal))
            }
            Err(Refusal::Full(problem)) => tasks.spawn(refuse(server, stream, problem, refusal)),
        };
    }

    fn room_for(&self, peer: SocketAddr) -> Result<(OpenConnection, OwnedSemaphorePermit), Refusal> {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            self.connections.refuse();
            let (code, why) = ("too-many-connections", "there are too many connections");
            return Err(Refusal::Full(Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, why).with_retry_after(RETRY_AFTER)));
        };
        let place_of_address = match self.server.limits.max_connections_per_address {
            None => None,
            Some(limit) => Some(self.connections.place(peer.ip(), limit).ok_or_else(|| {
                let (code, why) = ("too-many-from-address", "there are too many connections from this address");
                Refusal::Address(Problem::new(StatusCode::TOO_MANY_REQUESTS, code, why).with_retry_after(RETRY_AFTER))
            })?),
        };
        Ok((self.connections.open(place_of_address), place))
    }
}

/// Why there is no room.
enum Refusal {
    /// There are too many connections.
    Full(Problem),
    /// There are too many from this address.
    Address(Problem),
}

async fn refuse(server: Server, stream: TcpStream, problem: Problem, refusal: OwnedSemaphorePermit) {
    let mut stop = server.stop;
    say_and_close(stream, problem, Linger::at_the_door(), &mut stop).await;
    drop(refusal);
}

struct Acceptor {
    listener: TcpListener,
    refusals: Arc<Semaphore>,
    /// And this has been said.
    out_of_resources: bool,
}

impl Acceptor {
    /// The next connection, and the right to refuse it: while there is none of these, connections wait.
    async fn accept(&mut self) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        loop {
            let Ok(refusal) = self.refusals.clone().acquire_owned().await else {
                // It is never closed.
                return std::future::pending().await;
            };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.out_of_resources = false;
                    return (stream, peer, refusal);
                }
                // The connection that was to be accepted is gone; the next one need not be.
                Err(error) if concerns_connection(&error) => {}
                Err(error) => {
                    if !std::mem::replace(&mut self.out_of_resources, true) {
                        tracing::warn!("connections cannot be accepted for the moment: {error}");
                    }
                    tokio::time::sleep(OUT_OF_RESOURCES).await;
                }
            }
        }
    }
}

/// Whether an error of `accept` is one of the connection, and not of the listener or the system (accept(2)).
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
        tracing::error!("a connection broke off: {error}");
    }
}
