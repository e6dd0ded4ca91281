//! Signed requests for media: the holder of a key authorises requests for a URL, for a limited time or indefinitely.
//!
//! The signature is the HMAC-SHA-256 (RFC 2104) of this text:
//!
//! ```text
//! media-cache-v1
//! <expires, in seconds since 1970 and without leading zeros; empty if it does not expire>
//! <the URL, before it is percent-encoded for the query>
//! ```
//!
//! with a line feed (U+000A) after each of the first two lines and none at the end. Since `expires` consists of digits and the URL comes
//! last, no two requests have the same text.

use std::time::{Duration, SystemTime};

use hmac::{Hmac, Mac};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Sha256;

use crate::hex;
use crate::invalid_request::InvalidRequest;
use crate::secret::{WeakSecret, keyed};

/// The first line of the text. It prevents a signature made with the same key for another purpose from being valid here.
const VERSION: &str = "media-cache-v1";

/// The length of a signature, in bytes.
const LENGTH: usize = 32;

/// Keys for signing requests. During key rotation there are several: the first one signs, and all of them verify.
#[derive(Clone, Default)]
pub struct SigningKeys(Vec<Hmac<Sha256>>);

/// A well-formed signature of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    bytes: [u8; LENGTH],
    expires: Option<u64>,
}

impl SigningKeys {
    /// Creates a set of keys. A key may consist of any bytes.
    ///
    /// # Errors
    /// If a key has fewer than 16 bytes.
    pub fn new<K: AsRef<[u8]>>(keys: impl IntoIterator<Item = K>) -> Result<Self, WeakSecret> {
        keyed(keys).map(Self)
    }

    /// Whether there are no keys. If so, nothing can be signed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The path and query of a signed request for a URL. A service with this key answers GET and HEAD requests for them until `expires`
    /// (seconds since 1970), or without `expires`, for as long as it has the key. `None` if there are no keys.
    #[must_use]
    pub fn sign(&self, url: &str, expires: Option<u64>) -> Option<String> {
        let signature = self.signature(url, expires)?;
        let until = expires.map_or_else(String::new, |expires| format!("&expires={expires}"));
        Some(format!("/media?url={}{until}&signature={signature}", utf8_percent_encode(url, UNESCAPED)))
    }

    /// The same in the form with the digest of the cache key in the path, for load balancers. The signature is the same.
    #[must_use]
    pub fn sign_with_digest(&self, url: &str, digest: &[u8; 32], expires: Option<u64>) -> Option<String> {
        let (signature, digest) = (self.signature(url, expires)?, hex::encode(digest));
        let until = expires.map_or_else(String::new, |expires| format!("?expires={expires}"));
        Some(format!("/media/{signature}/{digest}/{}{until}", utf8_percent_encode(url, UNESCAPED)))
    }

    fn signature(&self, url: &str, expires: Option<u64>) -> Option<String> {
        Some(hex::encode(&text(self.0.first()?.clone(), url, expires).finalize().into_bytes()))
    }

    /// Verifies the signature of a request. The time taken depends on the number of keys, not on their content. Only a correct signature is
    /// reported as expired.
    ///
    /// # Errors
    /// If the signature is missing, wrong or expired.
    pub fn verify(&self, url: &str, signature: Option<&Signature>, now: SystemTime) -> Result<(), InvalidRequest> {
        let refused = |code, why| Err(InvalidRequest::forbidden(code, why));
        let Some(signature) = signature else {
            return refused(
                "unsigned",
                "this service requires signed requests for media, and the parameter `signature` is missing",
            );
        };
        let matches = |key: &Hmac<Sha256>| text(key.clone(), url, signature.expires).verify_slice(&signature.bytes).is_ok();
        let is_correct = self.0.iter().fold(false, |is_correct, key| is_correct | matches(key));
        if !is_correct {
            return refused("wrong-signature", "the signature does not match this URL and `expires` under any key in use");
        }
        match signature.lifetime(now) {
            Some(Duration::ZERO) => refused("expired", "the signature has expired"),
            _ => Ok(()),
        }
    }
}

