//! Requests to a Matrix homeserver, over separate connections: only these may connect to the homeserver's address.

use std::sync::Arc;

use http::Response;
use hyper::body::Incoming;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rustls::ClientConfig;

use crate::access_rules::AccessRules;
use crate::concurrency_limiter::Permit;
use crate::homeserver::Homeserver;
use crate::options::HttpOptions;
use crate::setup_error::HttpSetupError;
use crate::target::Target;
use crate::transport::{OriginRequest, SendError, Transport};
use media_cache_interfaces::FetchError;

/// Sends requests to a homeserver.
pub(crate) struct MatrixClient {
    homeserver: Homeserver,
    rules: AccessRules,
    transport: Transport,
}

impl MatrixClient {
    pub(crate) fn new(homeserver: Homeserver, options: &HttpOptions, tls: ClientConfig) -> Result<Self, HttpSetupError> {
        let rules = homeserver_rules(&homeserver, &options.access);
        let transport = Transport::new(&HttpOptions { access: rules.clone(), ..options.clone() }, tls)?;
        Ok(Self { homeserver, rules, transport })
    }

    /// The request for the media of an `mxc` URL, with the access token.
    pub(crate) fn request(&self, mxc: &str) -> Result<OriginRequest, FetchError> {
        let target = Target::parse(self.homeserver.media_url(mxc)?.as_str(), &self.rules)?;
        let authorization = Some(self.homeserver.authorization().clone());
        Ok(OriginRequest { authorization, ..OriginRequest::anonymous(target) })
    }

    /// Sends a request for Matrix media for the download with this permit, and waits for the response headers.
    pub(crate) async fn send(
        &self,
        request: &OriginRequest,
        permit: Option<&Arc<Permit>>,
    ) -> Result<Response<Incoming>, SendError> {
        let response = self.transport.send(request, permit).await?;
        match self.homeserver.token_error(response.status()) {
            Some(error) => Err(error.into()),
            None => Ok(response),
        }
    }
}

/// The rules for requests to the homeserver. An operator's own server may have a private address and any port, regardless of which other
/// origins are allowed. Deny rules still apply.
fn homeserver_rules(homeserver: &Homeserver, rules: &AccessRules) -> AccessRules {
    AccessRules {
        allow_addresses: vec![IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())],
        deny_addresses: rules.deny_addresses.clone(),
        allow_hosts: Vec::new(),
        deny_hosts: rules.deny_hosts.clone(),
        allow_ports: homeserver.port().into_iter().collect(),
        deny_ports: rules.deny_ports.clone(),
    }
}
