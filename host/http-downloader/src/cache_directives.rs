//! An origin's caching directives (RFC 9111): which caches may store its response, and for how long the response is fresh.
//!
//! Anything unclear is interpreted strictly: an invalid lifetime counts as 0, and so do two conflicting ones.

use std::time::SystemTime;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL, DATE, ETAG, EXPIRES, HeaderName, HeaderValue, LAST_MODIFIED, PRAGMA};
use media_cache_interfaces::{CacheControl, Cacheability, Validators};

/// The longest validator that is stored, in bytes.
const MAX_VALIDATOR_BYTES: usize = 1024;

/// The caching rules in the headers of a response. Where the headers say nothing, the cache decides. If the request had credentials, the
/// media is meant for this cache and its clients, so `private` does not forbid storing it.
pub(crate) fn cache_control(headers: &HeaderMap, now: SystemTime, had_credentials: bool) -> CacheControl {
    let directives = Directives::read(headers);
    let cacheability = directives.cacheability(had_credentials);
    CacheControl { cacheability, max_age: max_age(&directives, headers, now), age: age(headers) }
}

/// The validators of a response. Invalid ones are dropped, since they could not be sent back to the origin.
pub(crate) fn validators(headers: &HeaderMap) -> Validators {
    let text = |name: &HeaderName| {
        let value = only(headers, name)?;
        value.to_str().ok().filter(|text| text.len() <= MAX_VALIDATOR_BYTES)
    };
    let is_date = |_: &&str| headers.get(LAST_MODIFIED).is_some_and(|value| date(value).is_some());
    Validators {
        etag: text(&ETAG).filter(|text| is_entity_tag(text)).map(Into::into),
        last_modified: text(&LAST_MODIFIED).filter(is_date).map(Into::into),
    }
}

/// The directives of `Cache-Control` that matter to a shared cache.
#[derive(Default)]
struct Directives {
    /// Whether there is a `Cache-Control` at all.
    is_present: bool,
    no_store: bool,
    private: bool,
    no_cache: bool,
    must_revalidate: bool,
    max_age: Lifetime,
    s_maxage: Lifetime,
}

impl Directives {
    fn read(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for value in headers.get_all(CACHE_CONTROL) {
            directives.is_present = true;
            split(value.as_bytes()).for_each(|directive| directives.add(directive));
        }
        directives
    }

    fn add(&mut self, directive: &[u8]) {
        let (name, argument) = match directive.iter().position(|byte| *byte == b'=') {
            Some(end) => (&directive[..end], Some(directive[end + 1..].trim_ascii())),
            None => (directive, None),
        };
        // With a quoted list of headers, these two directives apply only to those headers, none of which is passed on.
        let is_list = |argument: &[u8]| argument.starts_with(b"\"") && !unquoted(argument).trim_ascii().is_empty();
        let is_general = !argument.is_some_and(is_list);
        match name.trim_ascii().to_ascii_lowercase().as_slice() {
            b"no-store" => self.no_store = true,
            b"private" => self.private |= is_general,
            b"no-cache" => self.no_cache |= is_general,
            b"must-revalidate" | b"proxy-revalidate" => self.must_revalidate = true,
            b"max-age" => self.max_age.add(argument),
            b"s-maxage" => self.s_maxage.add(argument),
            _ => {}
        }
    }

    /// A cache that serves several clients must not reuse a private response, so it is not stored.
    fn cacheability(&self, had_credentials: bool) -> Cacheability {
        match (self.no_store, self.private) {
            (true, _) => Cacheability::NoStore,
            (false, _) if had_credentials => Cacheability::Private,
            (false, true) => Cacheability::NoStore,
            (false, false) => Cacheability::Public,
        }
    }
}

/// A lifetime in seconds, which may be stated more than once.
#[derive(Clone, Copy, Default)]
struct Lifetime(Option<u32>);

impl Lifetime {
    fn add(&mut self, argument: Option<&[u8]>) {
        let stated = argument.and_then(|argument| delta_seconds(&unquoted(argument))).unwrap_or(0);
        self.0 = Some(if self.0.is_none_or(|other| other == stated) { stated } else { 0 });
    }
}

