//! Reads bodies and computes their digests.

use std::io::{self, ErrorKind, Read};

use sha2::{Digest, Sha256};

/// The number of bytes to read at a time.
pub(crate) const PIECE: usize = 128 << 10;

/// Reads to the end in pieces, and passes each to `each`.
pub(crate) fn pieces(input: &mut impl Read, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => each(&buffer[..read])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The SHA-256 digest of the remaining input. `read` is called with the number of bytes of each read.
pub(crate) fn digest(input: &mut impl Read, mut read: impl FnMut(usize)) -> io::Result<[u8; 32]> {
    let mut digest = Sha256::new();
    pieces(input, |piece| {
        digest.update(piece);
        read(piece.len());
        Ok(())
    })?;
    Ok(digest.finalize().into())
}
