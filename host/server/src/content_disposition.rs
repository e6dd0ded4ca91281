//! `Content-Disposition`: whether a browser displays or saves media, and under which name (RFC 6266).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters that are escaped in `filename*` (RFC 8187: all except `attr-char`).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The value of the header. A file name that is not plain ASCII appears twice: in ASCII for old clients, and in full (RFC 6266, appendix
/// D).
pub(crate) fn content_disposition(is_inline: bool, filename: &str) -> String {
    let kind = if is_inline { "inline" } else { "attachment" };
    let plain = |c: char| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%') { c } else { '_' };
    let ascii: String = filename.chars().map(plain).collect();
    if ascii == filename {
        return format!("{kind}; filename=\"{ascii}\"");
    }
    format!("{kind}; filename=\"{ascii}\"; filename*=UTF-8''{}", utf8_percent_encode(filename, ESCAPED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_quoted_and_encoded() {
        for (name, header) in [
            ("a b.png", "inline; filename=\"a b.png\""),
            ("a\"b\\c%.png", "inline; filename=\"a_b_c_.png\"; filename*=UTF-8''a%22b%5Cc%25.png"),
            ("ä😀.png", "inline; filename=\"__.png\"; filename*=UTF-8''%C3%A4%F0%9F%98%80.png"),
            ("a\r\nSet-Cookie: x", "inline; filename=\"a__Set-Cookie: x\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x"),
        ] {
            assert_eq!(content_disposition(true, name), header);
        }
    }

    #[test]
    fn media_that_is_not_displayed_is_an_attachment() {
        assert_eq!(content_disposition(false, "a.svg"), "attachment; filename=\"a.svg\"");
    }
}
