//! The paths of the service, with the rights that each requires and its handlers. A new path needs only one line here.

use axum::http::{StatusCode, Uri};
use axum::routing::{MethodRouter, get, post};
use media_cache_requests::MediaTarget;

use crate::dashboard::{curves, events, files};
use crate::handlers::{check, component, entries, health, media, metrics, policy, refresh, shadows, stats};
use crate::problem::Problem;
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
    /// A listener where administration is possible, with or without a token: for files of the dashboard, which contain no data. A page could
    /// not send a token before it is loaded.
    Dashboard,
    /// A listener on loopback, or administration rights.
    Loopback,
    /// A signature if the service has signing keys, or administration rights.
    Signature,
    Administration,
}

use Requirement::{Administration, Dashboard, Loopback, Nothing, Signature};

/// All routes.
pub(crate) const ROUTES: &[Route] = &[
    Route { path: MEDIA, to_read: Signature, is_polled: false, handlers: || get(media::get).put(media::put).delete(media::delete) },
    Route { path: REFRESH, to_read: Administration, is_polled: false, handlers: || post(refresh::refresh) },
    Route { path: "/entries", to_read: Administration, is_polled: false, handlers: || get(entries::list).delete(entries::delete) },
    Route { path: "/policies", to_read: Administration, is_polled: false, handlers: || get(policy::list) },
    Route { path: "/policy", to_read: Administration, is_polled: false, handlers: || get(policy::show).put(policy::put) },
    Route { path: "/policy/rollback", to_read: Administration, is_polled: false, handlers: || post(policy::roll_back) },
    Route { path: "/policy/check", to_read: Administration, is_polled: false, handlers: || post(check::check) },
    Route { path: "/shadows", to_read: Administration, is_polled: true, handlers: || get(shadows::show) },
    Route { path: "/component", to_read: Administration, is_polled: false, handlers: || get(component::show).put(component::put) },
    Route { path: "/component/rollback", to_read: Administration, is_polled: false, handlers: || post(component::roll_back) },
    Route { path: "/stats", to_read: Loopback, is_polled: true, handlers: || get(stats::show) },
    Route { path: "/metrics", to_read: Loopback, is_polled: true, handlers: || get(metrics::scrape) },
    Route { path: "/healthz", to_read: Nothing, is_polled: true, handlers: || get(health::alive) },
    Route { path: "/readyz", to_read: Nothing, is_polled: true, handlers: || get(health::ready) },
    Route { path: "/dashboard/events", to_read: Administration, is_polled: true, handlers: || get(events::stream) },
    Route { path: "/dashboard/curves.svg", to_read: Administration, is_polled: true, handlers: || get(curves::show) },
    page_file("/dashboard", || files::serve(&files::PAGE)),
    page_file("/dashboard/style.css", || files::serve(&files::STYLE)),
    page_file("/dashboard/icon.svg", || files::serve(&files::ICON)),
    page_file("/dashboard/app.js", || files::serve(&files::APP)),
    page_file("/dashboard/charts.js", || files::serve(&files::CHARTS)),
    page_file("/dashboard/connection.js", || files::serve(&files::CONNECTION)),
    page_file("/dashboard/dialogs.js", || files::serve(&files::DIALOGS)),
    page_file("/dashboard/distribution.js", || files::serve(&files::DISTRIBUTION)),
    page_file("/dashboard/entries.js", || files::serve(&files::ENTRIES)),
    page_file("/dashboard/format.js", || files::serve(&files::FORMAT)),
    page_file("/dashboard/overview.js", || files::serve(&files::OVERVIEW)),
    page_file("/dashboard/policies.js", || files::serve(&files::POLICIES)),
    page_file("/dashboard/shadows.js", || files::serve(&files::SHADOWS)),
    page_file("/dashboard/upload.js", || files::serve(&files::UPLOAD)),
];

/// The route of all other paths of media: those with the digest of the cache key, and those of links made for camo. In metrics and logs,
/// they have the name of the first path.
pub(crate) static OTHER_MEDIA: Route = Route { path: MEDIA, to_read: Signature, is_polled: false, handlers: || get(media::get) };

/// The route of a file of the dashboard.
const fn page_file(path: &'static str, handlers: fn() -> MethodRouter<Service>) -> Route {
    Route { path, to_read: Dashboard, is_polled: true, handlers }
}

/// Whether the path is that of a file of the dashboard.
pub(crate) fn is_page_file(path: &str) -> bool {
    find(path).is_some_and(|route| route.to_read == Dashboard)
}

/// Whether the path is one of media.
pub(crate) fn is_media(path: &str) -> bool {
    MediaTarget::is_media(path)
}

/// The route with this path.
pub(crate) fn find(path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path == path).or_else(|| is_media(path).then_some(&OTHER_MEDIA))
}

/// The problem for a path that no route has.
pub(crate) fn no_such_path(uri: &Uri) -> Problem {
    let paths: Vec<&str> = ROUTES.iter().map(|route| route.path).filter(|path| !path.starts_with("/dashboard/")).collect();
    let why = format!("there is no path {}; the paths are {}", uri.path(), paths.join(", "));
    Problem::new(StatusCode::NOT_FOUND, "no-such-path", why)
}
