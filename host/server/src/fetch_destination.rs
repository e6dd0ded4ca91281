//! Refuses requests from browsers for content that they would execute or apply to a page (Fetch Metadata, `Sec-Fetch-Dest`; Service
//! Workers, `Service-Worker`).
//!
//! Except for the files of the dashboard, nothing that is served here is a script or a style sheet. The media type already says so. This check protects browsers that would ignore
//! the media type.

use axum::http::{HeaderMap, HeaderName, StatusCode};

use crate::problem::Problem;

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SERVICE_WORKER: HeaderName = HeaderName::from_static("service-worker");

/// The destinations (the Fetch standard, section 2.2.5) whose responses are executed or applied to a page.
const ACTIVE: [&str; 12] = [
    "audioworklet",
    "manifest",
    "paintworklet",
    "report",
    "script",
    "serviceworker",
    "sharedworker",
    "speculationrules",
    "style",
    "webidentity",
    "worker",
    "xslt",
];

/// The destinations of the files of the dashboard. None of them is a worker.
const PAGE_FILES: [&str; 2] = ["script", "style"];

/// Refuses a request whose response would be executed or applied to a page, unless it is for a file of the dashboard.
pub(crate) fn check(headers: &HeaderMap, is_page_file: bool) -> Result<(), Problem> {
    let destinations = headers.get_all(SEC_FETCH_DEST).iter().filter_map(|value| active(value.as_bytes()));
    let destination = destinations.into_iter().find(|destination| !(is_page_file && PAGE_FILES.contains(destination)));
    let worker = || headers.contains_key(SERVICE_WORKER).then_some("serviceworker");
    let Some(destination) = destination.or_else(worker) else { return Ok(()) };
    let why =
        format!("a page requested this as {destination}; media may be displayed or saved, but never executed or applied to a page");
    Err(Problem::new(StatusCode::FORBIDDEN, "active-destination", why))
}

/// The destination in a `Sec-Fetch-Dest` header, if the response would be executed or applied to a page.
pub(crate) fn active(value: &[u8]) -> Option<&'static str> {
    ACTIVE.into_iter().find(|known| value.trim_ascii().eq_ignore_ascii_case(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(sent: &[(&'static str, &str)]) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, value.parse().unwrap());
        }
        check(&headers, false).map_err(|problem| problem.code().to_owned())
    }

    #[test]
    fn requests_to_display_or_read_media_are_accepted() {
        assert_eq!(verdict(&[]), Ok(()));
        for destination in
            ["image", "video", "audio", "track", "document", "iframe", "object", "embed", "empty", "font", "json", ""]
        {
            assert_eq!(verdict(&[("sec-fetch-dest", destination)]), Ok(()), "{destination}");
        }
    }

    #[test]
    fn requests_to_execute_or_apply_media_are_refused() {
        let refused = Err("active-destination".to_owned());
        for destination in ["script", "Worker", " style ", "serviceworker", "sharedworker", "audioworklet", "xslt", "manifest"] {
            assert_eq!(verdict(&[("sec-fetch-dest", destination)]), refused, "{destination}");
            assert_eq!(verdict(&[("sec-fetch-dest", "image"), ("sec-fetch-dest", destination)]), refused, "{destination}");
        }
        assert_eq!(verdict(&[("service-worker", "script")]), refused);
    }

    #[test]
    fn only_files_of_the_dashboard_may_be_scripts_and_styles_of_a_page() {
        for (destination, accepted) in [("script", true), ("style", true), ("serviceworker", false), ("worker", false)] {
            let headers = HeaderMap::from_iter([(SEC_FETCH_DEST, destination.parse().unwrap())]);
            assert_eq!(check(&headers, true).is_ok(), accepted, "{destination}");
            assert!(check(&headers, false).is_err(), "{destination}");
        }
    }
}
