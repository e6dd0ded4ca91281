//! Who may ask what.
//!
//! What a request needs follows from its method and its path. What is not named here is administration, so that a route that somebody
//! adds is closed until they say otherwise.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::browser::refuse_pages;
use super::media::Parameters;
use super::problem::Problem;
use super::respond::{CACHE_CONTROL, MAX_AGE};
use super::signature::SigningKeys;
use super::tokens::{AdminTokens, Presented};

/// What those may do who reach a listener. Unless it says otherwise: get media, and ask whether the service is well.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Requests for media have to be signed with one of these; where there are none, anybody may ask for anything.
    pub signing_keys: SigningKeys,
    /// A request with one of these has administration rights, and needs no signature.
    pub admin_tokens: AdminTokens,
    /// Who can connect.
    pub listener: Listener,
}

/// Who can connect to a listener, and what follows from that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listener {
    /// Anybody. Nothing follows.
    #[default]
    Public,
    /// Programs on this machine, and whoever reaches one of them that passes requests on: counters may be read. That gives nobody
    /// rights, since a proxy on this machine makes a listener on loopback one for the world.
    Loopback,
    /// Operators: where there are no tokens, whoever can connect has administration rights. Web pages that an operator looks at have
    /// not.
    Administration,
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// To be on this machine, or to be an administrator.
    Nearness,
    /// A signature, where there are keys, or to be an administrator.
    Signature,
    Administration,
}

impl Needs {
    fn of(method: &Method, path: &str) -> Self {
        match path {
            _ if !matches!(*method, Method::GET | Method::HEAD) => Self::Administration,
            "/healthz" | "/readyz" => Self::Nothing,
            "/stats" | "/metrics" => Self::Nearness,
            "/media" => Self::Signature,
            _ => Self::Administration,
        }
    }
}

/// Lets a request through, or answers it.
pub(super) async fn check(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    match access.admit(request.method(), request.uri(), request.headers(), SystemTime::now()) {
        Ok(caching) => restrict(next.run(request).await, caching),
        Err(problem) => problem.into_response(),
    }
}

impl Access {
    /// Whether a request may be answered, and what caches between here and the client may do with the answer, where that is less
    /// than usual.
    fn admit(&self, method: &Method, uri: &Uri, headers: &HeaderMap, now: SystemTime) -> Result<Option<HeaderValue>, Problem> {
        let needs = Needs::of(method, uri.path());
        if needs == Needs::Nothing {
            return Ok(None);
        }
        let refusal = match self.administration(uri, headers)? {
            Ok(()) => return Ok((!self.signing_keys.is_empty()).then_some(PRIVATE)),
            Err(refusal) => refusal,
        };
        match needs {
            Needs::Nearness if self.listener == Listener::Loopback => Ok(None),
            Needs::Signature if self.signing_keys.is_empty() => Ok(None),
            Needs::Signature => {
                let Parameters { url, signature, .. } = Parameters::to_get(uri)?;
                self.signing_keys.verify(&url, signature.as_ref(), now)?;
                let lifetime = signature.and_then(|signature| signature.lifetime(now));
                Ok(lifetime.and_then(|lifetime| caching_for(lifetime.as_secs())))
            }
            _ => Err(refusal),
        }
    }

    /// Whether a request has administration rights: inside why not, outside why it is not to be answered in any case.
    fn administration(&self, uri: &Uri, headers: &HeaderMap) -> Result<Result<(), Problem>, Problem> {
        if self.admin_tokens.is_empty() {
            return match self.listener {
                Listener::Administration => refuse_pages(uri, headers).map(Ok),
                _ => Ok(Err(Problem::new(StatusCode::FORBIDDEN, "administration-off", OFF))),
            };
        }
        let refused = |code, why, challenge| Problem::new(StatusCode::UNAUTHORIZED, code, why).challenge(challenge);
        Ok(match self.admin_tokens.presented(headers) {
            Presented::Right => Ok(()),
            Presented::Wrong => {
                let why = "this is administration, and the token is none of those that the service was started with";
                Err(refused("wrong-token", why, "Bearer realm=\"media-cache\", error=\"invalid_token\""))
            }
            Presented::Nothing => {
                let why = "this is administration, and needs a token of the service: Authorization: Bearer …";
                Err(refused("no-token", why, "Bearer realm=\"media-cache\""))
            }
        })
    }
}

