//! Access control: which requests a listener answers.
//!
//! The method and path of a request determine the rights that it requires. For GET and HEAD, these are in the table in `crate::routes`.
//! Every other request requires administration rights.

use std::time::SystemTime;

use axum::http::{HeaderMap, Method, StatusCode, Uri};

use crate::admin_tokens::{AdminTokens, Credentials};
use crate::caching::Restriction;
use crate::cors::AllowedOrigins;
use crate::csrf;
use crate::problem::Problem;
use crate::routes::{self, Requirement};
use media_cache_requests::{Authorization, CamoKeys, MediaTarget, SigningKeys};

/// The rights of the clients of a listener. By default, they may get media and query the health of the service.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Requests for media must be signed with one of these keys. Without keys of either kind, any client may request any URL.
    pub signing_keys: SigningKeys,
    /// The keys of links made for camo, which are then also accepted. With such keys, too, requests for media must be signed.
    pub camo_keys: CamoKeys,
    /// A request with one of these tokens has administration rights, and needs no signature.
    pub admin_tokens: AdminTokens,
    /// The origins of the web pages whose scripts may read media.
    pub allow_origins: AllowedOrigins,
    /// Who can connect.
    pub listener: Listener,
    /// The URL of the admin listener, if there is one. It is disclosed only to clients on loopback.
    pub administration: Option<String>,
}

/// Who can connect to a listener, and which rights that implies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listener {
    /// Anyone, without additional rights.
    #[default]
    Public,
    /// Programs on this machine, which may read counters. They have no administration rights, because a proxy on this machine may expose
    /// the listener to the world.
    Loopback,
    /// Operators. If there are no tokens, every request has administration rights unless it comes from a web page in an operator's
    /// browser.
    Administration,
}

/// Looks up the requirement for a request. Paths that are not in the route table require administration rights.
fn requirement(method: &Method, path: &str) -> Requirement {
    match routes::find(path) {
        Some(route) if matches!(*method, Method::GET | Method::HEAD) => route.to_read,
        _ => Requirement::Administration,
    }
}

