//! Links made for camo (atmos/camo, go-camo): a URL with its HMAC-SHA-1. Sites that write such links share a key with the service.
//!
//! camo's links have the HMAC and the URL in hexadecimal, or the URL in the parameter `url`. go-camo's may have both in base64url (RFC
//! 4648, section 5), without padding. The length of the HMAC distinguishes the encodings, as in go-camo. Links do not expire.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use crate::hex;
use crate::invalid_request::InvalidRequest;
use crate::secret::{WeakSecret, keyed};

/// The length of an HMAC, in bytes.
const LENGTH: usize = 20;

/// The keys of links made for camo. During key rotation there are several, and all of them verify.
#[derive(Clone, Default)]
pub struct CamoKeys(Vec<Hmac<Sha1>>);

/// The HMAC in a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CamoSignature([u8; LENGTH]);

/// How a link is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Hex,
    Base64,
}

impl CamoKeys {
    /// Creates a set of keys. A key may consist of any bytes.
    ///
    /// # Errors
    /// If a key has fewer than 16 bytes.
    pub fn new<K: AsRef<[u8]>>(keys: impl IntoIterator<Item = K>) -> Result<Self, WeakSecret> {
        keyed(keys).map(Self)
    }

    /// Whether there are no keys. If so, no link is valid.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Verifies the HMAC of a URL. The time taken depends on the number of keys, not on their content.
    ///
    /// # Errors
    /// If it is wrong.
    pub fn verify(&self, url: &str, signature: &CamoSignature) -> Result<(), InvalidRequest> {
        let matches = |key: &Hmac<Sha1>| key.clone().chain_update(url).verify_slice(&signature.0).is_ok();
        match self.0.iter().fold(false, |is_correct, key| is_correct | matches(key)) {
            true => Ok(()),
            false => {
                let why = "the HMAC in the path does not match this URL under any camo key in use";
                Err(InvalidRequest::forbidden("wrong-signature", why))
            }
        }
    }
}

impl CamoSignature {
    /// Parses an HMAC, which also shows how the URL is encoded.
    pub(crate) fn read(text: &str) -> Option<(Self, Encoding)> {
        let (bytes, encoding) = match text.len() {
            40 => (hex::decode_array(text), Encoding::Hex),
            27 => (URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()), Encoding::Base64),
            _ => return None,
        };
        Some((Self(bytes?), encoding))
    }
}

impl Encoding {
    /// The URL in a link.
    pub fn decode(self, url: &str) -> Option<String> {
        let bytes = match self {
            Self::Hex => hex::decode(url),
            Self::Base64 => URL_SAFE_NO_PAD.decode(url).ok(),
        };
        String::from_utf8(bytes?).ok()
    }
}

impl std::fmt::Debug for CamoKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use hmac::KeyInit;

    use super::*;

    const URL: &str = "http://golang.org/doc/gopher/frontpage.png";

    /// Keys without a minimum length.
    fn keys(keys: &[&str]) -> CamoKeys {
        CamoKeys(keys.iter().map(|key| Hmac::new_from_slice(key.as_bytes()).unwrap()).collect())
    }

    fn verdict(keys: &CamoKeys, hmac: &str, url: &str) -> Option<Result<String, &'static str>> {
        let (signature, encoding) = CamoSignature::read(hmac)?;
        let url = encoding.decode(url)?;
        Some(keys.verify(&url, &signature).map(|()| url).map_err(|refused| refused.code))
    }

    /// The vectors of go-camo's tests (`pkg/camo/encoding/url_test.go`).
    #[test]
    fn links_of_go_camo_are_valid() {
        let in_hex = (
            "0f6def1cb147b0e84f39cbddc5ea10c80253a6f3",
            "687474703a2f2f676f6c616e672e6f72672f646f632f676f706865722f66726f6e74706167652e706e67",
        );
        let in_base64 = ("D23vHLFHsOhPOcvdxeoQyAJTpvM", "aHR0cDovL2dvbGFuZy5vcmcvZG9jL2dvcGhlci9mcm9udHBhZ2UucG5n");
        let test = keys(&["test"]);
        for (hmac, url) in [in_hex, in_base64] {
            assert_eq!(verdict(&test, hmac, url), Some(Ok(URL.into())));
        }
        assert_eq!(verdict(&test, in_hex.0, &"00".repeat(42)), Some(Err("wrong-signature")));
        for (hmac, url) in [
            ("000", in_hex.1),
            ("000", in_base64.1),
            (in_hex.0, in_base64.1),
            (in_base64.0, in_hex.1),
            (in_base64.0, &"0".repeat(56)),
        ] {
            assert_eq!(verdict(&test, hmac, url), None, "malformed, or bytes that are not UTF-8: {hmac} {url}");
        }
    }

    /// `hmac.new(key, url, "sha1").hexdigest()` in Python.
    #[test]
    fn any_key_verifies() {
        let (signature, _) = CamoSignature::read("5638ab016dc79f1ae122d8f8590b2f6770d51729").unwrap();
        let both = CamoKeys::new(["another key of camo", "0x24FEEDFACEDEADBEEFCAFE"]).unwrap();
        assert!(both.verify(URL, &signature).is_ok());
        assert!(keys(&["0x24FEEDFACEDEADBEEFCAFE"]).verify(URL, &signature).is_ok());
        assert!(keys(&["another key of camo"]).verify(URL, &signature).is_err());
        assert!(CamoKeys::default().verify(URL, &signature).is_err());
        assert!(both.verify(&format!("{URL}?"), &signature).is_err());
    }

    #[test]
    fn a_weak_key_is_refused_and_keys_are_never_shown() {
        assert_eq!(CamoKeys::new(["fifteen letters"]).unwrap_err(), WeakSecret::Short(15));
        assert_eq!(format!("{:?}", CamoKeys::new(["sixteen letters!"]).unwrap()), "1 keys");
    }

    #[test]
    fn an_hmac_that_is_not_in_its_canonical_form_is_malformed() {
        for wrong in [
            "",
            "D23vHLFHsOhPOcvdxeoQyAJTpv",
            "D23vHLFHsOhPOcvdxeoQyAJTpvN",
            "D23vHLFHsOhPOcvdxeoQyAJTpv+",
            &"0".repeat(39),
            &"g".repeat(40),
        ] {
            assert_eq!(CamoSignature::read(wrong), None, "{wrong}");
        }
    }
}
