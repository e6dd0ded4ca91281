//! `/entries`: lists the stored entries, a page at a time, and deletes entries that match a filter.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use media_cache::{EntryFilter, Listed};
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::service::Service;
use media_cache_requests::query;

/// The number of entries in a response if the client gives no `limit`.
const PAGE: u32 = 100;

/// The maximum `limit`. The cache answers no other requests while it lists a page.
const LARGEST_PAGE: u32 = 1000;

/// `GET /entries`: lists the entries, least recently used first.
pub(crate) async fn list(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    let (after, limit) = window(&uri)?;
    let page = service.cache().await?.entries(after, limit).await?;
    // A string, because not every JSON parser supports 64-bit integers.
    let next = page.next.map(|next| next.to_string());
    let entries: Vec<Value> = page.entries.iter().map(entry_document).collect();
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

fn window(uri: &Uri) -> Result<(Option<u64>, u32), Problem> {
    let [after, limit] =
        query::read(uri.query().unwrap_or_default(), ["after", "limit"], "the parameters are `after` and `limit`")?;
    let wrong = |why: String| Problem::bad_request(why);
    let after = after.map(|text| text.parse().map_err(|_| wrong("`after` must be the value of `next` from another page".into())));
    let limit = match limit {
        None => PAGE,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=LARGEST_PAGE).contains(limit));
            limit.ok_or_else(|| wrong(format!("`limit` must be a number from 1 to {LARGEST_PAGE}")))?
        }
    };
    Ok((after.transpose()?, limit))
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
        let window = |query: &str| window(&format!("/entries?{query}").parse().unwrap()).map_err(|problem| format!("{problem:?}"));
        assert_eq!(window(""), Ok((None, 100)));
        assert_eq!(window("after=18446744073709551615&limit=1000"), Ok((Some(u64::MAX), 1000)));
        for (query, why) in [
            ("limit=0", "from 1 to 1000"),
            ("limit=1001", "from 1 to 1000"),
            ("limit=", "from 1 to 1000"),
            ("after=x", "the value of `next` from another page"),
            ("after=-1", "the value of `next` from another page"),
            ("page=2", "the parameters are `after` and `limit`"),
        ] {
            assert!(window(query).as_ref().is_err_and(|said| said.contains(why)), "{query}");
        }
    }
}
