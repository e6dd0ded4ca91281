//! Patterns for hosts: one host, or every host below a domain. Rules and filters use the same patterns.

use crate::rule_error::RuleError;
use crate::url_parts::UrlParts;

/// A host such as `cdn.example.org`, or `*.example.org` for every host below `example.org`. Case and ports are ignored.
///
/// ```
/// # use media_cache_key_rules::HostPattern;
/// let pattern = HostPattern::new("*.example.org")?;
/// assert!(pattern.matches_url("https://CDN.example.org:8443/a.png"));
/// assert!(!pattern.matches_url("https://example.org/a.png"));
/// # Ok::<(), media_cache_key_rules::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(String);

impl HostPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// [`RuleError::Host`] if the text cannot match the host of any URL.
    pub fn new(text: &str) -> Result<Self, RuleError> {
        if is_host(text.strip_prefix("*.").unwrap_or(text)) {
            Ok(Self::unchecked(text))
        } else {
            Err(RuleError::Host { host: text.into() })
        }
    }

    pub(crate) fn unchecked(text: &str) -> Self {
        Self(text.to_ascii_lowercase())
    }

    /// The pattern in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a host, without its port, matches.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self.0.strip_prefix('*') {
            Some(domain) => {
                let below = host.len().checked_sub(domain.len()).filter(|below| *below > 0);
                below.is_some_and(|below| host.as_bytes()[below..].eq_ignore_ascii_case(domain.as_bytes()))
            }
            None => host.eq_ignore_ascii_case(&self.0),
        }
    }

    /// Whether the host of a URL matches. A URL whose host is ambiguous matches nothing.
    #[must_use]
    pub fn matches_url(&self, url: &str) -> bool {
        UrlParts::of(url).is_some_and(|parts| self.matches(parts.host))
    }
}

/// Whether the text can be the host of a URL.
fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[') {
        let address = address.strip_suffix(']').unwrap_or_default();
        return address.contains(':') && address.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
    }
    // URLs may contain `*` and `+` in hosts, but in a rule they are nearly always a mistake.
    let invalid = |char: char| char.is_whitespace() || char.is_control() || r#"#/<>?@[\]^|%:*+&="#.contains(char);
    !text.contains(invalid) && !text.split('.').any(str::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_host_of_a_url_on_any_port() {
        let matches = |pattern: &str, url: &str| HostPattern::new(pattern).unwrap().matches_url(url);
        for (pattern, url) in [
            ("x.org", "https://x.org/a"),
            ("X.org", "https://x.ORG:8443"),
            ("x.org", "mxc://x.org/id"),
            ("*.x.org", "https://a.b.x.org/?q#f"),
            ("[::1]", "http://user@[::1]:80/"),
        ] {
            assert!(matches(pattern, url), "{pattern} {url}");
        }
        for (pattern, url) in [
            ("x.org", "https://a.x.org/"),
            ("*.x.org", "https://x.org/"),
            ("*.x.org", "https://.x.org/"),
            ("x.org", "https://y.org/x.org"),
            ("x.org", r"https://evil.net\@x.org/"),
            ("x.org", "x.org"),
        ] {
            assert!(!matches(pattern, url), "{pattern} {url}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_match_is_an_error() {
        for text in ["", "*", "*.", "https://x.org", "x.org:80", "x..org", "x.org.", "a b", "[x]"] {
            assert_eq!(HostPattern::new(text), Err(RuleError::Host { host: text.into() }));
        }
    }
}
