//! An HTTP client for each Tokio runtime. A client keeps HTTP/2 connections, which are read from only while their runtime is driven, and
//! closes idle ones with a task in the runtime of its first request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::client::legacy::{Builder, Client};
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;

use crate::connector::Connector;

pub(crate) type HttpClient = Client<Connector, Empty<Bytes>>;

/// Clients that share their options and their connector.
pub(crate) struct RuntimeClients {
    builder: Builder,
    connector: Connector,
    clients: Arc<Mutex<Clients>>,
}

type Clients = HashMap<runtime::Id, RuntimeClient>;

struct RuntimeClient {
    client: HttpClient,
    /// Dropping this ends the task that waits for the end of the runtime.
    _needed: oneshot::Sender<()>,
}

impl RuntimeClients {
    pub(crate) fn new(builder: Builder, connector: Connector) -> Self {
        Self { builder, connector, clients: Arc::default() }
    }

    /// The client for requests in the current runtime. It is dropped with the runtime.
    pub(crate) fn current(&self) -> HttpClient {
        let new_client = || self.builder.build(self.connector.clone());
        let Ok(runtime) = Handle::try_current() else { return new_client() };
        let mut clients = lock(&self.clients);
        if let Some(RuntimeClient { client, .. }) = clients.get(&runtime.id()) {
            return client.clone();
        }
        let (client, (needed, is_needed)) = (new_client(), oneshot::channel());
        clients.insert(runtime.id(), RuntimeClient { client: client.clone(), _needed: needed });
        // A runtime that is shutting down drops the task at once.
        drop(clients);
        let end = RuntimeEnd { clients: Arc::downgrade(&self.clients), runtime: runtime.id() };
        runtime.spawn(async move {
            let _end = end;
            // Returns once the clients are dropped.
            let _ = is_needed.await;
        });
        client
    }
}

/// Removes the client of a runtime when the runtime drops its tasks.
struct RuntimeEnd {
    clients: Weak<Mutex<Clients>>,
    runtime: runtime::Id,
}

impl Drop for RuntimeEnd {
    fn drop(&mut self) {
        if let Some(clients) = self.clients.upgrade() {
            let client = lock(&clients).remove(&self.runtime);
            drop(client);
        }
    }
}

fn lock(clients: &Mutex<Clients>) -> MutexGuard<'_, Clients> {
    clients.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::TokioExecutor;
    use rustls::{ClientConfig, RootCertStore};

    use super::*;
    use crate::options::HttpOptions;

    #[test]
    fn each_runtime_has_a_client_until_it_ends() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        let clients = RuntimeClients::new(Client::builder(TokioExecutor::new()), Connector::new(&HttpOptions::default(), tls));
        let runtimes = [(); 2].map(|()| runtime::Builder::new_current_thread().build().unwrap());
        for runtime in runtimes.iter().chain(&runtimes) {
            runtime.block_on(async { clients.current() });
        }
        assert_eq!(lock(&clients.clients).len(), 2);
        let [first, second] = runtimes;
        drop(first);
        assert!(lock(&clients.clients).keys().eq([&second.handle().id()]));
        drop(second);
        assert!(lock(&clients.clients).is_empty());
    }
}
