use std::time::{Duration, UNIX_EPOCH};

use super::*;

/// One minute after the date of the examples in RFC 9110.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(784_111_777 + 60)
}

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

/// The directives in these headers.
fn read(lines: &[(&'static str, &'static str)]) -> (Cacheability, Option<u32>) {
    let CacheControl { cacheability, max_age, .. } = cache_control(&headers(lines), now(), false);
    (cacheability, max_age)
}

fn directives(value: &'static str) -> (Cacheability, Option<u32>) {
    read(&[("cache-control", value)])
}

use Cacheability::{NoStore, Public};

#[test]
fn media_fetched_with_credentials_is_private_unless_it_must_not_be_stored() {
    for (value, cacheability) in [("private", Cacheability::Private), ("public", Cacheability::Private), ("no-store", NoStore)] {
        let CacheControl { cacheability: read, max_age, .. } =
            cache_control(&headers(&[("cache-control", value), ("cache-control", "max-age=5")]), now(), true);
        assert_eq!((read, max_age), (cacheability, Some(5)), "{value}");
    }
}

#[test]
fn no_store_and_private_forbid_storing_in_every_notation() {
    for (value, cacheability) in [
        ("no-store", NoStore),
        ("No-StOrE", NoStore),
        ("max-age=10000, no-store", NoStore),
        ("public,no-store", NoStore),
        ("no-store=\"x\"", NoStore),
        ("foo=\"a, b\", no-store", NoStore),
        ("foo=\"a\\\", b\", no-store", NoStore),
        ("private, max-age=3600", NoStore),
        ("PRIVATE", NoStore),
        ("private=\"\"", NoStore),
        ("private=\" \"", NoStore),
        ("private=\"set-cookie\", private", NoStore),
        (",,\t private ,", NoStore),
        ("private=\"set-cookie\"", Public),
        ("private=set-cookie", NoStore),
        ("private=1", NoStore),
        ("foo=\"bar, no-store", NoStore),
        ("foo=\"bar\\\", private", NoStore),
        ("foo=\"no-store\"", Public),
        ("foo=\"a, no-store\"", Public),
        ("foo=\"a\\\", no-store, b\"", Public),
        ("no-storeage, xprivate", Public),
        ("public", Public),
        ("", Public),
    ] {
        assert_eq!(directives(value).0, cacheability, "{value}");
    }
    assert_eq!(read(&[("cache-control", "public"), ("cache-control", "no-store")]).0, NoStore, "a second line counts");
    assert_eq!(
        read(&[("cache-control", "foo=\"bar"), ("cache-control", "private")]).0,
        NoStore,
        "a quoted string ends with its line"
    );
    assert_eq!(read(&[("pragma", "no-store")]).0, Public);
}

#[test]
fn lifetime_is_read_from_max_age_or_s_maxage_and_is_0_if_invalid() {
    for (value, max_age) in [
        ("max-age=60", Some(60)),
        ("Max-Age=60", Some(60)),
        ("max-age=\"60\"", Some(60)),
        ("max-age=0060", Some(60)),
        ("max-age = 60", Some(60)),
        ("max-age=0", Some(0)),
        ("max-age=99999999999999999999", Some(u32::MAX)),
        ("max-age=60, max-age=60", Some(60)),
        ("max-age=60, max-age=90", Some(0)),
        ("max-age=90, max-age=60, max-age=60", Some(0)),
        ("max-age", Some(0)),
        ("max-age=", Some(0)),
        ("max-age=-1", Some(0)),
        ("max-age=1.5", Some(0)),
        ("max-age=60s", Some(0)),
        ("max-age='60'", Some(0)),
        ("max-age=60, s-maxage=7", Some(7)),
        ("s-maxage=7, max-age=60", Some(7)),
        ("max-age=60, s-maxage=x", Some(0)),
        ("max-age=60, must-revalidate", Some(60)),
        ("must-revalidate", Some(0)),
        ("proxy-revalidate", Some(0)),
        ("no-cache, max-age=60", Some(0)),
        ("No-CaChE", Some(0)),
        ("no-cache=\"\"", Some(0)),
        ("no-cache=\"set-cookie\", max-age=60", Some(60)),
        ("no-cache=\"set-cookie\"", None),
        ("immutable, stale-while-revalidate=60", None),
        ("public", None),
    ] {
        assert_eq!(directives(value).1, max_age, "{value}");
    }
    assert_eq!(read(&[("cache-control", "public"), ("cache-control", "max-age=5")]).1, Some(5));
}