/// How many seconds the response remains fresh after the origin generated it.
fn max_age(directives: &Directives, headers: &HeaderMap, now: SystemTime) -> Option<u32> {
    if directives.no_cache || (!directives.is_present && has_pragma_no_cache(headers)) {
        return Some(0);
    }
    let stated = directives.s_maxage.0.or(directives.max_age.0);
    let stated = stated.or_else(|| headers.contains_key(EXPIRES).then(|| lifetime_until_expiry(headers, now)));
    // Without a lifetime, `must-revalidate` means that every use requires revalidation.
    stated.or_else(|| directives.must_revalidate.then_some(0))
}

/// The seconds from `Date` to `Expires`. An invalid time, such as `0`, counts as past.
fn lifetime_until_expiry(headers: &HeaderMap, now: SystemTime) -> u32 {
    let expires = only(headers, &EXPIRES).and_then(date);
    let made = only(headers, &DATE).and_then(date).unwrap_or(now);
    let lifetime = expires.and_then(|expires| expires.duration_since(made).ok()).unwrap_or_default();
    u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX)
}

fn has_pragma_no_cache(headers: &HeaderMap) -> bool {
    let mut pragmas = headers.get_all(PRAGMA).into_iter().flat_map(|value| split(value.as_bytes()));
    pragmas.any(|pragma| pragma.eq_ignore_ascii_case(b"no-cache"))
}

/// The `Age` of a response in seconds. If there are several values, only the first counts. An invalid value is ignored.
fn age(headers: &HeaderMap) -> u32 {
    let first = headers.get(AGE).and_then(|value| value.as_bytes().split(|byte| *byte == b',').next());
    first.and_then(|first| delta_seconds(first.trim_ascii())).unwrap_or(0)
}

/// Parses a number of seconds, capped at the maximum.
fn delta_seconds(text: &[u8]) -> Option<u32> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let digits = std::str::from_utf8(text).ok().filter(|_| is_number)?;
    Some(digits.parse().unwrap_or(u32::MAX))
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

/// The value of a header, unless the header is repeated with different values.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let first = headers.get(name)?;
    headers.get_all(name).into_iter().all(|value| value == first).then_some(first)
}

/// Whether this is an entity tag in visible ASCII (RFC 9110, section 8.8.3).
fn is_entity_tag(text: &str) -> bool {
    let opaque = text.strip_prefix("W/").unwrap_or(text).strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    opaque.is_some_and(|opaque| opaque.bytes().all(|byte| byte == b'!' || matches!(byte, b'#'..=b'~')))
}

/// The members of a list, without the white space around them. A comma within a quoted string is not a separator. If a closing quote is
/// missing, every comma is a separator.
fn split(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quotes = Quotes::default();
    list.iter().for_each(|byte| quotes.read(*byte));
    let is_closed = !quotes.is_open;
    let mut quotes = Quotes::default();
    let members = list.split(move |byte| {
        quotes.read(*byte);
        *byte == b',' && !(quotes.is_open && is_closed)
    });
    members.map(<[u8]>::trim_ascii)
}

/// Whether a quoted string is open (RFC 9110, section 5.6.4).
#[derive(Default)]
struct Quotes {
    is_open: bool,
    is_escaped: bool,
}

impl Quotes {
    fn read(&mut self, byte: u8) {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = self.is_open,
            b'"' => self.is_open = !self.is_open,
            _ => {}
        }
    }
}

/// The text of an argument, which may be a quoted string. If the closing quote is missing, the string extends to the end of the value.
fn unquoted(argument: &[u8]) -> Vec<u8> {
    let Some(quoted) = argument.strip_prefix(b"\"") else { return argument.to_vec() };
    let (mut text, mut bytes) = (Vec::new(), quoted.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => text.extend(bytes.next()),
            _ => text.push(*byte),
        }
    }
    text
}

#[cfg(test)]
mod tests;
