//! What was asked for: a URL as it was given, and the entry that it stands for.

use std::borrow::Cow;

use media_cache_key_rules::KeyRules;

use crate::digest::Key;

/// A URL that was asked for.
pub struct Asked<'a> {
    /// As it was given, which is how it is fetched.
    pub url: &'a str,
    /// What it has in common with all URLs of the same entry, which is how it is stored.
    pub entry_url: Cow<'a, str>,
    /// Names the entry: the digest of `entry_url`.
    pub entry: Key,
}

impl<'a> Asked<'a> {
    /// What `url` stands for under these rules.
    #[must_use]
    pub fn of(url: &'a str, rules: &KeyRules) -> Self {
        let entry_url = rules.key(url);
        let entry = Key::of(&entry_url);
        Self { url, entry_url, entry }
    }

    /// Names the URL as it was given, apart from others of the same entry.
    #[must_use]
    pub fn itself(&self) -> Key {
        if self.url == self.entry_url { self.entry } else { Key::of(self.url) }
    }
}
