//! Where a service listens, and who may use it there.

use std::net::SocketAddr;

use media_cache_server::{ClientLimits, SharedAccess, SharedTls};
use tokio::net::TcpListener;

use crate::file_budget::{FileBudget, MAX_ADMIN_CONNECTIONS};
use crate::listen_address::ResolvedAddress;
use crate::listeners::ListenerAccess;
use crate::passed_sockets::PassedSockets;
use crate::serve::options::Serve;
use crate::tls::{ListenerTls, listener_url};

/// The addresses of a service that is about to start.
pub struct Endpoints {
    /// What open files allow.
    pub files: FileBudget,
    pub tls: ListenerTls,
    /// The configured address for clients.
    pub listen: ResolvedAddress,
    /// Where it listens for clients, and the URL.
    pub address: SocketAddr,
    pub url: String,
    /// The lines for standard output.
    pub announcement: String,
    /// Who may use the service at the address for clients.
    pub main: SharedAccess,
    /// The address for administration, if there is one.
    pub admin: Option<AdminEndpoint>,
    /// All of them, in no particular order.
    pub listeners: Vec<Listening>,
}

/// An address for administration.
pub struct AdminEndpoint {
    pub listen: ResolvedAddress,
    pub url: String,
    pub access: SharedAccess,
}

/// A socket that listens.
pub struct Listening {
    pub listener: TcpListener,
    pub access: SharedAccess,
    pub limits: ClientLimits,
    pub tls: Option<SharedTls>,
}

impl Serve {
    /// Listens on the sockets that were passed, or else at the addresses of the options.
    pub async fn listen(&self, sockets: PassedSockets) -> anyhow::Result<Endpoints> {
        let listen = match sockets.main {
            Some(socket) => ResolvedAddress::of(socket, "--listen")?,
            None => self.listen.resolve().await?,
        };
        let passed = sockets.admin.map(|socket| ResolvedAddress::of(socket, "--admin-listen")).transpose()?;
        let ListenerAccess { mut main, admin } = self.listeners.access(&listen, passed).await?;
        let tls = self.tls.listeners()?;
        let files = self.file_budget(admin.is_some())?;
        let limits = self.connections.limits(files.connections);
        let admin_limits = ClientLimits { max_connections: limits.max_connections.min(MAX_ADMIN_CONNECTIONS), ..limits.clone() };
        let listener = listen.listen().await?;
        let address = listener.local_addr()?;
        let url = listener_url(address, tls.main.as_ref());
        let mut announcement = format!("listening on {url}\n");
        let mut listeners = Vec::new();
        let mut admin_endpoint = None;
        if let Some((listen, access)) = admin {
            let listener = listen.listen().await?;
            let url = listener_url(listener.local_addr()?, tls.admin.as_ref());
            announcement += &format!("administration on {url}\n");
            main.administration = Some(url.clone());
            let access = SharedAccess::from(access);
            listeners.push(Listening { listener, access: access.clone(), limits: admin_limits, tls: tls.admin.clone() });
            admin_endpoint = Some(AdminEndpoint { listen, url, access });
        }
        let main = SharedAccess::from(main);
        listeners.push(Listening { listener, access: main.clone(), limits, tls: tls.main.clone() });
        Ok(Endpoints { files, tls, listen, address, url, announcement, main, admin: admin_endpoint, listeners })
    }
}
