//! Media of Matrix, `mxc://server/id`: which homeserver it is fetched through, and where it is there (Matrix specification 1.11,
//! client-server API, "Content repository").

use std::str::FromStr;

use http::header::HeaderValue;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rustls::ClientConfig;
use url::Url;

use super::FetchError;
use super::access::AccessRules;
use super::options::{HttpOptions, HttpSetupError};
use super::target::Target;
use super::transport::{Ask, Transport};

/// How URLs of Matrix media begin, in either case.
const SCHEME: &str = "mxc://";

/// The longest server name and media id, in bytes. For the first it is what the specification says.
const LONGEST_NAME: usize = 255;

/// Where a homeserver is: an http or https URL, which may have a path, without credentials, query or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeserverUrl(Url);

/// What is wrong with a [`HomeserverUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a homeserver takes the form https://matrix.example.org, without credentials and a query")]
pub struct InvalidHomeserverUrl;

impl FromStr for HomeserverUrl {
    type Err = InvalidHomeserverUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| InvalidHomeserverUrl)?;
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        let fits = matches!(url.scheme(), "http" | "https") && plain;
        if fits { Ok(Self(url)) } else { Err(InvalidHomeserverUrl) }
    }
}

/// A homeserver through which Matrix media is fetched, with the token of a user there.
#[derive(Clone, Debug)]
pub struct Homeserver {
    url: Url,
    /// Marked as sensitive, so that it is never shown.
    authorization: HeaderValue,
}

/// The access token cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an access token is one word of visible ASCII characters")]
pub struct InvalidToken;

impl Homeserver {
    /// A homeserver, and an access token for it.
    ///
    /// # Errors
    /// When the token is empty, or has characters that no token has.
    pub fn new(url: HomeserverUrl, token: &str) -> Result<Self, InvalidToken> {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidToken);
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| InvalidToken)?;
        authorization.set_sensitive(true);
        Ok(Self { url: url.0, authorization })
    }

    /// Where it has what an `mxc` URL names.
    fn url_of(&self, mxc: &str) -> Result<Url, FetchError> {
        let invalid = || FetchError::InvalidUrl("media of Matrix takes the form mxc://server/id".into());
        let (server, id) = server_and_id(mxc).ok_or_else(invalid)?;
        let mut url = self.url.clone();
        let segments = ["_matrix", "client", "v1", "media", "download", server, id];
        url.path_segments_mut().map_err(|()| invalid())?.pop_if_empty().extend(segments);
        Ok(url)
    }

    /// What an answer of its means that concerns the token rather than the media.
    fn objection(&self, status: StatusCode) -> Option<FetchError> {
        let host = self.url.host_str().unwrap_or_default();
        let what = match status {
            StatusCode::UNAUTHORIZED => "does not accept the access token that is configured for it",
            StatusCode::FORBIDDEN => "does not give this media to the user whose access token is configured for it",
            _ => return None,
        };
        Some(FetchError::Other(format!("the homeserver {host} {what} (it answered {})", status.as_u16())))
    }
}

/// What makes requests to a homeserver, over connections of its own: they alone may lead to wherever it is.
pub(super) struct Matrix {
    homeserver: Homeserver,
    rules: AccessRules,
    transport: Transport,
}

impl Matrix {
    pub(super) fn new(homeserver: Homeserver, options: &HttpOptions, tls: ClientConfig) -> Result<Self, HttpSetupError> {
        let rules = rules(&homeserver, &options.access);
        let transport = Transport::new(&HttpOptions { access: rules.clone(), ..options.clone() }, tls)?;
        Ok(Self { homeserver, rules, transport })
    }

    /// The request for what an `mxc` URL names, with the token.
    pub(super) fn request(&self, mxc: &str) -> Result<Ask, FetchError> {
        let target = Target::parse(self.homeserver.url_of(mxc)?.as_str(), &self.rules)?;
        Ok(Ask { target, bearer: Some(self.homeserver.authorization.clone()) })
    }

    /// Makes such a request, and waits for the headers of the answer.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Response<Incoming>, FetchError> {
        let response = self.transport.ask(ask).await?;
        match self.homeserver.objection(response.status()) {
            Some(objection) => Err(objection),
            None => Ok(response),
        }
    }
}

