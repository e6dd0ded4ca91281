//! The target of a GET or HEAD request for media, which has one of these forms:
//!
//! ```text
//! /media?url=URL&expires=SECONDS&signature=SIGNATURE
//! /media/SIGNATURE/DIGEST/URL?expires=SECONDS
//! /HMAC/URL   or   /HMAC?url=URL     (links made for camo)
//! ```
//!
//! In the second form, a load balancer finds the digest of the cache key without decoding anything. The signature is the same as in the
//! first form, or the word `unsigned`.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::camo::{CamoSignature, Encoding};
use crate::hex;
use crate::invalid_request::InvalidRequest;
use crate::query::{self, ENCODE_URL};
use crate::signature::Signature;

/// The path of the first form.
const MEDIA: &str = "/media";

/// In place of a signature, in the second form.
const UNSIGNED: &str = "unsigned";

/// A request for the media of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaTarget<'a> {
    /// The URL of the media.
    pub url: Cow<'a, str>,
    /// What permits the request.
    pub authorization: Authorization,
    /// The digest of the cache key of the URL, according to the client.
    pub digest: Option<[u8; 32]>,
}

/// What permits a request, according to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// Nothing.
    None,
    /// A signature.
    Signature(Signature),
    /// The HMAC of a link made for camo.
    Camo(CamoSignature),
}

impl<'a> MediaTarget<'a> {
    /// Whether the path is one of media, though the request may be malformed.
    #[must_use]
    pub fn is_media(path: &str) -> bool {
        Form::of(path).is_some()
    }

    /// Whether the path is that of a link made for camo.
    #[must_use]
    pub fn is_camo(path: &str) -> bool {
        matches!(Form::of(path), Some(Form::Camo { .. }))
    }

    /// The URL of a request that may be refused for other reasons, for a log.
    #[must_use]
    pub fn requested_url(path: &'a str, query: &'a str) -> Option<Cow<'a, str>> {
        match Form::of(path) {
            Some(Form::Digest { url, .. }) => percent_decode_str(url).decode_utf8().ok(),
            Some(Form::Camo { encoding, url: Some(url), .. }) => encoding.decode(url).map(Cow::from),
            _ => query::parameters(query).flatten().find(|(name, _)| name == "url").map(|(_, url)| url),
        }
    }

    /// Parses a path and a query.
    ///
    /// # Errors
    /// If the path is not one of media, a part of it or a parameter is malformed, or a parameter is unknown, missing or repeated.
    pub fn parse(path: &'a str, query: &'a str) -> Result<Self, InvalidRequest> {
        match Form::of(path).ok_or_else(InvalidRequest::no_such_path)? {
            Form::Query => {
                let [url, signature, expires] = query::read(query, ["url", "signature", "expires"], ENCODE_URL)?;
                let authorization = Authorization::read(signature.as_deref(), expires.as_deref())?;
                Ok(Self { url: given(url)?, authorization, digest: None })
            }
            Form::Digest { signature, digest, url } => {
                let [expires] = query::read(query, ["expires"], ENCODE_URL)?;
                let signature = Some(signature).filter(|signature| *signature != UNSIGNED);
                let authorization = Authorization::read(signature, expires.as_deref())?;
                let digest = read_digest(digest).ok_or_else(|| {
                    InvalidRequest::bad_request("the digest in the path is not 64 hexadecimal digits in lower case")
                })?;
                let url = percent_decode_str(url).decode_utf8();
                let url = url.map_err(|_| InvalidRequest::bad_request("the URL in the path is not UTF-8"))?;
                Ok(Self { url: given(Some(url))?, authorization, digest: Some(digest) })
            }
            Form::Camo { signature, encoding, url } => {
                let url = match url {
                    Some(url) => {
                        query::read(query, [], ENCODE_URL).map(|[]| ())?;
                        let malformed = || InvalidRequest::bad_request("the URL in the path is malformed");
                        Some(encoding.decode(url).ok_or_else(malformed)?.into())
                    }
                    None => query::read(query, ["url"], ENCODE_URL).map(|[url]| url)?,
                };
                Ok(Self { url: given(url)?, authorization: Authorization::Camo(signature), digest: None })
            }
        }
    }
}

