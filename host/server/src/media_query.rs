//! The query of `/media` and `/refresh`: the URL that is requested, and what else each method takes.

use axum::http::Uri;

use crate::problem::Problem;
use media_cache_requests::Signature;
use media_cache_requests::query;

/// The query of a request for a URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MediaQuery {
    pub url: String,
    pub filename: Option<String>,
    pub signature: Option<Signature>,
}

/// What to do about a URL that was not encoded. To ignore a part of it would be to fetch another URL than was meant.
const HINT: &str = "percent-encode the URL, as `curl -G --data-urlencode url=…` does";

impl MediaQuery {
    /// The query of a GET or HEAD. It may be signed even where it need not be, so that clients can sign before a service requires
    /// it.
    pub fn of_get(uri: &Uri) -> Result<Self, Problem> {
        let [url, signature, expires] = query::read(uri, ["url", "signature", "expires"], HINT)?;
        let signature = Signature::read(signature.as_deref(), expires.as_deref())?;
        Ok(Self { url: required(url)?, filename: None, signature })
    }

    /// The query of a PUT.
    pub fn of_put(uri: &Uri) -> Result<Self, Problem> {
        let [url, filename] = query::read(uri, ["url", "filename"], HINT)?;
        Ok(Self { url: required(url)?, filename, signature: None })
    }

    /// The query of a refresh.
    pub fn of_refresh(uri: &Uri) -> Result<Self, Problem> {
        Self::of_delete(uri)
    }

    /// The query of a DELETE.
    pub fn of_delete(uri: &Uri) -> Result<Self, Problem> {
        let [url] = query::read(uri, ["url"], HINT)?;
        Ok(Self { url: required(url)?, filename: None, signature: None })
    }
}

fn required(url: Option<String>) -> Result<String, Problem> {
    let url = url.filter(|url| !url.is_empty());
    url.ok_or_else(|| Problem::bad_request(format!("the parameter `url` is missing; {HINT}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(query: &str) -> Result<(String, Option<String>), String> {
        let uri: Uri = format!("/media?{query}").parse().unwrap();
        MediaQuery::of_put(&uri).map(|query| (query.url, query.filename)).map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn the_url_is_decoded_once() {
        let query = put("url=https%3A%2F%2Fx%2Fa%2520b%3Fc%3D1%26d%3D2&filename=%C3%A4.png");
        assert_eq!(query, Ok(("https://x/a%20b?c=1&d=2".into(), Some("ä.png".into()))));
        assert_eq!(put("url=https://x/a?b=c").unwrap().0, "https://x/a?b=c");
    }

    #[test]
    fn a_url_that_was_not_encoded_is_an_error_and_never_truncated() {
        assert!(put("url=https://x/a?b=1&c=2").unwrap_err().contains("no parameter `c` here; percent-encode"));
        assert!(put("url=a&url=b").unwrap_err().contains("twice"));
        for query in ["", "url=", "filename=a"] {
            assert!(put(query).unwrap_err().contains("`url` is missing"), "{query}");
        }
        for (query, get, put, delete) in [
            ("url=a", true, true, true),
            ("url=a&filename=b", false, true, false),
            ("url=a&signature=0000000000000000000000000000000000000000000000000000000000000000&expires=1", true, false, false),
            ("url=a&signature=b", false, false, false),
        ] {
            let uri: Uri = format!("/media?{query}").parse().unwrap();
            let read = [MediaQuery::of_get(&uri), MediaQuery::of_put(&uri), MediaQuery::of_delete(&uri)];
            assert_eq!(read.map(|query| query.is_ok()), [get, put, delete], "{query}");
        }
    }
}
