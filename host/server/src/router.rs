//! The router of a service, and the layers around its handlers, outermost last: access, loops, security headers, observation.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{from_fn_with_state, map_response};

use crate::access::{self, Access};
use crate::problem::Problem;
use crate::routes::ROUTES;
use crate::service::Service;
use crate::{observe, security_headers, via};

impl Service {
    /// The routes, restricted to what `access` allows. A service with several listeners has a router for each.
    pub fn router(self, access: Access) -> Router {
        let routes = ROUTES.iter().fold(Router::new(), |router, route| router.route(route.path, (route.handlers)()));
        let routes = routes
            .route_layer(from_fn_with_state(Arc::new(access), access::check))
            .fallback(no_such_path)
            .method_not_allowed_fallback(no_such_method);
        let routes = match self.pseudonym().cloned() {
            Some(own) => routes.layer(from_fn_with_state(own, via::check)),
            None => routes,
        };
        let observed = from_fn_with_state(self.clone(), observe::observe);
        routes.layer(map_response(security_headers::add)).layer(observed).with_state(self)
    }
}

async fn no_such_path(uri: Uri) -> Problem {
    let paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    let why = format!("there is nothing at {}; there is: {}", uri.path(), paths.join(", "));
    Problem::new(StatusCode::NOT_FOUND, "no-such-path", why)
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", format!("{} does not know {method}", uri.path()))
}
