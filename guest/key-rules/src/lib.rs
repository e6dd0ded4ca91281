//! Which URLs are the same entry of a media cache.
//!
//! Rules turn the text of a URL into its key, by leaving out what they name and by writing the host in lower case; all else stays as
//! it is, byte by byte. So two URLs have the same key only if they differ in what a rule names, and whatever else is odd about a URL
//! stands in its key as well: nobody can write a URL that is fetched elsewhere and has the key of another's. A URL whose host cannot
//! be told for sure is its own key.
//!
//! The cache component applies the rules. Its host, which serves hits by itself, has to come to the same keys; so both use this crate.

mod parts;
mod preset;
mod rule;

use std::borrow::Cow;

use parts::Parts;
pub use preset::{PRESETS, Preset};
pub use rule::{ParameterRule, RuleError};

/// Which URLs are the same entry; see `key-rules` in `wit/cache.wit`. Without a rule, each URL is its own key, but for those of
/// `mxc://server/id`.
///
/// ```
/// # use media_cache_key_rules::KeyRules;
/// let rules: KeyRules = "discord,*.example.org:sig+expires".parse()?;
/// assert_eq!(rules.key("https://CDN.discordapp.com/a.png?ex=1&is=2&hm=3&"), "https://cdn.discordapp.com/a.png");
/// assert_eq!(rules.key("https://a.example.org/b?sig=1&width=5"), "https://a.example.org/b?width=5");
/// # Ok::<(), media_cache_key_rules::RuleError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRules {
    /// Whether what stands behind `#` is left out: no origin ever sees it.
    pub drop_fragments: bool,
    /// Whether the scheme and the host are taken in lower case. Only ASCII letters change.
    pub lower_case_hosts: bool,
    /// Parameters that are left out, by host. Where several rules cover a host, all of them count.
    pub parameters: Vec<ParameterRule>,
}

impl KeyRules {
    /// The key of `url`. That of a key is itself.
    ///
    /// Names of parameters are compared as they stand: `%65x` is not `ex`, whatever an origin makes of it. Where a parameter is left
    /// out, empty ones (`&&`, or an `&` at the end) go with it, and so does the `?` where nothing is left behind it.
    #[must_use]
    pub fn key<'a>(&self, url: &'a str) -> Cow<'a, str> {
        let Some(parts) = Parts::of(url) else { return Cow::Borrowed(url) };
        let is_mxc = parts.scheme.eq_ignore_ascii_case("mxc");
        let lower = (is_mxc || self.lower_case_hosts) && parts.has_upper_case();
        let query = parts.query.filter(|_| !is_mxc).and_then(|query| self.kept(parts.host, query));
        let fragment = parts.fragment.filter(|_| !is_mxc && !self.drop_fragments);
        if !lower && query.as_deref() == parts.query && fragment == parts.fragment {
            return Cow::Borrowed(url);
        }
        let cased = |text: &'a str| if lower { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) };
        let mut key = [&cased(parts.scheme), "://", parts.userinfo, &cased(parts.host), parts.rest].concat();
        for (mark, part) in [("?", query.as_deref()), ("#", fragment)] {
            if let Some(part) = part {
                key.push_str(mark);
                key.push_str(part);
            }
        }
        Cow::Owned(key)
    }

    /// What of a query is kept, if anything is.
    fn kept<'a>(&self, host: &str, query: &'a str) -> Option<Cow<'a, str>> {
        let rules: Vec<_> = self.parameters.iter().filter(|rule| rule.covers(host)).collect();
        // Some origins see two parameters where there is a semicolon, and the second may change what they answer.
        let named = |pair: &str| {
            let name = pair.split_once('=').map_or(pair, |(name, _)| name);
            !pair.contains(';') && rules.iter().any(|rule| rule.names(name))
        };
        if !query.split('&').any(named) {
            return Some(Cow::Borrowed(query));
        }
        let kept: Vec<_> = query.split('&').filter(|pair| !pair.is_empty() && !named(pair)).collect();
        (!kept.is_empty()).then(|| Cow::Owned(kept.join("&")))
    }
}