impl Authorization {
    fn read(signature: Option<&str>, expires: Option<&str>) -> Result<Self, InvalidRequest> {
        Ok(Signature::read(signature, expires)?.map_or(Self::None, Self::Signature))
    }

    /// The signature, if that is what the request has.
    #[must_use]
    pub fn signature(&self) -> Option<&Signature> {
        match self {
            Self::Signature(signature) => Some(signature),
            _ => None,
        }
    }
}

/// The parts of a path, still encoded.
enum Form<'a> {
    Query,
    Digest { signature: &'a str, digest: &'a str, url: &'a str },
    Camo { signature: CamoSignature, encoding: Encoding, url: Option<&'a str> },
}

impl<'a> Form<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let Some(rest) = path.strip_prefix(MEDIA) else { return Self::of_camo(path) };
        if rest.is_empty() {
            return Some(Self::Query);
        }
        let (signature, rest) = rest.strip_prefix('/')?.split_once('/')?;
        let (digest, url) = rest.split_once('/')?;
        Some(Self::Digest { signature, digest, url })
    }

    fn of_camo(path: &'a str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let (signature, url) = path.split_once('/').map_or((path, None), |(signature, url)| (signature, Some(url)));
        let (signature, encoding) = CamoSignature::read(signature)?;
        // Only camo itself has links with a parameter, and they are in hexadecimal.
        let is_known = url.map_or(encoding == Encoding::Hex, |url| !url.contains('/'));
        is_known.then_some(Self::Camo { signature, encoding, url })
    }
}

/// The digest is parsed strictly, so that load balancers need not know that different texts are the same digest.
fn read_digest(text: &str) -> Option<[u8; 32]> {
    let is_lower_case = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    hex::decode_array(text).filter(|_| is_lower_case)
}

