//! The Matrix homeserver through which media is fetched, and its download URLs for `mxc` URLs (Matrix specification 1.11, client-server
//! API, "Content repository").

use std::str::FromStr;

use http::StatusCode;
use http::header::HeaderValue;
use url::Url;

use crate::mxc::{INVALID_MXC, MxcUrl};
use media_cache_interfaces::FetchError;

/// The address of a homeserver: an http or https URL, which may have a path, but no credentials, query or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeserverUrl(Url);

/// The text is not a [`HomeserverUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a homeserver URL has the form https://matrix.example.org, without credentials or a query")]
pub struct InvalidHomeserverUrl;

impl FromStr for HomeserverUrl {
    type Err = InvalidHomeserverUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| InvalidHomeserverUrl)?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        let is_http = matches!(url.scheme(), "http" | "https");
        if is_http && is_plain { Ok(Self(url)) } else { Err(InvalidHomeserverUrl) }
    }
}

/// A homeserver through which Matrix media is fetched, with the access token of a user.
#[derive(Clone, Debug)]
pub struct Homeserver {
    url: Url,
    /// Marked as sensitive, so it is never displayed.
    authorization: HeaderValue,
}

/// The text is not an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an access token must be a single word of visible ASCII characters")]
pub struct InvalidToken;

impl Homeserver {
    /// Creates a homeserver with an access token for it.
    ///
    /// # Errors
    /// When the token is empty or contains characters that are not allowed in tokens.
    pub fn new(url: HomeserverUrl, token: &str) -> Result<Self, InvalidToken> {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidToken);
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| InvalidToken)?;
        authorization.set_sensitive(true);
        Ok(Self { url: url.0, authorization })
    }

    /// The `Authorization` header of requests to the homeserver.
    pub(crate) fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }

    /// The port of requests to the homeserver.
    pub(crate) fn port(&self) -> Option<u16> {
        self.url.port_or_known_default()
    }

    /// The URL at which the homeserver serves the media of an `mxc` URL.
    pub(crate) fn media_url(&self, mxc: &str) -> Result<Url, FetchError> {
        let invalid = || FetchError::InvalidUrl(INVALID_MXC.into());
        let MxcUrl { server_name, media_id } = MxcUrl::parse(mxc).ok_or_else(invalid)?;
        let mut url = self.url.clone();
        let segments = ["_matrix", "client", "v1", "media", "download", server_name, media_id];
        url.path_segments_mut().map_err(|()| invalid())?.pop_if_empty().extend(segments);
        Ok(url)
    }

    /// The error for a status that concerns the access token rather than the media.
    pub(crate) fn token_error(&self, status: StatusCode) -> Option<FetchError> {
        let host = self.url.host_str().unwrap_or_default();
        let problem = match status {
            StatusCode::UNAUTHORIZED => "does not accept the configured access token",
            StatusCode::FORBIDDEN => "denies this media to the user of the configured access token",
            _ => return None,
        };
        Some(FetchError::Other(format!("the homeserver {host} {problem} (status {})", status.as_u16())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn homeserver(url: &str) -> Homeserver {
        Homeserver::new(url.parse().unwrap(), "secret").unwrap()
    }

    #[test]
    fn media_url_is_the_homeserver_url_with_the_specified_path() {
        let table = [
            ("https://matrix.org", "mxc://example.org/aBc", "https://matrix.org/_matrix/client/v1/media/download/example.org/aBc"),
            ("http://m:8008/", "MXC://a.b:8448/x-_~", "http://m:8008/_matrix/client/v1/media/download/a.b:8448/x-_~"),
            ("https://m.org/hs/", "mxc://[::1]:1/a?b#c", "https://m.org/hs/_matrix/client/v1/media/download/[::1]:1/a"),
            ("https://m.org/hs", "mxc://1.2.3.4/..a#auto", "https://m.org/hs/_matrix/client/v1/media/download/1.2.3.4/..a"),
        ];
        for (server, mxc, expected) in table {
            assert_eq!(homeserver(server).media_url(mxc).unwrap().as_str(), expected);
        }
        assert!(matches!(homeserver("https://matrix.org").media_url("mxc://server/.."), Err(FetchError::InvalidUrl(_))));
    }

    #[test]
    fn homeserver_url_must_be_plain_and_its_token_is_never_shown() {
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
