//! The path and the query of a request for media, and the signature in them.

use std::time::SystemTime;

use http::Uri;
use url::form_urlencoded::Serializer;

use media_cache_requests::query::read;
use media_cache_requests::{MediaTarget, Signature, SigningKeys};

use crate::input::{Input, text};

const NAMES: [&str; 3] = ["url", "signature", "expires"];

/// Tests the input as a query, and as a path with a query. Also tests it as a line with a number and a URL, which are encoded as clients would, and signed.
pub fn query(data: &[u8]) {
    if let Some(values) = values(&text(data)) {
        check_read(&values);
    }
    check_target(&text(data));
    let mut input = Input::new(data);
    let expires = text(input.line());
    let url = text(input.rest());
    check_written(&url, &expires);
    check_signed(&url, expires.parse().ok());
    check_path(&url, expires.parse().ok());
}

/// Checks that only paths of media are parsed, and that a log has the URL that is parsed.
fn check_target(target: &str) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if let Ok(parsed) = MediaTarget::parse(path, query) {
        assert!(MediaTarget::is_media(path) && !parsed.url.is_empty());
        assert_eq!(MediaTarget::requested_url(path, query).as_ref(), Some(&parsed.url));
    }
}

/// Checks that any URL passes through a path unchanged, with the signature that it has in a query.
fn check_path(url: &str, expires: Option<u64>) {
    let Ok(keys) = SigningKeys::new(["correct horse battery staple"]) else { unreachable!("it is long enough") };
    let digest = [171; 32];
    let signed = keys.sign_with_digest(url, &digest, expires).unwrap_or_default();
    let (path, query) = signed.split_once('?').unwrap_or((&signed, ""));
    match MediaTarget::parse(path, query) {
        Ok(MediaTarget { url: back, authorization, digest: given }) => {
            assert_eq!((back.as_ref(), given), (url, Some(digest)));
            let verified = keys.verify(url, authorization.signature(), SystemTime::UNIX_EPOCH);
            assert_eq!(verified.is_ok(), expires != Some(0), "nothing expires before 1970");
        }
        Err(refused) => assert!(url.is_empty(), "{refused}"),
    }
}

fn values(query: &str) -> Option<[Option<String>; 3]> {
    // A query that is invalid in a URI does not reach the parser.
    let uri: Uri = format!("/media?{query}").parse().ok()?;
    let values = read(uri.query()?, NAMES, "no hint").ok()?;
    Some(values.map(|value| value.map(Into::into)))
}

/// Checks that parsed values are unchanged if they are encoded as clients would, and parsed again. A valid signature has 64 digits.
fn check_read(read: &[Option<String>; 3]) {
    let mut again = Serializer::new(String::new());
    for (name, value) in NAMES.iter().zip(read) {
        again.extend_pairs(value.iter().map(|value| (name, value)));
    }
    assert_eq!(values(&again.finish()).as_ref(), Some(read));
    let [_, signature, expires] = read.each_ref().map(Option::as_deref);
    match Signature::read(signature, expires) {
        Ok(Some(_)) => {
            assert!(signature.is_some_and(|text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())));
            assert!(expires.is_none_or(|text| text.parse::<u64>().is_ok_and(|seconds| seconds.to_string() == text)));
        }
        Ok(None) => assert_eq!((signature, expires), (None, None)),
        Err(_) => assert!(signature.is_some() || expires.is_some()),
    }
}

/// Checks that any text passes through unchanged, and that an additional or repeated parameter is refused.
fn check_written(url: &str, expires: &str) {
    let write = |pairs: &[(&str, &str)]| values(&Serializer::new(String::new()).extend_pairs(pairs).finish());
    let expected = [Some(url.to_owned()), None, Some(expires.to_owned())];
    assert_eq!(write(&[("url", url), ("expires", expires)]).as_ref(), Some(&expected));
    assert_eq!(write(&[("expires", expires), ("url", url)]).as_ref(), Some(&expected), "in any order");
    assert_eq!(write(&[("url", url), ("url", url)]), None, "twice");
    if !NAMES.contains(&expires) {
        assert_eq!(write(&[("url", url), (expires, url)]), None, "{expires:?} is not a parameter");
    }
}

/// Checks that a signature is valid only for its URL and its time.
fn check_signed(url: &str, expires: Option<u64>) {
    let Ok(keys) = SigningKeys::new(["correct horse battery staple"]) else { unreachable!("it is long enough") };
    let signed = keys.sign(url, expires).unwrap_or_default();
    let read = signed.strip_prefix("/media?").and_then(values);
    let Some([Some(back), signature, until]) = read else { unreachable!("{signed}") };
    assert_eq!((back.as_str(), until.as_deref()), (url, expires.map(|expires| expires.to_string()).as_deref()));
    let read = |until: Option<&str>| Signature::read(signature.as_deref(), until).ok().flatten();
    let good = |url: &str, signature: Option<Signature>| keys.verify(url, signature.as_ref(), SystemTime::UNIX_EPOCH).is_ok();
    assert_eq!(good(url, read(until.as_deref())), expires != Some(0), "nothing expires before 1970");
    assert!(!good(&format!("{url}&"), read(until.as_deref())), "another URL");
    assert!(!good(url, read(Some("4102444800"))) || until.as_deref() == Some("4102444800"), "another time");
    assert!(!good(&format!("{}\n{url}", until.as_deref().unwrap_or_default()), read(None)), "a time that is a part of the URL");
    assert!(!good(url, None), "no signature");
}