/// Several together: what one of them leaves out is left out.
impl FromIterator<Self> for KeyRules {
    fn from_iter<T: IntoIterator<Item = Self>>(all: T) -> Self {
        all.into_iter().fold(Self::default(), |mut together, rules| {
            together.drop_fragments |= rules.drop_fragments;
            together.lower_case_hosts |= rules.lower_case_hosts;
            together.parameters.extend(rules.parameters);
            together
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(rules: &str, table: &[(&str, &str)]) {
        let rules: KeyRules = rules.parse().unwrap();
        for (url, key) in table {
            assert_eq!(rules.key(url), *key, "{url}");
            assert_eq!(rules.key(key), *key, "the key of a key is itself");
        }
    }

    #[test]
    fn without_a_rule_a_url_is_its_own_key() {
        for url in
            ["https://CDN.discordapp.com/a?ex=1&#f", "HTTP://x", "test:a", "", "https://", "://", "ä", "https://x/?", "data:,a#b"]
        {
            assert!(matches!(KeyRules::default().key(url), Cow::Borrowed(key) if key == url), "{url}");
        }
    }

    #[test]
    fn named_parameters_go_and_all_else_stays_as_it_is() {
        let table = [
            ("https://x.org/a?ex=1&is=2&hm=3&", "https://x.org/a"),
            ("https://x.org/a?ex=1&is=2&hm=3&#f", "https://x.org/a#f"),
            ("https://x.org/a?width=5&ex=1&is=2&hm=3&", "https://x.org/a?width=5"),
            ("https://x.org/a?ex=1&is=2&hm=3&=&format=webp&quality=lossless", "https://x.org/a?=&format=webp&quality=lossless"),
            ("https://x.org/a?b=%20+%2B&ex&c=d=e&ex=&f", "https://x.org/a?b=%20+%2B&c=d=e&f"),
            ("https://x.org/a?b&&ex=1&&c&", "https://x.org/a?b&c"),
            ("https://x.org?ex=1", "https://x.org"),
            ("https://x.org:8443/?ex=1", "https://x.org:8443/"),
            ("https://X.ORG/?ex=1", "https://X.ORG/"),
            ("https://x.org/a?ex=1?is=2", "https://x.org/a"),
            ("https://x.org/a?b=1;ex=2", "https://x.org/a?b=1;ex=2"),
            ("https://x.org/a?ex=1;b=2", "https://x.org/a?ex=1;b=2"),
            // Nothing to leave out: not a byte changes.
            ("https://x.org/a?", "https://x.org/a?"),
            ("https://x.org/a?b&&c&", "https://x.org/a?b&&c&"),
            ("https://x.org/a?Ex=1&exx=2&xex=3&e=ex", "https://x.org/a?Ex=1&exx=2&xex=3&e=ex"),
            ("https://x.org/a?%65x=1&e%78=2", "https://x.org/a?%65x=1&e%78=2"),
            ("https://x.org/a?amp;ex=1", "https://x.org/a?amp;ex=1"),
            ("https://x.org/ex=1&is=2/?b", "https://x.org/ex=1&is=2/?b"),
            ("https://x.org/a#?ex=1", "https://x.org/a#?ex=1"),
            ("https://x.org/a#b?c&ex=1", "https://x.org/a#b?c&ex=1"),
        ];
        keys("x.org:ex+is+hm", &table);
    }

    #[test]
    fn a_rule_covers_its_host_or_those_below_it_and_no_other() {
        let table = [
            ("https://x.org/?ex", "https://x.org/"),
            ("https://a.x.org/?ex", "https://a.x.org/?ex"),
            ("https://notx.org/?ex", "https://notx.org/?ex"),
            ("https://x.org.evil.net/?ex", "https://x.org.evil.net/?ex"),
            ("https://x.org./?ex", "https://x.org./?ex"),
            ("https://a.y.org/?ex", "https://a.y.org/"),
            ("https://a.B.Y.org:1/?ex&b", "https://a.B.Y.org:1/?b"),
            ("https://y.org/?ex", "https://y.org/?ex"),
            ("https://.y.org/?ex", "https://.y.org/?ex"),
            ("https://ay.org/?ex", "https://ay.org/?ex"),
            ("https://[2001:DB8::1]:80/?ex", "https://[2001:DB8::1]:80/"),
            ("https://[2001:db8::2]/?ex", "https://[2001:db8::2]/?ex"),
            ("https://b.y.org/?ex&also", "https://b.y.org/"),
        ];
        keys("x.org:ex,*.y.org:ex,b.y.org:also,[2001:db8::1]:ex", &table);
    }

    #[test]
    fn the_host_is_where_a_browser_finds_it() {
        let table = [
            // `\` ends an authority as `/` does, and the last `@` ends the credentials.
            (r"https://evil.net\@x.org/?ex=1", r"https://evil.net\@x.org/?ex=1"),
            (r"https://x.org\@evil.net/?ex=1", r"https://x.org\@evil.net/?ex=1"),
            ("file://C:/?ex=1", "file://C:/?ex=1"),
            (r"other://X.org\@evil.net/?ex=1", r"other://X.org\@evil.net/?ex=1"),
            ("https://x.org@evil.net/?ex=1", "https://x.org@evil.net/?ex=1"),
            ("https://a:b@x.org:80@evil.net/?ex=1", "https://a:b@x.org:80@evil.net/?ex=1"),
            ("https://User:Pass@x.org:80/?ex=1", "https://User:Pass@x.org:80/"),
            ("https://evil.net?@x.org/?ex=1", "https://evil.net?@x.org/?ex=1"),
            ("https://evil.net#@x.org/?ex=1", "https://evil.net#@x.org/?ex=1"),
            ("https://evil.net/x.org/?ex=1", "https://evil.net/x.org/?ex=1"),
            ("https://x.org:80:90/?ex=1", "https://x.org:80:90/"),
            // A browser would find a host in these too; here they are their own keys.
            ("https:/x.org/?ex=1", "https:/x.org/?ex=1"),
            ("https:x.org/?ex=1", "https:x.org/?ex=1"),
            (r"https:\\x.org/?ex=1", r"https:\\x.org/?ex=1"),
            ("https:///x.org/?ex=1", "https:///x.org/?ex=1"),
            ("https://x%2Eorg/?ex=1", "https://x%2Eorg/?ex=1"),
            ("https://x.o\trg/?ex=1", "https://x.o\trg/?ex=1"),
            ("https://x.org/?e\nx=1", "https://x.org/?e\nx=1"),
            (" https://x.org/?ex=1", " https://x.org/?ex=1"),
            ("https://@/?ex=1", "https://@/?ex=1"),
            ("https://[x.org/?ex=1", "https://[x.org/?ex=1"),
            ("a:b://x.org/?ex=1", "a:b://x.org/?ex=1"),
            ("1a://x.org/?ex=1", "1a://x.org/?ex=1"),
        ];
        keys("x.org:ex", &table);
    }

    #[test]
    fn hosts_in_lower_case_leave_paths_and_credentials_alone() {
        let table = [
            ("HTTPS://User@X.Org:80/Path?Query#Fragment", "https://User@x.org:80/Path?Query#Fragment"),
            (r"https://X.Org\Path", r"https://X.Org\Path"),
            ("https://BÜCHER.example/", "https://bÜcher.example/"),
            ("https://[2001:DB8::A]/A", "https://[2001:db8::a]/A"),
            ("https:/X.Org/", "https:/X.Org/"),
            ("test:A", "test:A"),
        ];
        keys("host-case", &table);
    }

    #[test]
    fn fragments_go_with_their_mark() {
        keys(
            "fragments",
            &[("https://x.org/a#b#c?d", "https://x.org/a"), ("https://X.org/?#", "https://X.org/?"), ("x:a#b", "x:a#b")],
        );
    }

    #[test]
    fn matrix_media_is_known_by_server_and_id() {
        let table = [
            ("mxc://Example.ORG/aBc", "mxc://example.org/aBc"),
            ("MXC://example.org:8448/aBc?x=y#z", "mxc://example.org:8448/aBc"),
            ("mxc://example.org/aBc#z?x", "mxc://example.org/aBc"),
            ("mxc://example.org/aBc", "mxc://example.org/aBc"),
            ("mxc:Example.org/a?b", "mxc:Example.org/a?b"),
            ("mxcs://Example.org/a?b", "mxcs://Example.org/a?b"),
        ];
        let none = KeyRules::default();
        for (url, key) in table {
            assert_eq!(none.key(url), key, "{url}");
        }
        keys("example.org:x,fragments", &table[..4]);
    }
}
