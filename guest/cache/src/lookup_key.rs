//! The keys of a request, computed once when it enters the cache.

use std::borrow::Cow;
use std::cell::OnceCell;

use media_cache_entry_files::KeyDigest;
use media_cache_key_rules::{KeyRules, check_url};

/// The URL of a request, and the keys derived from it.
pub struct LookupKey<'a> {
    /// The URL as the caller gave it. It is fetched, and failures are remembered by it.
    pub request_key: &'a str,
    /// The canonical URL, which all URLs of the entry have in common. It is stored and listed.
    pub cache_key: Cow<'a, str>,
    /// The digest of the cache key, which identifies the entry.
    pub digest: KeyDigest,
    request_digest: OnceCell<KeyDigest>,
}

impl<'a> LookupKey<'a> {
    /// The keys of a URL under these rules.
    ///
    /// # Errors
    /// Returns a text that says why `url` cannot be a URL.
    pub fn parse(url: &'a str, rules: &KeyRules) -> Result<Self, String> {
        check_url(url)?;
        Ok(Self::unchecked(url, rules))
    }

    /// The keys of text that is not checked. If it is not a URL, it can only match an entry that another program stored for the same text.
    #[must_use]
    pub fn unchecked(url: &'a str, rules: &KeyRules) -> Self {
        let cache_key = rules.key(url);
        let digest = KeyDigest::of(&cache_key);
        Self { request_key: url, cache_key, digest, request_digest: OnceCell::new() }
    }

    /// The digest of the URL as given, which distinguishes it from other URLs of the same entry. It is computed when first needed; hits do
    /// not need it.
    #[must_use]
    pub fn request_digest(&self) -> KeyDigest {
        let digest = || if self.request_key == self.cache_key { self.digest } else { KeyDigest::of(self.request_key) };
        *self.request_digest.get_or_init(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_one_cache_key_share_its_digest_and_differ_in_request_digest() {
        let rules: KeyRules = "x.org:sig".parse().unwrap();
        let signed = LookupKey::parse("https://x.org/a?sig=1", &rules).unwrap();
        let plain = LookupKey::parse("https://x.org/a", &rules).unwrap();
        assert_eq!((signed.cache_key.as_ref(), signed.digest), ("https://x.org/a", plain.digest));
        assert_eq!(signed.request_digest(), KeyDigest::of("https://x.org/a?sig=1"));
        assert_eq!(plain.request_digest(), plain.digest);
    }

    #[test]
    fn invalid_url_has_a_lookup_key_only_if_unchecked() {
        let rules = KeyRules::default();
        assert!(LookupKey::parse("a b", &rules).is_err());
        assert_eq!(LookupKey::unchecked("a b", &rules).digest, KeyDigest::of("a b"));
    }
}
