//! Cache keys, and the rules for them.

use media_cache_key_rules::KeyRules;
use url::Url;

use crate::input::{Input, text};

/// The input: a line with rules, and a URL. The URL is also tried with fixed rules.
pub fn key_rules(data: &[u8]) {
    let mut input = Input::new(data);
    let rules = text(input.line());
    let url = text(input.rest());
    let always = "discord,*.example.org:sig+expires,[2001:db8::1]:sig";
    for rules in [always, &rules, &format!("{always},{rules}")] {
        if let Ok(rules) = rules.parse() {
            check_key(&rules, &url);
        }
    }
    check_key(&KeyRules::default(), &url);
}

fn check_key(rules: &KeyRules, text: &str) {
    let key = rules.key(text);
    assert!(key.len() <= text.len(), "a key is never longer than its URL");
    assert_eq!(rules.key(&key), key, "the key of a key is itself");
    match (Url::parse(text), Url::parse(&key)) {
        (Ok(url), Ok(key)) => check_place(&url, &key),
        // The key of text that is not a URL is not a URL either.
        (url, key) => assert_eq!(url.is_ok(), key.is_ok(), "{text:?}"),
    }
}

/// Checks with a parser of the URL Standard that a key refers to the same resource as its URL, apart from removed parameters.
fn check_place(url: &Url, key: &Url) {
    assert_eq!(url.scheme(), key.scheme());
    assert_eq!(host(url), host(key));
    assert_eq!(url.path(), key.path());
    if url.scheme() == "mxc" {
        return;
    }
    assert_eq!((url.username(), url.password(), url.port()), (key.username(), key.password(), key.port()));
    let mut all = parameters(url);
    assert!(parameters(key).all(|kept| all.any(|parameter| parameter == kept)), "{url} became {key}");
    assert!(key.fragment().is_none_or(|fragment| url.fragment() == Some(fragment)));
}

/// The host in lower case, because the parser does not convert hosts of unknown schemes.
fn host(url: &Url) -> Option<String> {
    url.host_str().map(str::to_ascii_lowercase)
}

fn parameters(url: &Url) -> impl Iterator<Item = &str> {
    url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty())
}
