//! Hides secrets that any value may contain: those in URLs and in headers.

use std::borrow::Cow;

use media_cache_http_downloader::OriginHeader;

/// What is shown in place of a secret.
const HIDDEN: &str = "***";

/// Replaces the user names, passwords and query strings of all URLs in a text.
pub fn hide(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let after = match after[..end(after, &['/', '?', '#'])].rfind('@') {
            Some(at) => {
                shown.push_str(HIDDEN);
                &after[at..]
            }
            None => after,
        };
        let address = end(after, &['?']);
        shown.push_str(&after[..address]);
        rest = &after[address..];
        if let Some(query) = rest.strip_prefix('?') {
            shown.push('?');
            shown.push_str(HIDDEN);
            rest = &query[end(query, &['#'])..];
        }
    }
    if shown.is_empty() {
        return text.into();
    }
    shown.push_str(rest);
    shown.into()
}

/// The option whose values are headers.
const HEADER: &str = "origin-header";

/// Headers whose values are shown. The value of any other header may be a token.
const PUBLIC_HEADERS: [&str; 4] = ["accept", "accept-language", "referer", "user-agent"];

/// The value of an option, with its secrets replaced.
pub fn value<'a>(option: &str, value: &'a str) -> Cow<'a, str> {
    if option != HEADER {
        return hide(value);
    }
    let Ok(header) = value.parse::<OriginHeader>() else { return HIDDEN.into() };
    if PUBLIC_HEADERS.contains(&header.name().as_str()) {
        return hide(value);
    }
    format!("{}: {HIDDEN}", header.without_value()).into()
}

/// An invalid value of an option, with its secrets replaced. Any part of a value that does not parse can be a secret.
pub fn invalid_value<'a>(option: &str, value: &'a str) -> Cow<'a, str> {
    if option == HEADER { HIDDEN.into() } else { hide(value) }
}

/// The position of the first character that is one of these or that ends a URL in text.
fn end(text: &str, characters: &[char]) -> usize {
    let ends = |c: char| characters.contains(&c) || matches!(c, ',' | '"' | '\'') || c.is_whitespace();
    text.find(ends).unwrap_or(text.len())
}

/// A sentence about an invalid setting, with its secrets replaced.
pub fn refused(setting: &str, why: &str) -> String {
    hide(&format!("{setting}: {why}")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_queries_of_urls_are_replaced() {
        for (text, shown) in [
            ("https://example.com/a", "https://example.com/a"),
            ("https://me:secret@example.com/a@b", "https://***@example.com/a@b"),
            ("https://me:se@cret@example.com", "https://***@example.com"),
            ("x=https://a:b@c,http://d@e:1/?token=f#g", "x=https://***@c,http://***@e:1/?***#g"),
            ("\"https://a:b@c?d\" is not good", "\"https://***@c?***\" is not good"),
            ("me@example.com?a", "me@example.com?a"),
        ] {
            assert_eq!(hide(text), shown);
        }
    }

    #[test]
    fn values_of_headers_that_may_contain_a_token_are_redacted() {
        for (text, shown) in [
            ("User-Agent: bot/1", "User-Agent: bot/1"),
            ("*.example.org=Referer: https://me:secret@example.org/?a", "*.example.org=Referer: https://***@example.org/?***"),
            ("example.org=Authorization: Bearer secret", "example.org=authorization: ***"),
            ("http://cookie.example=COOKIE:a=secret:b", "http://cookie.example=cookie: ***"),
            ("X-Foo : secret x-foo: y", "x-foo: ***"),
            ("X-Api-Key: secret", "***"),
            ("Authorization secret", "***"),
        ] {
            assert_eq!(value(HEADER, text), shown);
        }
        assert_eq!(value("dir", "Cookie: a"), "Cookie: a");
    }
}
