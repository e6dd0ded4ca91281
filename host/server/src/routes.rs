//! The paths of the service, with the rights that each requires and its handlers. A new path needs only one line here.

use axum::routing::{MethodRouter, get, post};

use crate::handlers::{component, entries, health, media, metrics, policy, refresh, stats};
use crate::service::Service;

/// The path of media. Nearly all requests are for media.
pub(crate) const MEDIA: &str = "/media";

/// The path of refreshes.
pub(crate) const REFRESH: &str = "/refresh";

/// A route.
pub(crate) struct Route {
    pub path: &'static str,
    /// What GET and HEAD require. All other methods require administration rights.
    pub to_read: Requirement,
    /// Whether machines poll the path. If so, only failed requests for it are worth a line in the log.
    pub is_polled: bool,
    /// Creates the handlers of its methods.
    pub handlers: fn() -> MethodRouter<Service>,
}

/// What a request requires of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requirement {
    Nothing,
    /// A listener on loopback, or administration rights.
    Loopback,
    /// A signature if the service has signing keys, or administration rights.
    Signature,
    Administration,
}

use Requirement::{Administration, Loopback, Nothing, Signature};

/// All routes.
pub(crate) const ROUTES: &[Route] = &[
    Route { path: MEDIA, to_read: Signature, is_polled: false, handlers: || get(media::get).put(media::put).delete(media::delete) },
    Route { path: REFRESH, to_read: Administration, is_polled: false, handlers: || post(refresh::refresh) },
    Route { path: "/entries", to_read: Administration, is_polled: false, handlers: || get(entries::list).delete(entries::delete) },
    Route { path: "/policies", to_read: Administration, is_polled: false, handlers: || get(policy::list) },
    Route { path: "/policy", to_read: Administration, is_polled: false, handlers: || get(policy::show).put(policy::put) },
    Route { path: "/policy/rollback", to_read: Administration, is_polled: false, handlers: || post(policy::roll_back) },
    Route { path: "/component", to_read: Administration, is_polled: false, handlers: || get(component::show).put(component::put) },
    Route { path: "/component/rollback", to_read: Administration, is_polled: false, handlers: || post(component::roll_back) },
    Route { path: "/stats", to_read: Loopback, is_polled: true, handlers: || get(stats::show) },
    Route { path: "/metrics", to_read: Loopback, is_polled: true, handlers: || get(metrics::scrape) },
    Route { path: "/healthz", to_read: Nothing, is_polled: true, handlers: || get(health::alive) },
    Route { path: "/readyz", to_read: Nothing, is_polled: true, handlers: || get(health::ready) },
];

/// The route with this path.
pub(crate) fn find(path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path == path)
}
