//! Decodes text in headers: RFC 8187 (`filename*`), and the encodings that origins use instead of it.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use encoding_rs::{Encoding, WINDOWS_1252};
use percent_encoding::percent_decode_str;

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// Decodes bytes as UTF-8 or, if they are not valid UTF-8, as ISO-8859-1 in the way browsers do (windows-1252).
pub(crate) fn text_of_bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// Decodes `charset'language'percent-encoded` (RFC 8187), with any charset that browsers support.
pub(crate) fn decode_extended(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    decode(charset, &percent_decode_str(encoded).collect::<Vec<u8>>())
}

/// Decodes a plain value in the encodings that origins use without declaring them: encoded words (RFC 2047), or percent-encoded UTF-8.
pub fn decode_plain(value: String) -> String {
    let decoded = decode_words(&value).or_else(|| percent_decode_str(&value).decode_utf8().ok().map(Into::into));
    decoded.unwrap_or(value)
}

/// Decodes the encoded words in a text, such as `=?UTF-8?B?w6QucG5n?=`; `None` if there are none, or if one of them is invalid. The bytes
/// of adjacent words are decoded together, since a character may be split across them.
fn decode_words(text: &str) -> Option<String> {
    let mut decoded = String::new();
    let mut pending: Option<(&str, Vec<u8>)> = None;
    let mut rest = text;
    while let Some((before, word)) = rest.split_once("=?") {
        let mut parts = word.splitn(3, '?');
        let (charset, encoding, content) = (parts.next()?, parts.next()?, parts.next()?);
        let (content, after) = content.split_once("?=")?;
        let bytes = match encoding {
            "B" | "b" => BASE64.decode(content).ok()?,
            "Q" | "q" => decode_quoted(content)?,
            _ => return None,
        };
        // White space between encoded words is only a separator.
        match &mut pending {
            Some((known, collected)) if before.trim().is_empty() && known.eq_ignore_ascii_case(charset) => collected.extend(bytes),
            _ => {
                let separates = pending.is_some() && before.trim().is_empty();
                if let Some((charset, bytes)) = pending.take() {
                    decoded += &decode(charset, &bytes)?;
                }
                decoded += if separates { "" } else { before };
                pending = Some((charset, bytes));
            }
        }
        rest = after;
    }
    let (charset, bytes) = pending?;
    Some(decoded + &decode(charset, &bytes)? + rest)
}

/// Decodes the `Q` encoding: `_` is a space, and `=` precedes two hexadecimal digits.
fn decode_quoted(content: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut bytes = content.bytes();
    while let Some(byte) = bytes.next() {
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        decoded.push(match byte {
            b'_' => b' ',
            b'=' => u8::try_from(digit()? * 16 + digit()?).ok()?,
            byte => byte,
        });
    }
    Some(decoded)
}

/// Decodes bytes in a charset, which may be followed by `*` and a language; `None` if the charset is unknown or the bytes are invalid.
fn decode(charset: &str, bytes: &[u8]) -> Option<String> {
    let name = charset.split('*').next()?;
    let encoding = Encoding::for_label(name.as_bytes())?;
    encoding.decode_without_bom_handling_and_without_replacement(bytes).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_value_is_decoded_from_any_charset() {
        let table = [
            ("UTF-8''%e2%82%ac%20rates", Some("€ rates")),
            ("iso-8859-1'en'%A3%20rates", Some("£ rates")),
            ("windows-1251''%EF%F0%E8%E2%E5%F2", Some("привет")),
            ("Shift_JIS''%93%FA%96%7B", Some("日本")),
            ("gb18030''%D6%D0", Some("中")),
            ("utf-8''%ff", None),
            ("x-unknown''a", None),
            ("no quotes", None),
        ];
        for (value, expected) in table {
            assert_eq!(decode_extended(value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn plain_value_is_decoded_from_encoded_words_and_percent_encoding() {
        let table = [
            ("=?UTF-8?B?w6QucG5n?=", "ä.png"),
            ("=?utf-8?q?caf=C3=A9_1.png?=", "café 1.png"),
            ("=?ISO-8859-1?Q?caf=E9.gif?=", "café.gif"),
            ("=?ISO-8859-1*en?Q?caf=E9?=.gif", "café.gif"),
            ("=?koi8-r?B?8NLJ18XU?=", "Привет"),
            // A character that is split across two words.
            ("=?UTF-8?B?w?= =?UTF-8?B?pA==?=", "=?UTF-8?B?w?= =?UTF-8?B?pA==?="),
            ("=?UTF-8?Q?=C3?= =?UTF-8?Q?=A4?=", "ä"),
            ("=?UTF-8?Q?a?= \t =?ISO-8859-1?Q?=E4?=", "aä"),
            ("a =?UTF-8?Q?b?= c", "a b c"),
            ("na%C3%AFve%20plan.png", "naïve plan.png"),
            // These are not encoded.
            ("100%.png", "100%.png"),
            ("caf%E9.png", "caf%E9.png"),
            ("a=?b", "a=?b"),
            ("=?UTF-8?X?a?=", "=?UTF-8?X?a?="),
            ("=?UTF-8?Q?=F?=", "=?UTF-8?Q?=F?="),
            ("=?x-unknown?Q?a?=", "=?x-unknown?Q?a?="),
            ("=?UTF-8?Q?=FF?=", "=?UTF-8?Q?=FF?="),
            ("plain.png", "plain.png"),
            ("", ""),
        ];
        for (value, expected) in table {
            assert_eq!(decode_plain(value.into()), expected, "{value}");
        }
    }

    #[test]
    fn raw_bytes_are_decoded_as_utf_8_or_windows_1252() {
        assert_eq!(text_of_bytes("café".as_bytes()), "café");
        assert_eq!(text_of_bytes(b"caf\xe9 \x80"), "café €");
    }
}
