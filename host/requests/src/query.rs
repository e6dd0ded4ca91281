//! Parses query strings strictly: every parameter is known and occurs once.

use http::Uri;

use crate::invalid_request::InvalidRequest;

/// Reads the parameters with these names, each of which may occur once. An unknown parameter is an error rather than ignored: it is
/// part of a URL that was not encoded, or a misspelt option. `hint` says what to do instead.
///
/// # Errors
/// For an unknown parameter, and for one that occurs twice.
pub fn read<const N: usize>(uri: &Uri, names: [&str; N], hint: &str) -> Result<[Option<String>; N], InvalidRequest> {
    let mut values = [const { None }; N];
    for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        let Some(known) = names.iter().position(|known| **known == *name).and_then(|known| values.get_mut(known)) else {
            return Err(InvalidRequest::bad_request(format!("there is no parameter `{name}` here; {hint}")));
        };
        if known.replace(value.into_owned()).is_some() {
            return Err(InvalidRequest::bad_request(format!("the parameter `{name}` is there twice; {hint}")));
        }
    }
    Ok(values)
}

/// Refuses all parameters, for a route that has none.
///
/// # Errors
/// For any parameter.
pub fn none(uri: &Uri) -> Result<(), InvalidRequest> {
    read(uri, [], &format!("{} has none", uri.path())).map(|[]| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_in_any_order_and_unknown_or_repeated_ones_are_errors() {
        let read = |query: &str| read(&format!("/x?{query}").parse().unwrap(), ["a", "b"], "and that is that");
        assert_eq!(read("b=2&a=1%201").unwrap(), [Some("1 1".into()), Some("2".into())]);
        assert_eq!(read("").unwrap(), [None, None]);
        assert_eq!(read("a").unwrap(), [Some(String::new()), None]);
        for (query, why) in
            [("c=1", "no parameter `c` here; and that is that"), ("a=1&a=1", "`a` is there twice; and that is that")]
        {
            assert!(format!("{:?}", read(query).unwrap_err()).contains(why), "{query}");
        }
        assert!(none(&"/x".parse().unwrap()).is_ok() && none(&"/x?".parse().unwrap()).is_ok());
        assert!(format!("{:?}", none(&"/x?y".parse().unwrap()).unwrap_err()).contains("no parameter `y` here; /x has none"));
    }
}
