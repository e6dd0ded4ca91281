//! The files of the page, which are part of the program.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use headers::{ETag, HeaderMapExt, IfNoneMatch};
use sha2::{Digest, Sha256};

/// The page may load only its own files, and sends requests only to its own origin. It cannot be framed, and cannot turn text into
/// markup or code.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// A file of the page.
pub(crate) struct PageFile {
    media_type: &'static str,
    text: &'static str,
}

const fn script(text: &'static str) -> PageFile {
    PageFile { media_type: "text/javascript; charset=utf-8", text }
}

pub(crate) static PAGE: PageFile = PageFile { media_type: "text/html; charset=utf-8", text: include_str!("page/index.html") };
pub(crate) static STYLE: PageFile = PageFile { media_type: "text/css; charset=utf-8", text: include_str!("page/style.css") };
pub(crate) static ICON: PageFile = PageFile { media_type: "image/svg+xml", text: include_str!("page/icon.svg") };
pub(crate) static APP: PageFile = script(include_str!("page/app.js"));
pub(crate) static CHARTS: PageFile = script(include_str!("page/charts.js"));
pub(crate) static CONNECTION: PageFile = script(include_str!("page/connection.js"));
pub(crate) static DIALOGS: PageFile = script(include_str!("page/dialogs.js"));
pub(crate) static ENTRIES: PageFile = script(include_str!("page/entries.js"));
pub(crate) static DISTRIBUTION: PageFile = script(include_str!("page/distribution.js"));
pub(crate) static FORMAT: PageFile = script(include_str!("page/format.js"));
pub(crate) static OVERVIEW: PageFile = script(include_str!("page/overview.js"));
pub(crate) static POLICIES: PageFile = script(include_str!("page/policies.js"));
pub(crate) static SHADOWS: PageFile = script(include_str!("page/shadows.js"));
pub(crate) static UPLOAD: PageFile = script(include_str!("page/upload.js"));

/// The handlers of a file.
pub(crate) fn serve<S: Clone + Send + Sync + 'static>(file: &'static PageFile) -> MethodRouter<S> {
    get(move |headers: HeaderMap| async move { file.response(&headers) })
}

impl PageFile {
    /// The file, or 304 if the client has it. Browsers ask each time, so that they never combine files of different versions.
    fn response(&self, request: &HeaderMap) -> Response {
        let digest = Sha256::digest(self.text);
        let tag: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let Ok(tag) = format!("\"{tag}\"").parse::<ETag>() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
        let is_known = request.typed_get::<IfNoneMatch>().is_some_and(|known| !known.precondition_passes(&tag));
        let mut response = match is_known {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => self.text.into_response(),
        };
        let headers = response.headers_mut();
        headers.typed_insert(tag);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&PageFile; 14] = [
        &PAGE,
        &STYLE,
        &ICON,
        &APP,
        &CHARTS,
        &CONNECTION,
        &DIALOGS,
        &ENTRIES,
        &DISTRIBUTION,
        &FORMAT,
        &OVERVIEW,
        &POLICIES,
        &SHADOWS,
        &UPLOAD,
    ];

    #[test]
    fn file_is_sent_once_and_then_revalidated() {
        let first = PAGE.response(&HeaderMap::new());
        assert_eq!((first.status(), &first.headers()["cache-control"]), (StatusCode::OK, &HeaderValue::from_static("no-cache")));
        let mut known = HeaderMap::new();
        known.insert("if-none-match", first.headers()["etag"].clone());
        let second = PAGE.response(&known);
        assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(second.headers()["etag"], first.headers()["etag"]);
        assert_eq!(STYLE.response(&known).status(), StatusCode::OK, "each file has its own tag");
    }

    #[test]
    fn files_contain_no_inline_code_and_name_no_other_host() {
        for tag in PAGE.text.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
            let is_inline =
                |attribute: &str| attribute.starts_with("style=") || (attribute.starts_with("on") && attribute.contains('='));
            let has_code = tag.starts_with("style") || (tag.starts_with("script") && !tag.contains(" src="));
            assert!(!has_code && !tag.split_whitespace().any(is_inline), "{tag}");
        }
        for file in ALL {
            let foreign = file.text.split("://").skip(1).find(|rest| !rest.starts_with("www.w3.org/2000/svg"));
            assert!(foreign.is_none(), "{foreign:?}");
            for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                assert!(!file.text.contains(sink), "{sink}");
            }
        }
    }
}
