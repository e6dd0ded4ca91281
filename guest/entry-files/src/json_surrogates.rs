//! Repairs JSON with unpaired surrogates.
//!
//! Python writes an unpaired surrogate as an escape sequence (`\ud83d`). Such a surrogate is not a character, so strict parsers reject the
//! whole file. This module replaces it with U+FFFD, as lenient parsers do.

/// Replaces each escaped unpaired surrogate with an escaped U+FFFD.
#[must_use]
pub fn mend_surrogates(json: &[u8]) -> Vec<u8> {
    let mut mended = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(byte) = rest.first() {
        let taken = match (surrogate(rest), rest.get(6..).and_then(surrogate)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(_), _) => {
                mended.extend(b"\\ufffd");
                rest = &rest[6..];
                continue;
            }
            // A backslash and the byte after it belong together.
            (None, _) if *byte == b'\\' => 2.min(rest.len()),
            (None, _) => 1,
        };
        let (whole, after) = rest.split_at(taken);
        mended.extend(whole);
        rest = after;
    }
    mended
}

/// The surrogate that is escaped at the start, if there is one.
fn surrogate(json: &[u8]) -> Option<u16> {
    let digits = json.strip_prefix(b"\\u")?.get(..4)?;
    let code = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (0xd800..=0xdfff).contains(&code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpaired_surrogate_becomes_a_replacement_character() {
        for (written, read) in [
            (r"a\ud83d.png", "a\u{fffd}.png"),
            (r"\ude00\ud83d\ude00", "\u{fffd}😀"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\\ud83d\ud83d", "\\ud83d\u{fffd}"),
        ] {
            let json = format!("\"{written}\"");
            let mended: String = serde_json::from_slice(&mend_surrogates(json.as_bytes())).unwrap();
            assert_eq!(mended, read, "{written}");
        }
    }
}
