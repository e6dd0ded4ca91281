//! Names an entry for people.

/// The URL of an entry with its digest, or only the digest if the URL is unknown.
pub fn subject(url: Option<&str>, digest: &str) -> String {
    url.map_or_else(|| digest.to_owned(), |url| format!("{url} ({digest})"))
}