/// The characters that need no encoding in a path or query (RFC 3986, `unreserved`).
const UNESCAPED: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn text(mut key: Hmac<Sha256>, url: &str, expires: Option<u64>) -> Hmac<Sha256> {
    let expires = expires.map_or_else(String::new, |expires| expires.to_string());
    for part in [VERSION, "\n", &expires, "\n", url] {
        key.update(part.as_bytes());
    }
    key
}

impl Signature {
    /// Parses the parameters. `expires` is allowed only with `signature`.
    ///
    /// # Errors
    /// If the signature or the time is malformed, or if there is a time without a signature.
    pub fn read(signature: Option<&str>, expires: Option<&str>) -> Result<Option<Self>, InvalidRequest> {
        let malformed = |why: &str| {
            let why = format!("{why}; if the parameter belongs to the URL of the media, percent-encode that URL");
            InvalidRequest::forbidden("malformed-signature", why)
        };
        let expires = expires.map(|text| seconds(text).ok_or_else(|| malformed("`expires` is not a number of seconds since 1970")));
        let bytes =
            signature.map(|text| hex::decode_array(text).ok_or_else(|| malformed("`signature` is not 64 hexadecimal digits")));
        match (bytes.transpose()?, expires.transpose()?) {
            (Some(bytes), expires) => Ok(Some(Self { bytes, expires })),
            (None, Some(_)) => Err(malformed("`expires` is given without `signature`")),
            (None, None) => Ok(None),
        }
    }

    /// How long the signature remains valid; `None` if it does not expire.
    #[must_use]
    pub fn lifetime(&self, now: SystemTime) -> Option<Duration> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.expires.map(|expires| Duration::from_secs(expires).saturating_sub(now))
    }
}

