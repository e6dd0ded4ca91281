//! The query of a PUT and DELETE of `/media`, and of `/refresh`: the URL of the media, and its other parameters.

use std::borrow::Cow;

use axum::http::Uri;

use media_cache::{CacheControl, Cacheability, Validators};

use crate::problem::Problem;
use media_cache_requests::query::{self, ENCODE_URL};

/// The query of a PUT: the URL, and properties of the media that its bytes and its type do not reveal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PutQuery {
    pub url: String,
    pub filename: Option<String>,
    /// Who may cache it, and for how long it is fresh.
    pub cache_control: CacheControl,
    /// Its validators at the origin.
    pub validators: Validators,
}

/// The URL in a query without other parameters.
pub(crate) fn url(uri: &Uri) -> Result<Cow<'_, str>, Problem> {
    let [url] = query::read(uri.query().unwrap_or_default(), ["url"], ENCODE_URL)?;
    required(url)
}

impl PutQuery {
    /// Parses the query of a PUT.
    pub fn read(uri: &Uri) -> Result<Self, Problem> {
        let names = ["url", "filename", "private", "max-age", "age", "etag", "last-modified"];
        let values = query::read(uri.query().unwrap_or_default(), names, ENCODE_URL)?;
        let [url, filename, private, max_age, age, etag, last_modified] = values.map(|value| value.map(Cow::into_owned));
        let cacheability = match private.as_deref() {
            None | Some("false") => Cacheability::Public,
            Some("true") => Cacheability::Private,
            Some(_) => return Err(Problem::bad_request("`private` must be `true` or `false`")),
        };
        let (max_age, age) = (seconds("max-age", max_age)?, seconds("age", age)?.unwrap_or(0));
        let cache_control = CacheControl { cacheability, max_age, age };
        let url = required(url.map(Cow::from))?.into_owned();
        Ok(Self { url, filename, cache_control, validators: Validators { etag, last_modified } })
    }
}

fn seconds(name: &str, text: Option<String>) -> Result<Option<u32>, Problem> {
    let wrong = |_| Problem::bad_request(format!("`{name}` must be a number of seconds"));
    text.map(|text| text.parse().map_err(wrong)).transpose()
}

fn required(url: Option<Cow<'_, str>>) -> Result<Cow<'_, str>, Problem> {
    let url = url.filter(|url| !url.is_empty());
    url.ok_or_else(|| Problem::bad_request(format!("the parameter `url` is missing; {ENCODE_URL}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(query: &str) -> Result<(String, Option<String>), String> {
        let uri: Uri = format!("/media?{query}").parse().unwrap();
        PutQuery::read(&uri).map(|query| (query.url, query.filename)).map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn the_url_is_decoded_once() {
        let query = put("url=https%3A%2F%2Fx%2Fa%2520b%3Fc%3D1%26d%3D2&filename=%C3%A4.png");
        assert_eq!(query, Ok(("https://x/a%20b?c=1&d=2".into(), Some("ä.png".into()))));
        assert_eq!(put("url=https://x/a?b=c").unwrap().0, "https://x/a?b=c");
    }

    #[test]
    fn a_url_that_was_not_encoded_is_an_error_and_never_truncated() {
        assert!(put("url=https://x/a?b=1&c=2").unwrap_err().contains("unknown parameter `c`; percent-encode"));
        assert!(put("url=a&url=b").unwrap_err().contains("twice"));
        for query in ["", "url=", "filename=a"] {
            assert!(put(query).unwrap_err().contains("`url` is missing"), "{query}");
        }
        for (query, put, delete) in [("url=a", true, true), ("url=a&filename=b", true, false), ("url=a&signature=b", false, false)]
        {
            let uri: Uri = format!("/media?{query}").parse().unwrap();
            assert_eq!([PutQuery::read(&uri).is_ok(), url(&uri).is_ok()], [put, delete], "{query}");
        }
    }

    #[test]
    fn put_parameters_set_cache_control_and_validators() {
        let read = |query: &str| PutQuery::read(&format!("/media?url=a&{query}").parse().unwrap());
        let put = read("private=true&max-age=60&age=5&etag=%22a%22&last-modified=now").unwrap();
        let cache_control = CacheControl { cacheability: Cacheability::Private, max_age: Some(60), age: 5 };
        let validators = Validators { etag: Some("\"a\"".into()), last_modified: Some("now".into()) };
        assert_eq!((put.cache_control, put.validators), (cache_control, validators));
        assert_eq!(read("").unwrap().cache_control, CacheControl::default());
        for wrong in ["private=yes", "max-age=-1", "age=1.5", "age="] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
