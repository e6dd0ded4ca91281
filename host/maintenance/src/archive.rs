//! Export archives: POSIX tar (ustar) with regular files only.
//!
//! Each entry has two members, `{digest}.json` followed by `{digest}.dat`, and two blocks of zeros end the archive. Any `tar` can read it.
//! An import accepts nothing else: links, paths, sparse files, extended headers and other names are errors. A missing end is also an error,
//! so that a truncated archive is detected wherever it was cut.

use std::io::{self, ErrorKind, Read, Write};

use media_cache_entry_files::FileKind;

/// The unit of a tar file, in bytes.
const BLOCK: usize = 512;

/// The smallest size that does not fit in eleven octal digits. Sizes from this one on are written in binary, as GNU tar and others do.
const FIRST_BINARY_SIZE: u64 = 1 << 33;

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// The name of a body or of a sidecar.
    pub name: String,
    /// The kind of file, according to its name.
    pub kind: FileKind,
    /// The size in bytes.
    pub size: u64,
}

/// Why a file is not a valid export archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It ends too early.
    #[error("the archive is truncated: an export was interrupted, or a part is missing")]
    Truncated,
    /// It is not an export archive, or is damaged.
    #[error("this is not an export archive: {0}")]
    Invalid(String),
    /// It cannot be read.
    #[error("cannot read the archive: {0}")]
    Io(#[from] io::Error),
}

/// The header of a member of this size, modified at a time in seconds since 1970. The bytes of the member and [`padding`] follow.
pub(crate) fn header(name: &str, size: u64, modified: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
    put(0, name.as_bytes());
    put(100, b"0000600\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    if size < FIRST_BINARY_SIZE {
        put(124, format!("{size:011o}\0").as_bytes());
    } else {
        put(124, &[0x80]);
        put(128, &size.to_be_bytes());
    }
    // The largest time in eleven digits is in the year 2242.
    put(136, format!("{:011o}\0", modified.min(FIRST_BINARY_SIZE - 1)).as_bytes());
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum = checksum(&block);
    block.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").as_bytes()).for_each(|(to, from)| *to = *from);
    block
}

/// The zeros after a member of this size.
pub(crate) fn padding(size: u64) -> &'static [u8] {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    let over = (size % BLOCK as u64) as usize;
    if over == 0 { &[] } else { &ZEROS[over..] }
}

/// Writes the end of the archive.
pub(crate) fn write_end(out: &mut (impl Write + ?Sized)) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

/// Reads the header of the next member, whose bytes and padding follow. `None` at the end of the archive.
pub(crate) fn next_member(input: &mut (impl Read + ?Sized)) -> Result<Option<Member>, ArchiveError> {
    let block = block(input)?;
    if block == [0; BLOCK] {
        return match self::block(input)? == [0; BLOCK] {
            true => Ok(None),
            false => Err(ArchiveError::Invalid("it contains a block of zeros".into())),
        };
    }
    let stated = octal(&block[148..156]);
    if stated != Some(checksum(&block)) {
        return Err(ArchiveError::Invalid("a header is damaged".into()));
    }
    let name = text(&block[..100]);
    let kind = FileKind::of(&name);
    let is_file = matches!(block[156], 0 | b'0') && block[157] == 0 && block[345] == 0;
    if !is_file || !matches!(kind, FileKind::Media(_) | FileKind::Sidecar(_)) {
        return Err(ArchiveError::Invalid(format!("{name:?} is not a file of an entry")));
    }
    let size = size(&block[124..136]).ok_or_else(|| ArchiveError::Invalid(format!("{name} has no size")))?;
    Ok(Some(Member { name, kind, size }))
}

/// Skips the rest of a member's bytes, and its padding.
pub(crate) fn skip(input: &mut (impl Read + ?Sized), left: u64, size: u64) -> Result<(), ArchiveError> {
    let padded = left + padding(size).len() as u64;
    let skipped = io::copy(&mut input.take(padded), &mut io::sink())?;
    if skipped == padded { Ok(()) } else { Err(ArchiveError::Truncated) }
}

