//! What answers the requests on a listener.

use std::sync::Arc;

use axum::Router;

use crate::connections::in_place::RespondInPlace;

/// What answers the requests on a listener: a router, and for hits in memory perhaps the hit lane, which needs neither the router nor
/// hyper.
#[derive(Clone)]
pub struct Routes {
    pub(crate) router: Router,
    pub(crate) in_place: Option<Arc<dyn RespondInPlace>>,
}

impl From<Router> for Routes {
    fn from(router: Router) -> Self {
        Self { router, in_place: None }
    }
}