/// Parses a number in canonical form. Any other form would be a different request with the same signature.
fn seconds(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "correct horse battery staple";
    const URL: &str = "https://example.com/ä?x=1&y=%20#z";

    /// `printf 'media-cache-v1\n%s\n%s' 1900000000 "$URL" | openssl dgst -sha256 -hmac "$KEY"`
    const SIGNED: &str = "09f9e253989d66751041714df4de40bffe52e687731e2eb7ac84a80c594f166c";
    /// The same for `https://example.com/a.png`, with nothing between the line feeds.
    const SIGNED_FOREVER: &str = "b51649c6341608cefe75890a5938119c2cb07137851386428eb3c44bf28f15ca";

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn verdict(keys: &SigningKeys, url: &str, signature: Option<&str>, expires: Option<&str>, now: u64) -> Result<(), String> {
        let code = |problem| {
            let problem = format!("{problem:?}");
            problem.split('"').nth(1).unwrap().to_owned()
        };
        let signature = Signature::read(signature, expires).map_err(code)?;
        keys.verify(url, signature.as_ref(), at(now)).map_err(code)
    }

    #[test]
    fn signatures_agree_with_openssl() {
        let keys = SigningKeys::new([KEY]).unwrap();
        let path = "/media?url=https%3A%2F%2Fexample.com%2F%C3%A4%3Fx%3D1%26y%3D%2520%23z&expires=1900000000&signature=";
        assert_eq!(keys.sign(URL, Some(1_900_000_000)), Some(format!("{path}{SIGNED}")));
        let path = "/media?url=https%3A%2F%2Fexample.com%2Fa.png&signature=";
        assert_eq!(keys.sign("https://example.com/a.png", None), Some(format!("{path}{SIGNED_FOREVER}")));
        assert_eq!(SigningKeys::default().sign(URL, None), None);
        let path = format!(
            "/media/{SIGNED}/{}/https%3A%2F%2Fexample.com%2F%C3%A4%3Fx%3D1%26y%3D%2520%23z?expires=1900000000",
            "0f".repeat(32)
        );
        assert_eq!(keys.sign_with_digest(URL, &[15; 32], Some(1_900_000_000)), Some(path));
    }

    #[test]
    fn a_signature_is_valid_only_for_its_url_and_time() {
        let keys = SigningKeys::new([KEY]).unwrap();
        let expires = Some("1900000000");
        assert_eq!(verdict(&keys, URL, Some(SIGNED), expires, 1_899_999_999), Ok(()));
        assert_eq!(verdict(&keys, URL, Some(&SIGNED.to_uppercase()), expires, 0), Ok(()));
        assert_eq!(verdict(&keys, "https://example.com/a.png", Some(SIGNED_FOREVER), None, u32::MAX.into()), Ok(()));
        let changed = SIGNED.replace("09f9", "19f9");
        for (url, signature, expires, now, why) in [
            (URL, None, None, 0, "unsigned"),
            (URL, Some(changed.as_str()), expires, 0, "wrong-signature"),
            (URL, Some(SIGNED), Some("1900000001"), 0, "wrong-signature"),
            (URL, Some(SIGNED), None, 0, "wrong-signature"),
            ("https://example.com/", Some(SIGNED), expires, 0, "wrong-signature"),
            ("https://example.com/a.png", Some(SIGNED_FOREVER), expires, 0, "wrong-signature"),
            (URL, Some(SIGNED), expires, 1_900_000_000, "expired"),
            (URL, Some(SIGNED), expires, 2_000_000_000, "expired"),
            (URL, Some(&changed), expires, 2_000_000_000, "wrong-signature"),
        ] {
            assert_eq!(verdict(&keys, url, signature, expires, now), Err(why.into()), "{url} {signature:?} {expires:?}");
        }
        assert_eq!(verdict(&SigningKeys::default(), URL, Some(SIGNED), expires, 0), Err("wrong-signature".into()));
    }

    #[test]
    fn a_malformed_signature_is_refused() {
        let keys = SigningKeys::new([KEY]).unwrap();
        for wrong in ["", "09f9", &SIGNED[1..], &format!("{SIGNED}00"), &SIGNED.replace('f', "g"), &SIGNED.replace("09", "é")] {
            assert_eq!(verdict(&keys, URL, Some(wrong), None, 0), Err("malformed-signature".into()), "{wrong}");
        }
        for wrong in ["", "-1", "+1900000000", "01900000000", "1900000000 ", "1.9e9", "18446744073709551616"] {
            assert_eq!(verdict(&keys, URL, Some(SIGNED), Some(wrong), 0), Err("malformed-signature".into()), "{wrong}");
        }
        assert_eq!(verdict(&keys, URL, None, Some("1900000000"), 0), Err("malformed-signature".into()));
    }

    #[test]
    fn the_first_key_signs_and_all_of_them_verify() {
        let (old, new) = (KEY, "another key, and a longer one, of more bytes than SHA-256 has in a block");
        let [before, during, after] = [&[old][..], &[new, old], &[new]].map(|keys| SigningKeys::new(keys).unwrap());
        let signature = |keys: &SigningKeys| keys.sign(URL, None).unwrap().split_once("signature=").unwrap().1.to_owned();
        assert_eq!(signature(&during), signature(&after));
        for (signer, verifier, good) in
            [(&before, &during, true), (&after, &during, true), (&before, &after, false), (&after, &before, false)]
        {
            assert_eq!(verdict(verifier, URL, Some(&signature(signer)), None, 0).is_ok(), good);
        }
    }

    #[test]
    fn a_weak_key_is_refused_and_keys_are_never_shown() {
        assert_eq!(SigningKeys::new([KEY, "fifteen letters"]).unwrap_err(), WeakSecret::Short(15));
        assert!(SigningKeys::new(["sixteen letters!"]).is_ok());
        assert_eq!(format!("{:?}", SigningKeys::new([KEY]).unwrap()), "1 keys");
    }
}