/// The rules for requests to a homeserver, and for no others: an operator's own server may be at a private address and at any port,
/// whoever else may be fetched from. What is denied stays so.
fn rules(homeserver: &Homeserver, rules: &AccessRules) -> AccessRules {
    AccessRules {
        allow_addresses: vec![IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())],
        deny_addresses: rules.deny_addresses.clone(),
        allow_hosts: Vec::new(),
        deny_hosts: rules.deny_hosts.clone(),
        allow_ports: homeserver.url.port_or_known_default().into_iter().collect(),
        deny_ports: rules.deny_ports.clone(),
    }
}

/// Whether a URL is one of Matrix media, well-formed or not.
pub(super) fn is_mxc(url: &str) -> bool {
    url.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

/// The two parts of an `mxc` URL, if they can be such. A query and a fragment mean nothing, as they do for keys.
fn server_and_id(mxc: &str) -> Option<(&str, &str)> {
    let rest = mxc.get(SCHEME.len()..)?;
    let (server, id) = rest.split(['?', '#']).next()?.split_once('/')?;
    (is_server_name(server) && is_media_id(id)).then_some((server, id))
}

/// Whether it is a name by the grammar of the specification's appendices: a host, and perhaps a port.
fn is_server_name(name: &str) -> bool {
    let (host, port) = match name.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (name, None),
    };
    let port_fits = port.is_none_or(|port| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()));
    let host_fits = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) && has_substance(host),
    };
    port_fits && host_fits && name.len() <= LONGEST_NAME
}

/// Whether it can be the name of media. The specification has letters, digits, `-` and `_`; some servers have more of what needs no
/// encoding in a path.
fn is_media_id(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+' | b'=');
    id.bytes().all(fits) && has_substance(id) && id.len() <= LONGEST_NAME
}

/// Whether it is more than dots, which would climb in a path.
fn has_substance(segment: &str) -> bool {
    segment.bytes().any(|byte| byte != b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn homeserver(url: &str) -> Homeserver {
        Homeserver::new(url.parse().unwrap(), "secret").unwrap()
    }

    #[test]
    fn media_is_where_the_specification_has_it_below_the_homeserver() {
        let table = [
            ("https://matrix.org", "mxc://example.org/aBc", "https://matrix.org/_matrix/client/v1/media/download/example.org/aBc"),
            ("http://m:8008/", "MXC://a.b:8448/x-_~", "http://m:8008/_matrix/client/v1/media/download/a.b:8448/x-_~"),
            ("https://m.org/hs/", "mxc://[::1]:1/a?b#c", "https://m.org/hs/_matrix/client/v1/media/download/[::1]:1/a"),
            ("https://m.org/hs", "mxc://1.2.3.4/..a#auto", "https://m.org/hs/_matrix/client/v1/media/download/1.2.3.4/..a"),
        ];
        for (server, mxc, expected) in table {
            assert_eq!(homeserver(server).url_of(mxc).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn what_is_no_name_of_media_is_asked_of_nobody() {
        let long = format!("mxc://example.org/{}", "x".repeat(256));
        let wrong = [
            "mxc://",
            "mxc:///id",
            "mxc://server",
            "mxc://server/",
            "mxc://server/a/b",
            "mxc://server/..",
            "mxc://../id",
            "mxc://./id",
            "mxc://server/.",
            "mxc://server/%2e%2e",
            "mxc://server/a%2fb",
            "mxc://server/a\\b",
            "mxc://user@server/id",
            "mxc://a b/c",
            "mxc://server:/id",
            "mxc://server:123456/id",
            "mxc://server:x/id",
            "mxc://[::1/id",
            "mxc://[x]/id",
            "mxc://sérver/id",
            "mxc://server/é",
            "mxc://server/a\nb",
            "mxc://?/id",
            &long,
        ];
        for mxc in wrong {
            assert!(is_mxc(mxc));
            assert!(matches!(homeserver("https://matrix.org").url_of(mxc), Err(FetchError::InvalidUrl(_))), "{mxc}");
        }
    }

    #[test]
    fn a_homeserver_is_a_plain_url_and_its_token_is_never_shown() {
        for url in
            ["matrix.org", "ftp://matrix.org", "https://user@matrix.org", "https://:p@m.org", "https://m.org?a", "https://m.org#a"]
        {
            assert_eq!(url.parse::<HomeserverUrl>(), Err(InvalidHomeserverUrl), "{url}");
        }
        for token in ["", "two words", "line\n", "é"] {
            assert_eq!(Homeserver::new("https://m.org".parse().unwrap(), token).unwrap_err(), InvalidToken, "{token}");
        }
        assert!(!format!("{:?}", homeserver("https://m.org")).contains("secret"));
    }
}
