//! The routes of a listener.

use std::sync::Arc;

use axum::Router;

use crate::connections::in_place::RespondInPlace;

/// The routes of a listener: a router, and optionally the hit lane, which answers hits in memory without the router or hyper.
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
