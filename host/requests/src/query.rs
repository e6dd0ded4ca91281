//! Parses query strings strictly: every parameter must be known, occur only once, and be UTF-8.

use std::borrow::Cow;

use http::Uri;
use percent_encoding::percent_decode;

use crate::invalid_request::InvalidRequest;

/// Advice for a URL that was not encoded. If part of it were ignored, the service would fetch a different URL than intended.
pub const ENCODE_URL: &str = "percent-encode the URL, as `curl -G --data-urlencode url=…` does";

/// Reads the parameters with these names, each of which may occur once. An unknown parameter is an error, because it is either part of a
/// URL that was not encoded or a misspelt option. `hint` says what to do instead.
///
/// # Errors
/// If a parameter is unknown, occurs twice, or is not UTF-8.
pub fn read<'a, const N: usize>(query: &'a str, names: [&str; N], hint: &str) -> Result<[Option<Cow<'a, str>>; N], InvalidRequest> {
    let mut values = [const { None }; N];
    for parameter in parameters(query) {
        let (name, value) = parameter?;
        let Some(known) = names.iter().position(|known| *known == name).and_then(|known| values.get_mut(known)) else {
            return Err(InvalidRequest::bad_request(format!("unknown parameter `{name}`; {hint}")));
        };
        if known.replace(value).is_some() {
            return Err(InvalidRequest::bad_request(format!("the parameter `{name}` occurs twice; {hint}")));
        }
    }
    Ok(values)
}

/// Refuses all parameters, for a route that has none.
///
/// # Errors
/// If there is any parameter.
pub fn none(uri: &Uri) -> Result<(), InvalidRequest> {
    read(uri.query().unwrap_or_default(), [], &format!("{} takes no parameters", uri.path())).map(|[]| ())
}

/// The names and values of a query, decoded like form data (URL Standard, section 5.1). Invalid UTF-8 is an error here, whereas the
/// standard replaces it with U+FFFD. A replacement would change the URL, and make one signature valid for several URLs.
pub fn parameters(query: &str) -> impl Iterator<Item = Result<(Cow<'_, str>, Cow<'_, str>), InvalidRequest>> {
    query.split('&').filter(|parameter| !parameter.is_empty()).map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        Ok((decoded(name)?, decoded(value)?))
    })
}

fn decoded(text: &str) -> Result<Cow<'_, str>, InvalidRequest> {
    let not_utf8 = |_| InvalidRequest::bad_request("the query is not UTF-8; encode the text as UTF-8 before percent-encoding it");
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return percent_decode(spaced.as_bytes()).decode_utf8().map(|decoded| decoded.into_owned().into()).map_err(not_utf8);
    }
    percent_decode(text.as_bytes()).decode_utf8().map_err(not_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_in_any_order_and_unknown_or_repeated_ones_are_errors() {
        let read = |query| read(query, ["a", "b"], "use a or b");
        assert_eq!(read("b=2&a=1%201").unwrap(), [Some("1 1".into()), Some("2".into())]);
        assert_eq!(read("").unwrap(), [None, None]);
        assert_eq!(read("a").unwrap(), [Some("".into()), None]);
        for (query, why) in [("c=1", "unknown parameter `c`; use a or b"), ("a=1&a=1", "`a` occurs twice; use a or b")] {
            assert!(format!("{:?}", read(query).unwrap_err()).contains(why), "{query}");
        }
        assert!(none(&"/x".parse().unwrap()).is_ok() && none(&"/x?".parse().unwrap()).is_ok());
        assert!(
            format!("{:?}", none(&"/x?y".parse().unwrap()).unwrap_err()).contains("unknown parameter `y`; /x takes no parameters")
        );
    }

    #[test]
    fn text_that_is_not_utf8_is_an_error() {
        let read = |query| read(query, ["a", "\u{fffd}"], "hint");
        for query in ["a=%ff", "a=x%C3", "a=%ED%A0%80", "a=%C0%AF", "%ff=1", "a=1&%ff"] {
            assert!(format!("{:?}", read(query).unwrap_err()).contains("not UTF-8"), "{query}");
        }
        assert_eq!(read("a=%EF%BF%BD").unwrap(), [Some("\u{fffd}".into()), None], "U+FFFD itself is accepted");
        assert_eq!(read("a=100%&&%EF%BF%BD=x=y").unwrap(), [Some("100%".into()), Some("x=y".into())]);
    }

    #[test]
    fn parameters_are_decoded_like_form_data() {
        for query in ["", "&", "a", "=", "a=+b%20c", "a=b=c&a=%2B", "%61=%zz%4", "ä=ö", "a=%26%3D&&b"] {
            let ours: Vec<_> = parameters(query).map(Result::unwrap).collect();
            let theirs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
            assert_eq!(ours, theirs, "{query}");
        }
    }
}
