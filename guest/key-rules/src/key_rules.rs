//! The rules, and how they turn a URL into its cache key.

use std::borrow::Cow;

use crate::parameter_rule::ParameterRule;
use crate::preset::Preset;
use crate::url_parts::UrlParts;

/// Which URLs denote the same entry; see `key-rules` in the WIT. Without rules, each URL is its own cache key, except URLs of the form
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
    /// Whether to remove the fragment, which is never sent to an origin.
    pub drop_fragments: bool,
    /// Whether to convert the scheme and the host to lower case. Only ASCII letters change.
    pub lower_case_hosts: bool,
    /// Query parameters to remove, by host. If several rules cover a host, all of them apply.
    pub parameters: Vec<ParameterRule>,
}

impl KeyRules {
    /// Returns the cache key of `url`. The cache key of a cache key is that cache key itself.
    ///
    /// Names of parameters are compared as written: `%65x` is not `ex`, even if an origin treats them the same. If any parameter is
    /// removed, empty ones (`&&`, or an `&` at the end) are removed too, and so is the `?` if nothing remains after it.
    #[must_use]
    pub fn key<'a>(&self, url: &'a str) -> Cow<'a, str> {
        // Every hit needs the key, so the most common case avoids parsing: without rules, only `mxc://` URLs change.
        if self.is_empty() && !url.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mxc:")) {
            return Cow::Borrowed(url);
        }
        let Some(parts) = UrlParts::of(url) else { return Cow::Borrowed(url) };
        let is_mxc = parts.scheme.eq_ignore_ascii_case("mxc");
        let lower = (is_mxc || self.lower_case_hosts) && parts.has_upper_case();
        let query = parts.query.filter(|_| !is_mxc).and_then(|query| self.remaining(parts.host, query));
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

    fn is_empty(&self) -> bool {
        !self.drop_fragments && !self.lower_case_hosts && self.parameters.is_empty()
    }

    /// Returns what remains of a query, if anything does.
    fn remaining<'a>(&self, host: &str, query: &'a str) -> Option<Cow<'a, str>> {
        let rules: Vec<_> = self.parameters.iter().filter(|rule| rule.covers(host)).collect();
        // Some origins treat a semicolon as a separator, and the text after it may affect their response.
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

/// Combines rules: the result removes everything that any of them removes.
impl FromIterator<Self> for KeyRules {
    fn from_iter<T: IntoIterator<Item = Self>>(all: T) -> Self {
        all.into_iter().fold(Self::default(), |mut combined, rules| {
            combined.drop_fragments |= rules.drop_fragments;
            combined.lower_case_hosts |= rules.lower_case_hosts;
            combined.parameters.extend(rules.parameters);
            combined
        })
    }
}

impl Preset {
    /// The rules of the preset.
    #[must_use]
    pub fn rules(&self) -> KeyRules {
        let rule = |host: &&str| ParameterRule::unchecked(host, self.parameters.iter().copied());
        KeyRules { drop_fragments: true, lower_case_hosts: true, parameters: self.hosts.iter().map(rule).collect() }
    }
}

#[cfg(test)]
mod tests;