fn block(input: &mut (impl Read + ?Sized)) -> Result<[u8; BLOCK], ArchiveError> {
    let mut block = [0; BLOCK];
    match input.read_exact(&mut block) {
        Ok(()) => Ok(block),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(ArchiveError::Truncated),
        Err(error) => Err(error.into()),
    }
}

/// The sum of all bytes, with those of the checksum counted as spaces.
fn checksum(block: &[u8; BLOCK]) -> u64 {
    let counted = |(at, byte): (usize, &u8)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte });
    block.iter().enumerate().map(counted).sum()
}

/// Text up to a zero byte or the end of the field.
fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = text(field);
    let digits = text.trim();
    let is_octal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_octal.then(|| u64::from_str_radix(digits, 8).ok())?
}

/// A size of less than 2^53 bytes.
fn size(field: &[u8]) -> Option<u64> {
    let size = match field {
        [0x80, 0, 0, 0, binary @ ..] => u64::from_be_bytes(binary.try_into().ok()?),
        _ => octal(field)?,
    };
    (size < 1 << 53).then_some(size)
}

#[cfg(test)]
mod tests {
    use media_cache_entry_files::KeyDigest;

    use super::*;

    fn read(header: &[u8]) -> Result<Option<Member>, String> {
        next_member(&mut &header[..]).map_err(|error| error.to_string())
    }

    /// A header with other bytes at an offset, and a correct checksum.
    fn forged(at: usize, bytes: &[u8]) -> [u8; BLOCK] {
        let mut block = header(&KeyDigest::of("a").media_file(), 4, 1);
        block[at..at + bytes.len()].copy_from_slice(bytes);
        let sum = format!("{:06o}\0 ", checksum(&block));
        block[148..156].copy_from_slice(sum.as_bytes());
        block
    }

    #[test]
    fn a_header_is_read_back_as_written() {
        let digest = KeyDigest::of("https://x.org/a");
        for size in [0, 1, 511, 512, FIRST_BINARY_SIZE - 1, FIRST_BINARY_SIZE, (1 << 53) - 1] {
            let name = digest.media_file();
            let expected = Member { kind: FileKind::Media(digest), size, name: name.clone() };
            assert_eq!(read(&header(&name, size, u64::MAX)), Ok(Some(expected)), "{size}");
        }
    }

    #[test]
    fn members_that_an_export_does_not_write_are_refused() {
        assert!(read(&forged(0, b"")).unwrap().is_some());
        let hex = KeyDigest::of("a").to_string();
        let names = [format!("/{hex}.dat"), format!("../{hex}.dat"), format!("./{hex}.json"), format!("{hex}.dat.tmp")];
        for name in names.iter().map(String::as_str).chain(["media-cache.lock", "a\0b"]) {
            let mut field = [0; 100];
            field[..name.len()].copy_from_slice(name.as_bytes());
            assert!(read(&forged(0, &field)).unwrap_err().contains("is not a file of an entry"), "{name}");
        }
        // Hard and symbolic links, a device, a directory, a pipe, long names, extended headers and sparse files.
        for kind in b"123456LKxgS" {
            assert!(read(&forged(156, &[*kind])).unwrap_err().contains("is not a file of an entry"), "{kind}");
        }
        assert!(read(&forged(345, b"/etc")).is_err(), "a directory in the prefix");
        for size in [&b"99999999999\0"[..], b"-0000000001\0", &[0xff; 12], &[0x80, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0], &[0; 12]] {
            assert!(read(&forged(124, size)).unwrap_err().contains("has no size"), "{size:?}");
        }
    }

    #[test]
    fn a_damaged_header_and_a_truncated_archive_are_errors() {
        let mut block = header(&KeyDigest::of("a").media_file(), 4, 1);
        block[124] ^= 1;
        assert!(read(&block).unwrap_err().contains("damaged"));
        for zeros in [0, 1, 511, 512, 1023] {
            assert!(read(&vec![0; zeros]).unwrap_err().contains("truncated"), "{zeros}");
        }
        assert_eq!(read(&[0; 1024]), Ok(None));
    }
}
