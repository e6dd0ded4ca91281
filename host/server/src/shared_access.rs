//! The current access control of a listener, which can be replaced while the listener is in use. Each request is checked against a single
//! version. A new version also applies to requests on connections that are already open.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::SystemTime;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use futures::future::{BoxFuture, Either};
use tower_http::cors::CorsLayer;
use tower_layer::{Layer, layer_fn};
use tower_service::Service;

use crate::access::Access;
use crate::caching;

/// The access control of a listener, which can be replaced. Clones share it.
#[derive(Clone, Debug)]
pub struct SharedAccess(Arc<RwLock<Arc<AccessVersion>>>);

/// One version of the access control of a listener.
#[derive(Debug)]
pub(crate) struct AccessVersion {
    pub access: Access,
    /// Unique among the versions of all listeners.
    pub number: u64,
    cors: Option<CorsLayer>,
}

impl From<Access> for AccessVersion {
    fn from(access: Access) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { cors: access.allow_origins.layer(), access, number: NEXT.fetch_add(1, Ordering::Relaxed) }
    }
}

impl AccessVersion {
    /// This origin, if responses to its pages have different headers from responses to requests without an origin.
    pub fn distinguished(&self, origin: &[u8]) -> Option<&HeaderValue> {
        self.access.allow_origins.distinguished(origin)
    }

    /// Adds the CORS headers to those of a response to a GET from a page with this origin. `None` if CORS requires a separate response.
    pub fn add_cors(&self, origin: Option<&HeaderValue>, headers: HeaderMap) -> Option<HeaderMap> {
        let Some(cors) = &self.cors else { return Some(headers) };
        let mut request = Request::new(Body::empty());
        request.headers_mut().extend(origin.map(|origin| (header::ORIGIN, origin.clone())));
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = headers;
        let response = cors.layer(Ready(Some(response))).call(request).now_or_never()?;
        response.ok().map(|response| response.into_parts().0.headers)
    }
}

/// A service that returns one prepared response.
struct Ready(Option<Response>);

impl Service<Request> for Ready {
    type Response = Response;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request) -> Self::Future {
        std::future::ready(Ok(self.0.take().unwrap_or_default()))
    }
}

impl From<Access> for SharedAccess {
    fn from(access: Access) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(access.into()))))
    }
}

impl SharedAccess {
    /// Uses `access` for all requests from now on.
    pub fn replace(&self, access: Access) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access.into());
    }

    /// The current access control.
    pub(crate) fn current(&self) -> Arc<AccessVersion> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The layer that answers preflights and adds the CORS headers, as long as there are allowed origins.
    pub(crate) fn cors<S>(&self) -> impl Layer<S, Service = CurrentCors<S>> + Clone + use<S> {
        let access = self.clone();
        layer_fn(move |inner| CurrentCors { inner, access: access.clone() })
    }
}

/// Passes a request on, or refuses it.
pub(crate) async fn check(State(access): State<SharedAccess>, request: Request, next: Next) -> Response {
    let current = access.current();
    match current.access.authorize(request.method(), request.uri(), request.headers(), SystemTime::now()) {
        Ok(restriction) => {
            let mut response = next.run(request).await;
            caching::restrict(response.headers_mut(), restriction);
            response
        }
        Err(problem) => problem.into_response(),
    }
}

/// A service with the CORS layer of the current access control, if it has one.
#[derive(Clone)]
pub(crate) struct CurrentCors<S> {
    inner: S,
    access: SharedAccess,
}

impl<S> Service<Request> for CurrentCors<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<S::Future, BoxFuture<'static, Result<Response, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match &self.access.current().cors {
            None => Either::Left(self.inner.call(request)),
            Some(cors) => {
                // Use the service that is ready, and leave the clone in its place.
                let clone = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, clone);
                Either::Right(Box::pin(cors.layer(ready).call(request)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use tokio::sync::watch;

    use super::*;
    use crate::admin_tokens::AdminTokens;
    use crate::cors::{AllowedOrigin, AllowedOrigins};
    use crate::service::{self, Extras};

    #[tokio::test]
    async fn requests_are_authorized_by_the_most_recent_access_control() {
        let access = SharedAccess::from(Access::default());
        let service = service::Service::new(watch::channel(None).1, 1000, Extras::default());
        let mut router = service.router(access.clone());
        let mut send = async |method: &str| {
            let request = Request::builder().method(method).uri("/media?url=https%3A%2F%2Fexample.com%2F");
            let request = request
                .header("host", "127.0.0.1:8080")
                .header("authorization", "Bearer 0123456789abcdef")
                .header("origin", "https://example.org");
            let response = router.call(request.body(Body::empty()).unwrap()).await.unwrap();
            (response.status(), response.headers().contains_key("access-control-allow-origin"))
        };
        assert_eq!(send("DELETE").await, (StatusCode::FORBIDDEN, false));
        let admin_tokens = AdminTokens::new(["0123456789abcdef"]).unwrap();
        let allow_origins = AllowedOrigins(vec![AllowedOrigin::Any]);
        access.replace(Access { admin_tokens, allow_origins, ..Access::default() });
        // The request is passed on to a cache that is never loaded.
        assert_eq!(send("DELETE").await, (StatusCode::SERVICE_UNAVAILABLE, true));
        access.replace(Access::default());
        assert_eq!(send("DELETE").await, (StatusCode::FORBIDDEN, false));
    }
}
