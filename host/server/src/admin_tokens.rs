//! Bearer tokens that grant administration rights (RFC 6750).

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use media_cache_requests::{WeakSecret, check_length};

/// Bearer tokens, any of which grants administration rights. Only their digests are kept.
#[derive(Clone, Default)]
pub struct AdminTokens(Vec<[u8; 32]>);

/// The contents of the `Authorization` header of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// No bearer token.
    Missing,
    /// An unknown bearer token, or several `Authorization` headers.
    Invalid,
    /// One of the configured tokens.
    Valid,
}

impl AdminTokens {
    /// Accepts several tokens, so that a new token can be used before the old one is removed.
    ///
    /// # Errors
    /// If a token has fewer than 16 bytes, or contains bytes that cannot be sent as a token.
    pub fn new<T: AsRef<[u8]>>(tokens: impl IntoIterator<Item = T>) -> Result<Self, WeakSecret> {
        let digest = |token: T| {
            let token = token.as_ref();
            check_length(token)?;
            if is_token(token) { Ok(Sha256::digest(token).into()) } else { Err(WeakSecret::Unsendable) }
        };
        tokens.into_iter().map(digest).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are no tokens. If so, no credentials are valid.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks the `Authorization` header of a request. The time taken depends on the number of tokens, not on their content.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Credentials {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return if headers.contains_key(header::AUTHORIZATION) { Credentials::Invalid } else { Credentials::Missing };
        };
        let (scheme, token) =
            value.as_bytes().split_at(value.as_bytes().iter().position(|byte| *byte == b' ').unwrap_or(value.len()));
        if !scheme.eq_ignore_ascii_case(b"bearer") {
            return Credentials::Missing;
        }
        let digest: [u8; 32] = Sha256::digest(token.trim_ascii()).into();
        let known = self.0.iter().fold(Choice::from(0), |known, token| known | token.ct_eq(&digest));
        if known.into() { Credentials::Valid } else { Credentials::Invalid }
    }
}

/// Whether these bytes can be sent as a token: `b64token` in RFC 6750, section 2.1.
fn is_token(bytes: &[u8]) -> bool {
    let end = bytes.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let (body, _padding) = bytes.split_at(end);
    !body.is_empty() && body.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte))
}

impl std::fmt::Debug for AdminTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tokens", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "0123456789abcdef";
    const NEW: &str = "fedcba9876543210/+=";

    fn check(tokens: &AdminTokens, authorizations: &[&str]) -> Credentials {
        let mut headers = HeaderMap::new();
        for value in authorizations {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        tokens.check(&headers)
    }

    #[test]
    fn only_the_configured_tokens_are_valid() {
        let tokens = AdminTokens::new([OLD, NEW]).unwrap();
        for right in [format!("Bearer {OLD}"), format!("bearer {NEW}"), format!("BEARER   {OLD} ")] {
            assert_eq!(check(&tokens, &[&right]), Credentials::Valid, "{right}");
        }
        for wrong in [
            "Bearer",
            "Bearer ",
            "Bearer 0123456789abcdee",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer 0123456789ABCDEF",
        ] {
            assert_eq!(check(&tokens, &[wrong]), Credentials::Invalid, "{wrong}");
        }
        for nothing in [&[][..], &["Basic MDEyMzQ1Njc4OWFiY2RlZg=="], &[OLD], &["Bearer0123456789abcdef"]] {
            assert_eq!(check(&tokens, nothing), Credentials::Missing, "{nothing:?}");
        }
        let right = format!("Bearer {OLD}");
        assert_eq!(check(&tokens, &[&right, &right]), Credentials::Invalid, "two headers are refused");
        assert_eq!(check(&AdminTokens::default(), &[&right]), Credentials::Invalid);
    }

    #[test]
    fn a_weak_or_unsendable_token_is_refused() {
        assert_eq!(AdminTokens::new(["0123456789abcde"]).unwrap_err(), WeakSecret::Short(15));
        for token in ["0123456789 abcdef", "0123456789abcdef\n", "0123456789abcdéf", "0123=456789abcdef", "================"] {
            assert_eq!(AdminTokens::new([token]).unwrap_err(), WeakSecret::Unsendable, "{token}");
        }
        assert_eq!(format!("{:?}", AdminTokens::new([OLD]).unwrap()), "1 tokens");
    }
}
