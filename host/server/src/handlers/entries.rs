//! `/entries`: lists the stored entries, a page at a time, and deletes entries that match a filter.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use media_cache::{EntryFilter, Listed};
use media_cache_http_downloader::HostPattern;
use serde_json::{Value, json};
use url::Url;

use crate::problem::Problem;
use crate::service::Service;
use media_cache_requests::query;

/// The number of entries in a response if the client gives no `limit`.
const PAGE: u32 = 100;

/// The maximum `limit`. The cache answers no other requests while it lists a page.
const LARGEST_PAGE: u32 = 1000;

/// `GET /entries`: lists the entries, least recently used first. A search lists those that match among the next `limit` entries, so a page
/// may be empty although there are further pages.
pub(crate) async fn list(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    let Window { after, limit, search } = window(&uri)?;
    let page = service.cache().await?.entries(after, limit).await?;
    // A string, because not every JSON parser supports 64-bit integers.
    let next = page.next.map(|next| next.to_string());
    let entries: Vec<Value> = page.entries.iter().filter(|entry| search.matches(&entry.url)).map(entry_document).collect();
    Ok(Json(json!({ "entries": entries, "next": next })).into_response())
}

/// `DELETE /entries`: deletes the entries of a host, those whose URLs have a prefix, or all.
pub(crate) async fn delete(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    let filter = filter(&uri)?;
    let removed = service.cache().await?.remove_matching(filter).await.map_err(Problem::entries_not_deleted)?;
    Ok(Json(json!({ "removed": removed })).into_response())
}

/// The filter in a query. It must have exactly one parameter, so that nothing is deleted by mistake.
fn filter(uri: &Uri) -> Result<EntryFilter, Problem> {
    const HINT: &str = "the parameters are `host`, `prefix` and `all`";
    match query::read(uri.query().unwrap_or_default(), ["host", "prefix", "all"], HINT)? {
        [Some(host), None, None] => Ok(EntryFilter::Host(host.into())),
        [None, Some(prefix), None] if !prefix.is_empty() => Ok(EntryFilter::Prefix(prefix.into())),
        [None, Some(_), None] => Err(Problem::bad_request("`prefix` is empty; to delete all entries, use `all=true`")),
        [None, None, Some(all)] if all == "true" => Ok(EntryFilter::All),
        [None, None, Some(_)] => Err(Problem::bad_request("`all` must be `true`")),
        _ => Err(Problem::bad_request("select the entries to delete with exactly one of `host=…`, `prefix=…` and `all=true`")),
    }
}

/// Which entries are listed.
struct Window {
    after: Option<u64>,
    limit: u32,
    search: Search,
}

/// What the URLs of listed entries have in common.
enum Search {
    Everything,
    /// A text, in lower case.
    Contains(String),
    Prefix(String),
    Host(HostPattern),
}

impl Search {
    fn matches(&self, url: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Contains(text) => url.to_lowercase().contains(text),
            Self::Prefix(prefix) => url.starts_with(prefix),
            Self::Host(pattern) => Url::parse(url).is_ok_and(|url| url.host().is_some_and(|host| pattern.matches(&host))),
        }
    }
}

fn window(uri: &Uri) -> Result<Window, Problem> {
    const HINT: &str = "the parameters are `after`, `limit`, and one of `contains`, `host` and `prefix`";
    let names = ["after", "limit", "contains", "host", "prefix"];
    let [after, limit, contains, host, prefix] = query::read(uri.query().unwrap_or_default(), names, HINT)?;
    let wrong = |why: String| Problem::bad_request(why);
    let after = after.map(|text| text.parse().map_err(|_| wrong("`after` must be the value of `next` from another page".into())));
    let limit = match limit {
        None => PAGE,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=LARGEST_PAGE).contains(limit));
            limit.ok_or_else(|| wrong(format!("`limit` must be a number from 1 to {LARGEST_PAGE}")))?
        }
    };
    let search = match (contains, host, prefix) {
        (None, None, None) => Search::Everything,
        (Some(text), None, None) => Search::Contains(text.to_lowercase()),
        (None, Some(host), None) => Search::Host(host.parse().map_err(|error| wrong(format!("`host` is not valid: {error}")))?),
        (None, None, Some(prefix)) => Search::Prefix(prefix.into()),
        _ => return Err(wrong("search with at most one of `contains=…`, `host=…` and `prefix=…`".into())),
    };
    Ok(Window { after: after.transpose()?, limit, search })
}

