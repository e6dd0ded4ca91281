//! Properties of cache keys for arbitrary URLs, checked against a parser that implements the URL Standard.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use media_cache_key_rules::{KeyRules, ParameterRule};
use proptest::prelude::*;
use url::Url;

/// The rules for all tests.
fn rules() -> KeyRules {
    "discord,*.example.org:sig+expires,[2001:db8::1]:sig".parse().unwrap()
}

/// Arbitrary text, and text that resembles a URL, built from pieces that parsers treat differently.
fn near_urls() -> impl Strategy<Value = String> {
    let pieces = [
        "https",
        "HTTP",
        "mxc",
        ":",
        "://",
        "/",
        "\\",
        "//",
        "@",
        "?",
        "#",
        "&",
        "=",
        ";",
        "%",
        "%65x",
        "%2e",
        ".",
        "..",
        "[",
        "]",
        "[::1]",
        "[2001:DB8::1]",
        "ex",
        "is=1",
        "hm=2",
        "sig",
        "expires=",
        "width=5",
        "cdn.discordapp.com",
        "CDN.DiscordApp.com",
        "a.example.org",
        "example.org",
        "evil.net",
        ":80",
        ":443",
        "user:pass@",
        "ä",
        "🎁",
        " ",
        "\t",
        "\n",
        "\0",
        "+",
        "*",
    ];
    prop_oneof![
        any::<String>(),
        prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..24).prop_map(|pieces| pieces.concat()),
    ]
}

/// URLs with a host that the rules cover, or a similar one.
fn urls() -> impl Strategy<Value = String> {
    let host = prop::sample::select(vec![
        "cdn.discordapp.com",
        "CDN.DiscordApp.com",
        "media.discordapp.net",
        "a.b.example.org",
        "A.example.ORG",
        "example.org",
        "notexample.org",
        "cdn.discordapp.com.",
        "evil.net\\@cdn.discordapp.com",
        "cdn.discordapp.com\\@evil.net",
        "cdn.discordapp.com@evil.net",
        "evil.net@cdn.discordapp.com",
        "[2001:db8::1]",
        "[2001:DB8::1]:80",
        "127.0.0.1:8080",
        "bücher.example",
        "cdn%2Ediscordapp.com",
    ]);
    let piece = prop_oneof![
        prop::sample::select(vec![
            "ex", "is=2", "hm=3", "sig=4", "expires", "%65x=1", "Ex=1", "width=5", "=", "", "a;ex=1", "q=a?b"
        ])
        .prop_map(String::from),
        "[a-z0-9%+=;?@:/é]{0,6}",
    ];
    let query = prop::option::of(prop::collection::vec(piece, 0..6).prop_map(|pieces| format!("?{}", pieces.join("&"))));
    let fragment = prop::option::of("#[a-z?&=#/]{0,6}");
    let scheme = prop::sample::select(vec!["https", "http", "HTTPS"]);
    (scheme, host, "(/[A-Za-z0-9.%&=;@:-]{0,5}){0,3}", query, fragment).prop_map(|(scheme, host, path, query, fragment)| {
        format!("{scheme}://{host}{path}{}{}", query.unwrap_or_default(), fragment.unwrap_or_default())
    })
}

/// URLs from a set so small that two of them often have the same key.
fn few_urls() -> impl Strategy<Value = String> {
    let host = prop::sample::select(vec![
        "cdn.discordapp.com",
        "CDN.discordapp.com",
        "evil.net\\@cdn.discordapp.com",
        "a@cdn.discordapp.com",
    ]);
    let piece = prop::sample::select(vec!["ex=1", "ex=2", "is", "", "%65x=1", "b"]);
    (host, prop::collection::vec(piece, 0..4)).prop_map(|(host, pieces)| format!("https://{host}/?{}", pieces.join("&")))
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_ascii_lowercase()
}

