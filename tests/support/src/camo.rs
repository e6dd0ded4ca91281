//! Links as made for camo.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// A link to a URL, in hexadecimal.
pub fn camo_link(key: &str, url: &str) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let hmac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap().chain_update(url).finalize().into_bytes();
    format!("/{}/{}", hex(&hmac), hex(url.as_bytes()))
}