#[test]
fn expires_is_relative_to_date_and_ignored_if_cache_control_has_a_lifetime() {
    const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    const EXPIRES: (&str, &str) = ("expires", "Sun, 06 Nov 1994 08:51:37 GMT");
    for (lines, max_age) in [
        (&[EXPIRES, DATE][..], Some(120)),
        (&[EXPIRES], Some(60)),
        (&[EXPIRES, ("date", "yesterday")], Some(60)),
        (&[EXPIRES, DATE, ("cache-control", "max-age=7")], Some(7)),
        (&[EXPIRES, DATE, ("cache-control", "s-maxage=8")], Some(8)),
        (&[EXPIRES, DATE, ("cache-control", "public")], Some(120)),
        (&[EXPIRES, DATE, ("cache-control", "no-cache")], Some(0)),
        (&[EXPIRES, EXPIRES, DATE], Some(120)),
        (&[EXPIRES, ("expires", "Sun, 06 Nov 1994 09:51:37 GMT"), DATE], Some(0)),
        (&[("expires", "0"), DATE], Some(0)),
        (&[("expires", "Sun, 06 Nov 1994 08:40:00 GMT"), DATE], Some(0)),
        (&[("expires", "Fri, 31 Dec 9999 23:59:59 GMT"), DATE], Some(u32::MAX)),
        (&[DATE], None),
    ] {
        assert_eq!(read(lines), (Public, max_age), "{lines:?}");
    }
}

#[test]
fn pragma_applies_only_without_cache_control() {
    assert_eq!(read(&[("pragma", "no-cache")]).1, Some(0));
    assert_eq!(read(&[("pragma", "x, No-Cache")]).1, Some(0));
    assert_eq!(read(&[("pragma", "no-cache"), ("cache-control", "max-age=60")]).1, Some(60));
    assert_eq!(read(&[("pragma", "no-cache"), ("cache-control", "public")]).1, None);
    assert_eq!(read(&[("pragma", "x")]).1, None);
}

#[test]
fn only_the_first_value_of_the_age_header_counts() {
    for (value, age) in
        [("30", 30), (" 30 ", 30), ("30, 7", 30), ("99999999999", u32::MAX), ("-1", 0), ("x, 7", 0), ("1.5", 0), ("", 0)]
    {
        assert_eq!(cache_control(&headers(&[("age", value)]), now(), false).age, age, "{value:?}");
    }
    assert_eq!(cache_control(&HeaderMap::new(), now(), false), CacheControl::default());
}

#[test]
fn valid_validators_are_kept_as_received() {
    let etag = |value: &'static str| validators(&headers(&[("etag", value)])).etag;
    for value in ["\"a\"", "W/\"a!#~\"", "\"\"", "\"a\\b\""] {
        assert_eq!(etag(value).as_deref(), Some(value));
    }
    for value in ["a", "\"a", "a\"", "\"", "w/\"a\"", "\"a b\"", "\"a\"b\"", "\"a\" ", "W/a", "", "*"] {
        assert_eq!(etag(value), None, "{value:?}");
    }
    for (length, is_kept) in [(1022, true), (1023, false)] {
        let mut headers = HeaderMap::new();
        headers.insert(ETAG, format!("\"{}\"", "e".repeat(length)).parse().unwrap());
        assert_eq!(validators(&headers).etag.is_some(), is_kept, "{length}");
    }
    assert_eq!(validators(&headers(&[("etag", "\"a\""), ("etag", "\"b\"")])).etag, None);
    let modified = |value: &'static str| validators(&headers(&[("last-modified", value)])).last_modified;
    for value in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT"] {
        assert_eq!(modified(value).as_deref(), Some(value));
    }
    for value in ["yesterday", "0", ""] {
        assert_eq!(modified(value), None, "{value:?}");
    }
    assert!(validators(&HeaderMap::new()).is_empty());
}
