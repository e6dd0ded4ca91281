//! The `; name=value` part that `Content-Type` and `Content-Disposition` share (RFC 9110, section 5.6.6).
//!
//! Headers come from anywhere, so reading never fails: what follows the grammar is read as the grammar says, and what does not is
//! read as browsers read it (values with spaces, quotes that never close) or left out.

use std::iter::Peekable;
use std::str::Chars;

/// The value of the first parameter called `name`, which is compared without case. Quotes and their escapes are undone.
pub(super) fn parameter(header: &str, name: &str) -> Option<String> {
    let mut rest = header.chars().peekable();
    while rest.peek().is_some() {
        let found = read_until(&mut rest, |c| c == '=' || c == ';');
        if rest.next() != Some('=') {
            continue;
        }
        let value = read_value(&mut rest);
        if found.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
    }
    None
}

/// Reads a value, which may be quoted, and past the semicolon that ends its parameter.
fn read_value(rest: &mut Peekable<Chars<'_>>) -> String {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
    let quoted = rest.next_if_eq(&'"').map(|_| read_quoted(rest));
    let tail = read_until(rest, |c| c == ';');
    rest.next();
    quoted.unwrap_or_else(|| tail.trim().to_owned())
}

/// Reads up to and past the closing quote, or to the end where there is none.
fn read_quoted(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut value = String::new();
    while let Some(c) = rest.next() {
        match c {
            '"' => break,
            '\\' => value.extend(rest.next()),
            c => value.push(c),
        }
    }
    value
}

fn read_until(rest: &mut Peekable<Chars<'_>>, stop: impl Fn(char) -> bool) -> String {
    let mut read = String::new();
    while let Some(c) = rest.next_if(|&c| !stop(c)) {
        read.push(c);
    }
    read
}

#[cfg(test)]
mod tests {
    use super::parameter;

    #[test]
    fn parameters_are_read_as_the_grammar_says_and_beyond_it_as_browsers_do() {
        let table = [
            ("attachment", None),
            ("attachment; x=plain", Some("plain")),
            ("attachment;X = plain ; y=2", Some("plain")),
            (r#"attachment; x="a; x=b""#, Some("a; x=b")),
            (r#"attachment; x="a \"b\" \\ c""#, Some(r#"a "b" \ c"#)),
            (r#"attachment; y="x=no"; x=yes"#, Some("yes")),
            ("attachment; x=first; x=second", Some("first")),
            ("attachment; xx=no; x=two words", Some("two words")),
            (r#"attachment; x="never closed"#, Some("never closed")),
            (r#"attachment; x="ends in a backslash\"#, Some("ends in a backslash")),
            (r#"attachment; x="quoted"junk; y=1"#, Some("quoted")),
            ("x=without a type", Some("without a type")),
            ("attachment; x", None),
            ("attachment; x=", Some("")),
            (r#"attachment; x="""#, Some("")),
            (";;;=;==;x==1", Some("=1")),
            ("", None),
        ];
        for (header, expected) in table {
            assert_eq!(parameter(header, "x").as_deref(), expected, "{header}");
        }
    }
}
