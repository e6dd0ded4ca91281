//! The routes of a listener.

use std::sync::Arc;

use axum::Router;

use crate::connections::in_place::RespondInPlace;
use crate::connections::tls::SharedTls;

/// The routes of a listener: a router, and optionally the hit lane, which answers hits in memory without the router or hyper.
#[derive(Clone)]
pub struct Routes {
    pub(crate) router: Router,
    pub(crate) in_place: Option<Arc<dyn RespondInPlace>>,
    pub(crate) tls: Option<SharedTls>,
}

impl Routes {
    /// The same routes over TLS, if `tls` has a certificate. The hit lane, which writes to the socket, is not used then.
    #[must_use]
    pub fn over(self, tls: Option<SharedTls>) -> Self {
        Self { tls, ..self }
    }
}

impl From<Router> for Routes {
    fn from(router: Router) -> Self {
        Self { router, in_place: None, tls: None }
    }
}