impl Access {
    /// Decides whether a request is allowed, and whether the time for which clients may cache its media is restricted.
    pub(crate) fn authorize(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Result<Option<Restriction>, Problem> {
        if self.camo_keys.is_empty() && MediaTarget::is_camo(uri.path()) {
            return Err(routes::no_such_path(uri));
        }
        let requirement = requirement(method, uri.path());
        let is_open = match requirement {
            Requirement::Nothing => true,
            // The page asks for the token.
            Requirement::Dashboard => !self.admin_tokens.is_empty(),
            _ => false,
        };
        if is_open {
            return Ok(None);
        }
        let refusal = match self.check_administration(uri, headers)? {
            Ok(()) => return Ok(self.requires_signatures().then_some(Restriction::Administration)),
            Err(refusal) => refusal,
        };
        match requirement {
            Requirement::Loopback if self.listener == Listener::Loopback => Ok(None),
            Requirement::Signature => {
                let target = MediaTarget::parse(uri.path(), uri.query().unwrap_or_default())?;
                self.authorize_media(&target, now)
            }
            _ => Err(refusal),
        }
    }

    /// Makes the same decision for a media request without a token.
    pub(crate) fn authorize_media(&self, target: &MediaTarget<'_>, now: SystemTime) -> Result<Option<Restriction>, Problem> {
        if let Authorization::Camo(signature) = &target.authorization {
            return Ok(self.camo_keys.verify(&target.url, signature).map(|()| None)?);
        }
        if !self.requires_signatures() {
            return Ok(None);
        }
        let signature = target.authorization.signature();
        self.signing_keys.verify(&target.url, signature, now)?;
        let lifetime = signature.and_then(|signature| signature.lifetime(now));
        Ok(lifetime.map(|lifetime| Restriction::Expires(lifetime.as_secs())))
    }

    fn requires_signatures(&self) -> bool {
        !self.signing_keys.is_empty() || !self.camo_keys.is_empty()
    }

    /// The problem for an admin request to a listener without administration. It says where to send the request, or how to enable
    /// administration.
    fn administration_off(&self) -> Problem {
        let why = match (&self.administration, self.listener) {
            (Some(url), Listener::Loopback) => format!("send administration requests to {url}"),
            (Some(_), _) => "send administration requests to the address of --admin-listen".into(),
            (None, _) => "administration is off: start the service with --admin-token-file FILE or --admin-listen ADDRESS".into(),
        };
        Problem::new(StatusCode::FORBIDDEN, "administration-off", why)
    }

    /// Checks administration rights. The inner error says why the request has none. With the outer error, the request is refused even if it
    /// needs no such rights.
    fn check_administration(&self, uri: &Uri, headers: &HeaderMap) -> Result<Result<(), Problem>, Problem> {
        if self.admin_tokens.is_empty() {
            return match self.listener {
                Listener::Administration => csrf::check(uri, headers).map(Ok),
                _ => Ok(Err(self.administration_off())),
            };
        }
        let refused = |code, why, challenge| Problem::new(StatusCode::UNAUTHORIZED, code, why).with_challenge(challenge);
        Ok(match self.admin_tokens.check(headers) {
            Credentials::Valid => Ok(()),
            Credentials::Invalid => {
                let why = "administration requires a token, and the token in this request is not valid";
                Err(refused("wrong-token", why, "Bearer realm=\"media-cache\", error=\"invalid_token\""))
            }
            Credentials::Missing => {
                let why = "administration requires a token: send Authorization: Bearer …";
                Err(refused("no-token", why, "Bearer realm=\"media-cache\""))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::extract::Request;
    use tokio::sync::watch;
    use tower_service::Service as _;

    use super::*;
    use crate::routes::ROUTES;
    use crate::service::{Extras, Service};

    const KEY: &str = "correct horse battery staple";
    const TOKEN: &str = "0123456789abcdef";
    const URL: &str = "https://example.com/a.png";
    const NOW: u64 = 1_900_000_000;

    const METHODS: [Method; 8] =
        [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE, Method::PATCH, Method::OPTIONS, Method::TRACE];

    /// Sends a request to a service whose cache is never loaded, so requests that are passed on fail with 503.
    async fn send(access: &Access, method: &Method, uri: &str, authorization: Option<&str>) -> StatusCode {
        let service = Service::new(watch::channel(None).1, 1000, Extras::default());
        let mut request = Request::builder().method(method).uri(uri).header("host", "127.0.0.1:8081");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let body = if uri.starts_with("/media") { "media" } else { "" };
        service.router(access.clone()).call(request.body(Body::from(body)).unwrap()).await.unwrap().status()
    }

    /// Tries every route and method without credentials, with a signature, and with an invalid and a valid token, on listeners with keys
    /// and tokens, with neither, on loopback, and for administration.
    #[tokio::test]
    async fn each_route_and_method_requires_the_listed_credentials() {
        let keys = || SigningKeys::new([KEY]).unwrap();
        let tokens = || AdminTokens::new([TOKEN]).unwrap();
        let access = |signing_keys, admin_tokens, listener| Access { signing_keys, admin_tokens, listener, ..Access::default() };
        let (protected, public) = (access(keys(), tokens(), Listener::Public), Access::default());
        let loopback = access(keys(), tokens(), Listener::Loopback);
        let admin_without_tokens = access(keys(), AdminTokens::default(), Listener::Administration);
        let admin_with_tokens = access(keys(), tokens(), Listener::Administration);
        let signed = keys().sign(URL, None).unwrap();
        let bearer = format!("Bearer {TOKEN}");
        // Whether a request without credentials is allowed by a listener with keys and tokens, by one with neither, and by one on
        // loopback with both.
        let open = |method: &Method, path: &str| match (method.as_str(), path) {
            ("GET" | "HEAD", "/healthz" | "/readyz") => [true; 3],
            ("GET" | "HEAD", "/stats" | "/metrics") => [false, false, true],
            ("GET" | "HEAD", "/media") => [false, true, false],
            ("GET" | "HEAD", path) if routes::is_page_file(path) => [true, false, true],
            _ => [false; 3],
        };
        for path in ROUTES.iter().map(|route| route.path) {
            for method in METHODS {
                let uri = match path {
                    "/media" => "/media?url=https%3A%2F%2Fexample.com%2Fa.png",
                    "/refresh" => "/refresh?url=https%3A%2F%2Fexample.com%2Fa.png",
                    "/entries" if method == Method::DELETE => "/entries?all=true",
                    _ => path,
                };
                let send = async |access: &Access, uri: &str, token: Option<&str>| send(access, &method, uri, token).await.as_u16();
                if send(&protected, uri, Some(&bearer)).await == 405 {
                    assert_eq!(send(&protected, uri, None).await, 405, "{method} {path} is 405 without a token, too");
                    continue;
                }
                let case = format!("{method} {path}");
                let is_passed_on = |status: u16| {
                    [200, 503].contains(&status)
                        || (status == 404 && ["/shadows", "/dashboard/curves.svg"].contains(&path))
                        || (status == 400 && ["/policy", "/component"].contains(&path) && method == Method::PUT)
                };
                let [with_both, with_nothing, on_loopback] = open(&method, path);
                let refused = |status: u16| {
                    status == 401 || (status == 403 && path == "/media" && matches!(method, Method::GET | Method::HEAD))
                };
                for (access, expected) in [(&protected, with_both), (&loopback, on_loopback), (&admin_with_tokens, with_both)] {
                    for token in [None, Some("Bearer fedcba9876543210"), Some("Basic OjAxMjM0NTY3ODlhYmNkZWY=")] {
                        let status = send(access, uri, token).await;
                        assert!(
                            if expected { is_passed_on(status) } else { refused(status) },
                            "{case}, {access:?}, {token:?}: {status}"
                        );
                    }
                    let status = send(access, uri, Some(&bearer)).await;
                    assert!(is_passed_on(status), "{case}, {access:?}, with the token: {status}");
                }
                for token in [None, Some(bearer.as_str())] {
                    let status = send(&public, uri, token).await;
                    assert!(
                        if with_nothing { is_passed_on(status) } else { status == 403 },
                        "{case}, with nothing configured: {status}"
                    );
                }
                let status = send(&admin_without_tokens, uri, None).await;
                assert!(is_passed_on(status), "{case}, for an operator: {status}");
                // A signature grants access to media, and to nothing else.
                let with_signature = format!("{path}{}", &signed["/media".len()..]);
                let status = send(&protected, &with_signature, None).await;
                let is_enough = path == "/media" && matches!(method, Method::GET | Method::HEAD);
                assert_eq!(is_passed_on(status), with_both || is_enough, "{case}, signed: {status}");
            }
        }
    }

    #[test]
    fn refusal_names_the_admin_address_only_to_clients_that_can_reach_it() {
        let refusal = |listener, url: Option<&str>| {
            let administration = url.map(Into::into);
            let access = Access { listener, administration, ..Access::default() };
            let uri = "/policy".parse().unwrap();
            format!("{:?}", access.authorize(&Method::GET, &uri, &HeaderMap::new(), SystemTime::UNIX_EPOCH).unwrap_err())
        };
        assert!(refusal(Listener::Loopback, Some("http://127.0.0.1:8081")).contains("requests to http://127.0.0.1:8081"));
        let public = refusal(Listener::Public, Some("https://10.1.2.3:8081"));
        assert!(public.contains("--admin-listen") && !public.contains("10.1.2.3"), "{public}");
        for listener in [Listener::Public, Listener::Loopback] {
            let off = refusal(listener, None);
            assert!(off.contains("--admin-token-file FILE") && off.contains("--admin-listen ADDRESS"), "{off}");
        }
    }

    #[test]
    fn unknown_paths_and_methods_require_administration() {
        for path in ["/new", "/media/", "//media", "/media/x", "/stats/", "/%73tats", "/healthz/x", "/"] {
            assert_eq!(requirement(&Method::GET, path), Requirement::Administration, "{path}");
        }
        for method in METHODS.iter().skip(2) {
            for path in ["/media", "/stats", "/healthz"] {
                assert_eq!(requirement(method, path), Requirement::Administration, "{method} {path}");
            }
        }
    }

    /// The paths of media other than `/media`, with a signature, and with one that is wrong.
    #[tokio::test]
    async fn signature_in_a_path_authorizes_only_get_and_head() {
        let (keys, camo_keys) = (SigningKeys::new([KEY]).unwrap(), CamoKeys::new(["0x24FEEDFACEDEADBEEFCAFE"]).unwrap());
        let signed = keys.sign_with_digest(URL, &[1; 32], None).unwrap();
        let unsigned = format!("/media/unsigned/{}", signed.splitn(4, '/').nth(3).unwrap());
        // `hmac.new(key, url, "sha1").hexdigest()` in Python.
        let link = "/446a6176c06ed91866183f1c63f13e57b46b07d1?url=https%3A%2F%2Fexample.com%2Fa.png";
        let without_keys = Access::default();
        let with_tokens = Access { admin_tokens: AdminTokens::new([TOKEN]).unwrap(), ..Access::default() };
        let with_keys = Access { signing_keys: keys, ..with_tokens.clone() };
        let with_camo = Access { camo_keys, ..with_tokens.clone() };
        let bearer = format!("Bearer {TOKEN}");
        for (access, path, expected) in [
            (&without_keys, signed.as_str(), 503),
            (&without_keys, &unsigned, 503),
            (&without_keys, link, 404),
            (&with_tokens, link, 404),
            (&with_keys, &signed, 503),
            (&with_keys, &unsigned, 403),
            (&with_keys, &format!("{signed}x"), 403),
            (&with_keys, link, 404),
            (&with_camo, &signed, 403),
            (&with_camo, &unsigned, 403),
            (&with_camo, link, 503),
            (&with_camo, &format!("{link}x"), 403),
        ] {
            for method in [Method::GET, Method::HEAD] {
                assert_eq!(send(access, &method, path, None).await, expected, "{method} {path} {access:?}");
                if expected == 404 || access.admin_tokens.is_empty() {
                    continue;
                }
                assert_eq!(send(access, &method, path, Some(&bearer)).await, 503, "{method} {path} {access:?}, with the token");
            }
            for method in &METHODS[2..] {
                for token in [None, Some(bearer.as_str())] {
                    assert_eq!(send(access, method, path, token).await, 405, "{method} {path} {access:?} {token:?}");
                }
            }
        }
    }

    #[test]
    fn signatures_and_tokens_restrict_the_cache_lifetime() {
        let keys = SigningKeys::new([KEY]).unwrap();
        let access = Access { signing_keys: keys.clone(), admin_tokens: AdminTokens::new([TOKEN]).unwrap(), ..Access::default() };
        let restriction = |expires: Option<u64>, token: bool| {
            let mut headers = HeaderMap::new();
            if token {
                headers.insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
            }
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
            let uri = keys.sign(URL, expires).unwrap().parse().unwrap();
            access.authorize(&Method::GET, &uri, &headers, now).map_err(|problem| format!("{problem:?}"))
        };
        assert_eq!(restriction(None, false), Ok(None));
        assert_eq!(restriction(Some(NOW + 60), false), Ok(Some(Restriction::Expires(60))));
        assert!(restriction(Some(NOW), false).unwrap_err().contains("expired"));
        assert_eq!(restriction(Some(NOW), true), Ok(Some(Restriction::Administration)));
    }
}
