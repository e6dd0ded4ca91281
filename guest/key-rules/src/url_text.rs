//! Checks that text can be a URL before a cache looks up or fetches its entry.

/// Rejects text that cannot be a URL. The downloader checks the part after the scheme.
///
/// # Errors
/// Returns the reason why the text cannot be a URL.
pub fn check_url(url: &str) -> Result<(), String> {
    const LONGEST: usize = 8192;
    if url.len() > LONGEST {
        return Err(format!("the URL has {} bytes; the limit is {LONGEST}", url.len()));
    }
    if let Some(invalid) = url.chars().find(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("the URL contains {invalid:?}; percent-encode it"));
    }
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let mut letters = scheme.bytes();
    let starts_with_letter = letters.next().is_some_and(|c| c.is_ascii_alphabetic());
    if !starts_with_letter || !letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.')) {
        return Err("the URL has no scheme; it should start with https:// or http://".into());
    }
    if url.len() == scheme.len() + 1 {
        return Err("the URL ends after its scheme".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_scheme_and_no_white_space() {
        for url in ["https://example.com/a.png", "mxc://server/id", "x:y"] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        for url in ["", "a.png", "https:", "://x", "1http://x", "https://x/a b", "https://x/\n", "ht tp://x", "//host/a"] {
            assert!(check_url(url).is_err(), "{url}");
        }
        assert!(check_url(&format!("https://x/{}", "a".repeat(9000))).unwrap_err().contains("8192"));
    }
}
