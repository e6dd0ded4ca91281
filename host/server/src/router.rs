//! The router of a service, and the layers around its handlers, outermost last: access, request rules, CORS, security headers,
//! observation.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use tower_service::Service as _;

use crate::connections::Routes;
use crate::hit_lane::HitLane;
use crate::problem::Problem;
use crate::routes::{self, MEDIA, OTHER_MEDIA, ROUTES, is_media};
use crate::service::Service;
use crate::shared_access::{self, SharedAccess};
use crate::{observe, request_rules, security_headers};

impl Service {
    /// The routes of a listener, restricted to what `access` allows. A service with several listeners has routes for each.
    pub fn routes(self, access: impl Into<SharedAccess>) -> Routes {
        let access = access.into();
        let in_place = Arc::new(HitLane::new(self.clone(), access.clone()));
        Routes { router: self.router(access), in_place: Some(in_place), tls: None }
    }

    /// The router without the hit lane. It answers all requests, but hits in memory are more expensive.
    pub fn router(self, access: impl Into<SharedAccess>) -> Router {
        let access = access.into();
        let group = |router: Router<Self>, is_media: bool| {
            let routes = ROUTES.iter().filter(|route| (route.path == MEDIA) == is_media);
            let router = routes.fold(router, |router, route| router.route(route.path, (route.handlers)()));
            router.route_layer(from_fn_with_state(access.clone(), shared_access::check)).method_not_allowed_fallback(no_such_method)
        };
        let rules = from_fn_with_state(self.pseudonym().cloned(), request_rules::check);
        let other_media = Router::new().route("/{*path}", (OTHER_MEDIA.handlers)());
        let media = group(other_media, true).layer(rules.clone()).layer(access.cors()).with_state(self.clone());
        let observed = from_fn_with_state(self.clone(), observe::observe);
        let others = group(Router::new(), false).fallback(no_such_path).layer(rules);
        let routes = others.layer(from_fn_with_state(media, media_first));
        routes.layer(map_response(security_headers::add)).layer(observed).with_state(self)
    }
}

/// Sends requests for media to the router for them. Its routes match any path, since patterns cannot describe those of media.
async fn media_first(State(mut media): State<Router>, request: Request, next: Next) -> Response {
    if !is_media(request.uri().path()) {
        return next.run(request).await;
    }
    let is_head = request.method() == Method::HEAD;
    // A router is always ready.
    let response = media.call(request).await.into_response();
    if is_head { response.map(|_| without_length()) } else { response }
}

/// An empty body whose length is not known in advance. Each router drops the body of a response to HEAD, and the next one would take the
/// length of that body for the length of the media.
fn without_length() -> Body {
    Body::from_stream(futures::stream::empty::<Result<Bytes, Infallible>>())
}

async fn no_such_path(uri: Uri) -> Problem {
    routes::no_such_path(&uri)
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", format!("{} does not support {method}", uri.path()))
}