/// The non-empty parameters of a URL that are not removed, because no rule names them or they contain a semicolon, which may separate two.
/// They are returned as written.
fn remaining(url: &Url, rules: &KeyRules) -> Vec<String> {
    let host = host_of(url);
    let covers = |rule: &&ParameterRule| match rule.host().strip_prefix("*.") {
        Some(domain) => host.strip_suffix(domain).is_some_and(|below| below.len() > 1 && below.ends_with('.')),
        None => host == rule.host(),
    };
    let dropped: Vec<_> = rules.parameters.iter().filter(covers).flat_map(ParameterRule::drop).collect();
    let pairs = url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let named = |pair: &&str| !pair.contains(';') && dropped.iter().any(|name| pair.split('=').next() == Some(name));
    pairs.filter(|pair| !named(pair)).map(Into::into).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cache_key_is_idempotent_for_any_text(text in near_urls()) {
        for rules in [rules(), KeyRules::default()] {
            let key = rules.key(&text).into_owned();
            prop_assert!(key.len() <= text.len());
            prop_assert_eq!(rules.key(&key), key.as_str());
        }
    }

    #[test]
    fn cache_key_leads_to_the_same_resource_as_its_url(text in prop_oneof![urls(), near_urls()]) {
        let rules = rules();
        let key = rules.key(&text);
        let Ok(url) = Url::parse(&text) else {
            // If the text is not a URL, its key is not a URL either.
            prop_assert!(Url::parse(&key).is_err(), "{text:?} became {key:?}");
            return Ok(());
        };
        let key_url = Url::parse(&key).map_err(|error| TestCaseError::fail(format!("{text:?} became {key:?}: {error}")))?;
        if url.scheme() == "mxc" {
            prop_assert_eq!(host_of(&url), host_of(&key_url));
            prop_assert_eq!(url.path(), key_url.path());
            return Ok(());
        }
        prop_assert_eq!(url.scheme(), key_url.scheme());
        prop_assert_eq!((url.username(), url.password()), (key_url.username(), key_url.password()));
        // A parser does not treat hosts of other schemes as domain names. They may change only in case.
        prop_assert_eq!(host_of(&url), host_of(&key_url), "{} became {}", text, key);
        prop_assert_eq!((url.port(), url.path()), (key_url.port(), key_url.path()), "{} became {}", text, key);
        // If a parameter was removed, compare what remains of the query; otherwise all of it, byte for byte.
        let all: Vec<_> = url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect();
        let left = key_url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect::<Vec<_>>();
        if left.len() == all.len() {
            prop_assert_eq!(url.query(), key_url.query());
        } else {
            prop_assert_eq!(left, remaining(&url, &rules), "{} became {}", text, key);
        }
    }

    #[test]
    fn parameters_named_by_rules_are_removed(text in urls()) {
        let (rules, url) = (rules(), Url::parse(&text));
        let Ok(url) = url else { return Ok(()) };
        // A pattern matches the host that a parser returns. Hosts that are written differently, such as with `%2E` or after a backslash,
        // are not checked.
        if !text.to_ascii_lowercase().contains(&host_of(&url)) || text.contains('\\') {
            return Ok(());
        }
        let key = rules.key(&text);
        let key_url = Url::parse(&key).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(key_url.fragment(), None);
        prop_assert_eq!(remaining(&key_url, &rules), remaining(&url, &rules));
        if remaining(&url, &rules).is_empty() && url.query().is_some_and(|query| query.split('&').any(|pair| !pair.is_empty())) {
            prop_assert_eq!(key_url.query(), None, "{} became {}", text, key);
        }
    }

    #[test]
    fn urls_with_the_same_cache_key_lead_to_the_same_place(one in few_urls(), other in few_urls()) {
        let rules = rules();
        if rules.key(&one) != rules.key(&other) {
            return Ok(());
        }
        let (one, other) = (Url::parse(&one).unwrap(), Url::parse(&other).unwrap());
        prop_assert_eq!((one.host(), one.username(), one.path()), (other.host(), other.username(), other.path()));
        prop_assert_eq!(remaining(&one, &rules), remaining(&other, &rules));
    }
}