const OFF: &str = "this is administration, which is not to be had here: start the service with --admin-token-file FILE and send a \
                   token from it, or with --admin-listen ADDRESS and ask there";

/// For media that was had by rights other than those of its URL: what a shared cache kept of it would be for everybody.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-store");

/// What is good for a shorter time than usual; nothing if it is not shorter.
fn caching_for(seconds: u64) -> Option<HeaderValue> {
    (seconds < MAX_AGE).then(|| HeaderValue::from_str(&format!("public, max-age={seconds}")).ok()).flatten()
}

/// Changes what may be done with media, and with nothing else.
fn restrict(mut response: Response, caching: Option<HeaderValue>) -> Response {
    if let Some(caching) = caching.filter(|_| response.headers().get(header::CACHE_CONTROL) == Some(&CACHE_CONTROL)) {
        response.headers_mut().insert(header::CACHE_CONTROL, caching);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use tokio::sync::watch;
    use tower_service::Service as _;

    use super::*;
    use crate::service::{Extras, Service, routes};

    const KEY: &str = "correct horse battery staple";
    const TOKEN: &str = "0123456789abcdef";
    const URL: &str = "https://example.com/a.png";
    const NOW: u64 = 1_900_000_000;

    const METHODS: [Method; 8] =
        [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE, Method::PATCH, Method::OPTIONS, Method::TRACE];

    /// Asks a service whose cache is never loaded: whatever is let through says so.
    async fn ask(access: &Access, method: &Method, uri: &str, authorization: Option<&str>) -> StatusCode {
        let service = Service::new(watch::channel(None).1, 1000, Extras::default());
        let mut request = Request::builder().method(method).uri(uri).header("host", "127.0.0.1:8081");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let body = if uri.starts_with("/media") { "media" } else { "" };
        service.router(access.clone()).call(request.body(Body::from(body)).unwrap()).await.unwrap().status()
    }

    /// Every route by every method, for who has nothing, a signature, a wrong token, the right one, and at the listener of
    /// administration: with keys and a token, with neither, and on loopback.
    #[tokio::test]
    async fn what_may_be_asked_is_what_the_table_says_and_all_else_is_administration() {
        let keys = || SigningKeys::new([KEY]).unwrap();
        let tokens = || AdminTokens::new([TOKEN]).unwrap();
        let access = |signing_keys, admin_tokens, listener| Access { signing_keys, admin_tokens, listener };
        let (guarded, public) = (access(keys(), tokens(), Listener::Public), Access::default());
        let near = access(keys(), tokens(), Listener::Loopback);
        let trusting = access(keys(), AdminTokens::default(), Listener::Administration);
        let asking = access(keys(), tokens(), Listener::Administration);
        let signed = keys().sign(URL, None).unwrap();
        let bearer = format!("Bearer {TOKEN}");
        // For who has nothing, in order: where there are keys and tokens, where there is nothing, on loopback with both.
        let open = |method: &Method, path: &str| match (method.as_str(), path) {
            ("GET" | "HEAD", "/healthz" | "/readyz") => [true; 3],
            ("GET" | "HEAD", "/stats" | "/metrics") => [false, false, true],
            ("GET" | "HEAD", "/media") => [false, true, false],
            _ => [false; 3],
        };
        for (path, _) in routes() {
            for method in METHODS {
                let uri = if path == "/media" { "/media?url=https%3A%2F%2Fexample.com%2Fa.png" } else { path };
                let ask = async |access: &Access, uri: &str, token: Option<&str>| ask(access, &method, uri, token).await.as_u16();
                if ask(&guarded, uri, Some(&bearer)).await == 405 {
                    assert_eq!(ask(&guarded, uri, None).await, 405, "{method} {path} is there for nobody");
                    continue;
                }
                let case = format!("{method} {path}");
                let let_in =
                    |status: u16| [200, 503].contains(&status) || (status == 400 && path == "/policy" && method == Method::PUT);
                let [with_both, with_nothing, on_loopback] = open(&method, path);
                let refused = |status: u16| {
                    status == 401 || (status == 403 && path == "/media" && matches!(method, Method::GET | Method::HEAD))
                };
                for (access, expected) in [(&guarded, with_both), (&near, on_loopback), (&asking, with_both)] {
                    for token in [None, Some("Bearer fedcba9876543210"), Some("Basic OjAxMjM0NTY3ODlhYmNkZWY=")] {
                        let status = ask(access, uri, token).await;
                        assert!(if expected { let_in(status) } else { refused(status) }, "{case}, {access:?}, {token:?}: {status}");
                    }
                    let status = ask(access, uri, Some(&bearer)).await;
                    assert!(let_in(status), "{case}, {access:?}, with the token: {status}");
                }
                for token in [None, Some(bearer.as_str())] {
                    let status = ask(&public, uri, token).await;
                    assert!(if with_nothing { let_in(status) } else { status == 403 }, "{case}, with nothing configured: {status}");
                }
                let status = ask(&trusting, uri, None).await;
                assert!(let_in(status), "{case}, for an operator: {status}");
                // A signature is for getting media, and for nothing else.
                let with_signature = format!("{path}{}", &signed["/media".len()..]);
                let status = ask(&guarded, &with_signature, None).await;
                let is_enough = path == "/media" && matches!(method, Method::GET | Method::HEAD);
                assert_eq!(let_in(status), with_both || is_enough, "{case}, signed: {status}");
            }
        }
    }

    #[test]
    fn what_nobody_has_thought_of_is_administration() {
        for path in ["/new", "/media/", "//media", "/media/x", "/stats/", "/%73tats", "/healthz/x", "/"] {
            assert_eq!(Needs::of(&Method::GET, path), Needs::Administration, "{path}");
        }
        for method in METHODS.iter().skip(2) {
            for path in ["/media", "/stats", "/healthz"] {
                assert_eq!(Needs::of(method, path), Needs::Administration, "{method} {path}");
            }
        }
    }

    #[test]
    fn nobody_keeps_media_for_longer_or_for_others_than_was_signed_for() {
        let keys = SigningKeys::new([KEY]).unwrap();
        let access =
            Access { signing_keys: keys.clone(), admin_tokens: AdminTokens::new([TOKEN]).unwrap(), listener: Listener::Public };
        let caching = |expires: Option<u64>, token: bool| {
            let mut headers = HeaderMap::new();
            if token {
                headers.insert(header::AUTHORIZATION, format!("Bearer {TOKEN}").parse().unwrap());
            }
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
            let uri = keys.sign(URL, expires).unwrap().parse().unwrap();
            let admitted = access.admit(&Method::GET, &uri, &headers, now).map_err(|problem| format!("{problem:?}"))?;
            let mut response = Response::new(Body::empty());
            response.headers_mut().insert(header::CACHE_CONTROL, CACHE_CONTROL);
            Ok::<_, String>(restrict(response, admitted).headers()[header::CACHE_CONTROL].to_str().unwrap().to_owned())
        };
        assert_eq!(caching(None, false).unwrap(), CACHE_CONTROL);
        assert_eq!(caching(Some(NOW + MAX_AGE), false).unwrap(), CACHE_CONTROL);
        assert_eq!(caching(Some(NOW + 60), false).unwrap(), "public, max-age=60");
        assert!(caching(Some(NOW), false).unwrap_err().contains("expired"));
        assert_eq!(caching(Some(NOW), true).unwrap(), "private, no-store");
    }
}
