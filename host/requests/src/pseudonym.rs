//! The name of a service in `Via`, by which it recognises its own requests (RFC 9110, section 7.6.3).

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::str::FromStr;
use std::sync::Arc;

use http::{HeaderMap, header};

/// The maximum length of a pseudonym, in characters.
const LONGEST: usize = 100;

/// The name of a service in `Via`: a token (RFC 9110, section 5.6.2) of at most 100 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pseudonym(Arc<str>);

/// Why a string is not a pseudonym.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid name for Via: use 1 to {LONGEST} letters, digits and -._~!#$%&'*+^`|")]
pub struct PseudonymError(String);

impl Pseudonym {
    /// A random pseudonym, unique to this service.
    #[must_use]
    pub fn random() -> Self {
        Self(format!("media-cache-{:016x}", RandomState::new().build_hasher().finish()).into())
    }

    /// The pseudonym as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request has passed through the service with this name. Names are compared like host names, ignoring case.
    #[must_use]
    pub fn is_in(&self, headers: &HeaderMap) -> bool {
        let values = headers.get_all(header::VIA).into_iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        // A hop consists of the protocol, the recipient, and optionally a comment.
        let mut received_by = values.filter_map(|hop| hop.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).nth(1));
        received_by.any(|name| name.eq_ignore_ascii_case(self.0.as_bytes()))
    }
}

impl FromStr for Pseudonym {
    type Err = PseudonymError;

    fn from_str(text: &str) -> Result<Self, PseudonymError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!#$%&'*+^`|".contains(&byte);
        let is_token = (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits);
        if is_token { Ok(Self(text.into())) } else { Err(PseudonymError(text.into())) }
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pseudonym_is_found_among_other_hops() {
        let own: Pseudonym = "here".parse().unwrap();
        let is_in = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::VIA, value.parse().unwrap());
            }
            own.is_in(&headers)
        };
        for own in [
            &["1.1 here"][..],
            &["1.1 HERE"],
            &["1.0 fred, HTTP/1.1 here (a comment)"],
            &["1.1 a", "1.1\there , 2 b"],
            &["1.1 here,"],
        ] {
            assert!(is_in(own), "{own:?}");
        }
        for other in
            [&[][..], &[""], &["here"], &["1.1 there"], &["1.1 here.example"], &["1.1 here:8080"], &["1.1 x (here)"], &["here 1.1"]]
        {
            assert!(!is_in(other), "{other:?}");
        }
    }

    #[test]
    fn a_pseudonym_is_a_token() {
        for name in ["here", "media-cache-1", &"x".repeat(100)] {
            assert_eq!(name.parse::<Pseudonym>().unwrap().as_str(), name);
        }
        for name in ["", "a b", "a,b", "a(b", "é", "a\r\nX: y", &"x".repeat(101)] {
            assert!(name.parse::<Pseudonym>().unwrap_err().to_string().contains("is not a valid name for Via"), "{name}");
        }
        assert_ne!(Pseudonym::random(), Pseudonym::random());
        assert!(Pseudonym::random().to_string().parse::<Pseudonym>().is_ok());
    }
}