/// An entry as a JSON object. Times are in seconds since 1970, sizes in bytes.
#[must_use]
pub fn entry_document(entry: &Listed) -> Value {
    json!({
        "url": entry.url,
        "mimetype": entry.mimetype,
        "filename": entry.filename,
        "size": entry.size,
        "disk_size": entry.disk_size,
        "stored_at": entry.stored_at as f64 / 1000.0,
        "accessed_at": entry.accessed_at as f64 / 1000.0,
        "hits": entry.hits,
        "resident": entry.resident,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_has_exactly_one_parameter() {
        let filter = |query: &str| filter(&format!("/entries?{query}").parse().unwrap()).map_err(|problem| format!("{problem:?}"));
        assert!(matches!(filter("host=*.x.org"), Ok(EntryFilter::Host(host)) if host == "*.x.org"));
        assert!(matches!(filter("prefix=https%3A%2F%2Fx.org%2F"), Ok(EntryFilter::Prefix(prefix)) if prefix == "https://x.org/"));
        assert!(matches!(filter("all=true"), Ok(EntryFilter::All)));
        for (query, why) in [
            ("", "exactly one of"),
            ("host=a&prefix=b", "exactly one of"),
            ("host=a&all=true", "exactly one of"),
            ("prefix=", "`prefix` is empty"),
            ("all=false", "must be `true`"),
            ("all", "must be `true`"),
            ("hosts=a", "the parameters are `host`, `prefix` and `all`"),
        ] {
            assert!(filter(query).as_ref().is_err_and(|said| said.contains(why)), "{query}");
        }
    }

    #[test]
    fn after_and_limit_select_a_page() {
        let window = |query: &str| {
            let window = window(&format!("/entries?{query}").parse().unwrap());
            window.map(|window| (window.after, window.limit)).map_err(|problem| format!("{problem:?}"))
        };
        assert_eq!(window(""), Ok((None, 100)));
        assert_eq!(window("after=18446744073709551615&limit=1000"), Ok((Some(u64::MAX), 1000)));
        for (query, why) in [
            ("limit=0", "from 1 to 1000"),
            ("limit=1001", "from 1 to 1000"),
            ("limit=", "from 1 to 1000"),
            ("after=x", "the value of `next` from another page"),
            ("after=-1", "the value of `next` from another page"),
            ("page=2", "the parameters are `after`, `limit`, and one of"),
            ("contains=a&host=b", "at most one of"),
            ("host=a%2Fb", "`host` is not valid"),
        ] {
            assert!(window(query).as_ref().is_err_and(|said| said.contains(why)), "{query}");
        }
    }

    #[test]
    fn search_compares_the_text_the_host_or_the_prefix_of_a_url() {
        let matches = |query: &str| {
            let window = window(&format!("/entries?{query}").parse().unwrap()).unwrap();
            ["https://a.example.org/Cat.png", "https://example.org/dog.png"].map(|url| window.search.matches(url))
        };
        assert_eq!(matches(""), [true, true]);
        assert_eq!(matches("contains=cAt"), [true, false]);
        assert_eq!(matches("host=*.example.org"), [true, false]);
        assert_eq!(matches("host=example.org"), [false, true]);
        assert_eq!(matches("prefix=https%3A%2F%2Fexample"), [false, true]);
    }
}