fn given(url: Option<Cow<'_, str>>) -> Result<Cow<'_, str>, InvalidRequest> {
    let url = url.filter(|url| !url.is_empty());
    url.ok_or_else(|| InvalidRequest::bad_request(format!("the parameter `url` is missing; {ENCODE_URL}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const SIGNATURE: &str = "09f9e253989d66751041714df4de40bffe52e687731e2eb7ac84a80c594f166c";
    const HMAC: &str = "0f6def1cb147b0e84f39cbddc5ea10c80253a6f3";

    fn parse(target: &str) -> Result<MediaTarget<'_>, InvalidRequest> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        MediaTarget::parse(path, query)
    }

    /// The URL, the digest, and whether there is a signature.
    fn read(target: &str) -> (String, bool, bool) {
        let target = parse(target).unwrap_or_else(|refused| panic!("{target}: {refused}"));
        (target.url.into_owned(), target.digest.is_some(), target.authorization.signature().is_some())
    }

    fn refused(target: &str) -> (u16, &'static str, String) {
        let refused = parse(target).expect_err(target);
        (refused.status.as_u16(), refused.code, refused.detail)
    }

    #[test]
    fn url_in_a_path_is_decoded_once() {
        let path = |url: &str| read(&format!("/media/{SIGNATURE}/{DIGEST}/{url}")).0;
        assert_eq!(path("https%3A%2F%2Fx%2F%2Fa%2520b%3Fc%3D1%26d%3D%C3%A4%23e"), "https://x//a%20b?c=1&d=ä#e");
        assert_eq!(path("https://x//a+b/../c;d=,e/"), "https://x//a+b/../c;d=,e/", "an unencoded path is taken as it is");
        assert_eq!(path("/%2F"), "//");
    }

    #[test]
    fn path_with_a_digest_has_the_same_signature_as_the_query() {
        let query = format!("/media?url=https%3A%2F%2Fx%2Fa&expires=5&signature={SIGNATURE}");
        let in_query = parse(&query).unwrap();
        let path = format!("/media/{SIGNATURE}/{DIGEST}/https%3A%2F%2Fx%2Fa?expires=5");
        let in_path = parse(&path).unwrap();
        let digest = std::array::from_fn(|index| u8::try_from(index).unwrap());
        assert_eq!(in_path, MediaTarget { digest: Some(digest), ..in_query });
        assert_eq!(read(&format!("/media/unsigned/{DIGEST}/https%3A%2F%2Fx%2Fa")), ("https://x/a".into(), true, false));
    }

    #[test]
    fn malformed_parts_of_a_path_are_errors() {
        for (target, code, why) in [
            (format!("/media/{SIGNATURE}/{DIGEST}/https://x/a?b=c"), "bad-request", "unknown parameter `b`; percent-encode"),
            (format!("/media/unsigned/{DIGEST}/https://x/a?expires=5"), "malformed-signature", "without `signature`"),
            (format!("/media/{SIGNATURE}/{DIGEST}/https://x/a?expires=5&expires=6"), "bad-request", "twice"),
            (format!("/media/{SIGNATURE}/{DIGEST}/a?signature={SIGNATURE}"), "bad-request", "unknown parameter"),
            (format!("/media/{}/{DIGEST}/a", &SIGNATURE[1..]), "malformed-signature", "64 hexadecimal digits"),
            (format!("/media/{SIGNATURE}/{}/a", &DIGEST[1..]), "bad-request", "the digest in the path"),
            (format!("/media/{SIGNATURE}/{}/a", DIGEST.to_uppercase()), "bad-request", "in lower case"),
            (format!("/media/{SIGNATURE}/{DIGEST}/%ff"), "bad-request", "not UTF-8"),
            (format!("/media/{SIGNATURE}/{DIGEST}/"), "bad-request", "is missing"),
            (format!("/{HMAC}/6"), "bad-request", "malformed"),
            (format!("/{HMAC}/ff"), "bad-request", "malformed"),
            (format!("/{HMAC}/"), "bad-request", "is missing"),
            (format!("/{HMAC}"), "bad-request", "is missing"),
            (format!("/{HMAC}?url=a&b=c"), "bad-request", "unknown parameter `b`"),
            (format!("/{HMAC}/61?url=a"), "bad-request", "unknown parameter `url`"),
        ] {
            let (_, actual, detail) = refused(&target);
            assert!(actual == code && detail.contains(why), "{target}: {actual} {detail}");
        }
    }

    #[test]
    fn links_made_for_camo_have_the_url_in_the_path_or_in_a_parameter() {
        for target in [
            format!("/{HMAC}/68747470733a2f2f782f61"),
            format!("/{}/68747470733A2F2F782F61", HMAC.to_uppercase()),
            format!("/{HMAC}?url=https%3A%2F%2Fx%2Fa"),
            "/D23vHLFHsOhPOcvdxeoQyAJTpvM/aHR0cHM6Ly94L2E".into(),
        ] {
            let parsed = parse(&target).unwrap();
            assert_eq!(parsed.url, "https://x/a", "{target}");
            assert_eq!(parsed.authorization, Authorization::Camo(CamoSignature::read(HMAC).unwrap().0), "{target}");
            assert!(MediaTarget::is_camo(target.split('?').next().unwrap()));
        }
        assert!(!MediaTarget::is_camo("/media"));
    }

    #[test]
    fn other_paths_are_not_media() {
        for path in [
            "",
            "/",
            "//",
            "media",
            "/media/",
            "/media/x",
            "/media/x/y",
            "/mediax/y/z",
            "/Media/x/y/z",
            "//media",
            &format!("/{}", &HMAC[1..]),
            &format!("/{HMAC}/61/"),
            &format!("//{HMAC}/61"),
            "/D23vHLFHsOhPOcvdxeoQyAJTpvM",
            "/dashboard/distribution.js",
        ] {
            assert!(!MediaTarget::is_media(path), "{path}");
            assert_eq!(refused(path).0, 404, "{path}");
        }
    }
}
