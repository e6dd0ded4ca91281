//! Recognises stickers: Lottie animations, which are JSON compressed with gzip. Only the first kilobyte of the JSON is decompressed.

use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

/// How many bytes are decompressed.
const DECOMPRESSED_BYTES: usize = 1024;

/// Whether a gzip file that starts with these bytes contains a Lottie animation.
pub(crate) fn is_gzipped_lottie(start: &[u8]) -> bool {
    let Some(deflated) = after_gzip_header(start) else { return false };
    let mut json = [0; DECOMPRESSED_BYTES];
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF | inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
    // The status does not matter: usually, there is more output than fits.
    let (_, _, written) = decompress(&mut DecompressorOxide::new(), deflated, &mut json, 0, flags);
    let json = json[..written].trim_ascii_start();
    let has_key = |key: &str| {
        let quoted = format!("\"{key}\"");
        json.windows(quoted.len()).any(|window| window == quoted.as_bytes())
    };
    json.starts_with(b"{") && (has_key("tgs") || ["v", "fr", "ip"].into_iter().all(has_key))
}

/// The part of a gzip file after its header (RFC 1952, section 2.3).
fn after_gzip_header(start: &[u8]) -> Option<&[u8]> {
    const HEADER_CHECKSUM: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let flags = *start.get(3)?;
    let mut rest = start.get(10..)?;
    if flags & EXTRA != 0 {
        let length = u16::from_le_bytes(*rest.first_chunk()?);
        rest = rest.get(2 + usize::from(length)..)?;
    }
    for _ in 0..(flags & (NAME | COMMENT)).count_ones() {
        let end = rest.iter().position(|&byte| byte == 0)?;
        rest = &rest[end + 1..];
    }
    if flags & HEADER_CHECKSUM != 0 { rest.get(2..) } else { Some(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gzip file with these flags, the fields that belong to them, and a text that is stored uncompressed.
    fn gzip(flags: u8, fields: &[u8], text: &str) -> Vec<u8> {
        let length = text.len() as u16;
        let block = [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), text.as_bytes()].concat();
        [&[0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3], fields, &block].concat()
    }

    #[test]
    fn gzipped_lottie_is_recognised_by_its_keys() {
        let sticker = r#"{"tgs":1,"v":"5.5.2","fr":60,"ip":0,"op":180,"w":512,"h":512,"layers":[]}"#;
        for text in [sticker, r#" {"v":"5.7.4","fr":30,"ip":0}"#] {
            assert!(is_gzipped_lottie(&gzip(0, b"", text)), "{text}");
        }
        assert!(is_gzipped_lottie(&gzip(2 | 4 | 8 | 16, b"\x02\0xxname\0comment\0cc", sticker)));
        for text in ["", "{}", r#"{"v":1}"#, r#"["tgs"]"#, "tgs"] {
            assert!(!is_gzipped_lottie(&gzip(0, b"", text)), "{text}");
        }
        let file = gzip(8, b"name\0", sticker);
        for length in 0..20 {
            assert!(!is_gzipped_lottie(&file[..length]));
        }
    }

    #[test]
    fn compressed_lottie_is_recognised() {
        // `{"tgs":1,"v":"5.5.2"}`, compressed by zlib.
        let deflated = b"\xabV*I/V\xb22\xd4Q*S\xb2R2\xd53\xd53R\xaa\x05\0";
        let file = [b"\x1f\x8b\x08\0\0\0\0\0\0\x03".as_slice(), deflated].concat();
        assert!(is_gzipped_lottie(&file));
    }
}
