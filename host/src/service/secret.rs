//! Rules for keys and tokens.

/// The fewest bytes that a key or a token may have: 128 bits, if they were chosen at random.
pub(super) const SHORTEST: usize = 16;

/// Why something is no key or token. Never holds it, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// It can be guessed.
    #[error("it has {0} bytes, and has to have {SHORTEST} at least; `openssl rand -hex 32` makes a good one")]
    Short(usize),
    /// A client could not send it (RFC 6750, section 2.1).
    #[error("a token consists of letters, digits, and -._~+/, with = at the end only; `openssl rand -hex 32` makes a good one")]
    Unsendable,
}

/// Refuses what is too short.
pub(super) fn check_length(secret: &[u8]) -> Result<(), WeakSecret> {
    if secret.len() < SHORTEST { Err(WeakSecret::Short(secret.len())) } else { Ok(()) }
}
