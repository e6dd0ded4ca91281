//! Rules for keys and tokens.

use hmac::KeyInit;

/// The minimum length of a key or token, in bytes: 128 bits if they are random.
const SHORTEST: usize = 16;

/// Why a key or token is refused. The message never contains any part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// It is too short, and could be guessed.
    #[error("it has {0} bytes but needs at least {SHORTEST}; generate one with `openssl rand -hex 32`")]
    Short(usize),
    /// It cannot be sent as a bearer token (RFC 6750, section 2.1).
    #[error("a token may contain only letters, digits and -._~+/, and = only at the end; generate one with `openssl rand -hex 32`")]
    Unsendable,
}

/// Refuses a secret that is too short.
///
/// # Errors
/// If it has fewer than 16 bytes.
pub fn check_length(secret: &[u8]) -> Result<(), WeakSecret> {
    if secret.len() < SHORTEST { Err(WeakSecret::Short(secret.len())) } else { Ok(()) }
}

/// A MAC for each key.
pub(crate) fn keyed<M: KeyInit, K: AsRef<[u8]>>(keys: impl IntoIterator<Item = K>) -> Result<Vec<M>, WeakSecret> {
    let keyed = |key: K| {
        check_length(key.as_ref())?;
        // This never fails: HMAC accepts keys of any length.
        M::new_from_slice(key.as_ref()).map_err(|_| WeakSecret::Short(key.as_ref().len()))
    };
    keys.into_iter().map(keyed).collect()
}
