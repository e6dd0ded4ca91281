//! `/entries`: what is stored, a page at a time.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use media_cache::Listed;
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::service::Service;
use media_cache_requests::query;

/// The number of entries in a response, unless the client gives a `limit`.
const PAGE: u32 = 100;

/// The largest `limit`. The cache answers no other request while it lists a page.
const LARGEST_PAGE: u32 = 1000;

/// `GET /entries`: the entries, the least recently used first.
pub(crate) async fn list(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    let (after, limit) = window(&uri)?;
    let page = service.cache().await?.entries(after, limit).await?;
    // Text, since not every JSON parser reads integers of 64 bits.
    let next = page.next.map(|next| next.to_string());
    let entries: Vec<Value> = page.entries.iter().map(entry_document).collect();
    Ok(Json(json!({ "entries": entries, "next": next })).into_response())
}

fn window(uri: &Uri) -> Result<(Option<u64>, u32), Problem> {
    let [after, limit] = query::read(uri, ["after", "limit"], "there are `after` and `limit`")?;
    let wrong = |why: String| Problem::bad_request(why);
    let after = after.map(|text| text.parse().map_err(|_| wrong("`after` has to be the `next` of another page".into())));
    let limit = match limit {
        None => PAGE,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=LARGEST_PAGE).contains(limit));
            limit.ok_or_else(|| wrong(format!("`limit` has to be a number from 1 to {LARGEST_PAGE}")))?
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
    fn a_page_is_described_by_after_and_limit() {
        let window = |query: &str| window(&format!("/entries?{query}").parse().unwrap()).map_err(|problem| format!("{problem:?}"));
        assert_eq!(window(""), Ok((None, 100)));
        assert_eq!(window("after=18446744073709551615&limit=1000"), Ok((Some(u64::MAX), 1000)));
        for (query, why) in [
            ("limit=0", "from 1 to 1000"),
            ("limit=1001", "from 1 to 1000"),
            ("limit=", "from 1 to 1000"),
            ("after=x", "the `next` of another page"),
            ("after=-1", "the `next` of another page"),
            ("page=2", "there are `after` and `limit`"),
        ] {
            assert!(window(query).as_ref().is_err_and(|said| said.contains(why)), "{query}");
        }
    }
}
