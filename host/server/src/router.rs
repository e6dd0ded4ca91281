//! The router of a service, and the layers around its handlers, outermost last: access, request rules, CORS, security headers,
//! observation.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{from_fn_with_state, map_response};

use crate::connections::Routes;
use crate::hit_lane::HitLane;
use crate::problem::Problem;
use crate::routes::{MEDIA, ROUTES};
use crate::service::Service;
use crate::shared_access::{self, SharedAccess};
use crate::{observe, request_rules, security_headers};

impl Service {
    /// The routes of a listener, restricted to what `access` allows. A service with several listeners has routes for each.
    pub fn routes(self, access: impl Into<SharedAccess>) -> Routes {
        let access = access.into();
        let in_place = Arc::new(HitLane::new(self.clone(), access.clone()));
        Routes { router: self.router(access), in_place: Some(in_place) }
    }

    /// The router without the hit lane. It answers all requests, but hits in memory are more expensive.
    pub fn router(self, access: impl Into<SharedAccess>) -> Router {
        let access = access.into();
        let group = |is_media: bool| {
            let routes = ROUTES.iter().filter(|route| (route.path == MEDIA) == is_media);
            let router = routes.fold(Router::new(), |router, route| router.route(route.path, (route.handlers)()));
            router.route_layer(from_fn_with_state(access.clone(), shared_access::check)).method_not_allowed_fallback(no_such_method)
        };
        let rules = from_fn_with_state(self.pseudonym().cloned(), request_rules::check);
        let media = group(true).layer(rules.clone()).layer(access.cors());
        let observed = from_fn_with_state(self.clone(), observe::observe);
        let routes = media.merge(group(false).fallback(no_such_path).layer(rules));
        routes.layer(map_response(security_headers::add)).layer(observed).with_state(self)
    }
}

async fn no_such_path(uri: Uri) -> Problem {
    let paths: Vec<&str> = ROUTES.iter().map(|route| route.path).filter(|path| !path.starts_with("/dashboard/")).collect();
    let why = format!("there is no path {}; the paths are {}", uri.path(), paths.join(", "));
    Problem::new(StatusCode::NOT_FOUND, "no-such-path", why)
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", format!("{} does not support {method}", uri.path()))
}
