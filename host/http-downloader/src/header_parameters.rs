//! The parameters, `; name=value`, of `Content-Type` and `Content-Disposition` (RFC 9110, section 5.6.6).
//!
//! Headers are untrusted, so parsing never fails: parameters that violate the grammar are read as browsers do (values with spaces, quotes
//! that are never closed) or skipped.

use std::iter::Peekable;
use std::str::Chars;

/// The value of the first parameter called `name`, ignoring case. Quotes and escapes are removed.
pub fn parameter(header: &str, name: &str) -> Option<String> {
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

/// Reads a value, which may be quoted, and the semicolon that ends its parameter.
fn read_value(rest: &mut Peekable<Chars<'_>>) -> String {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
    let quoted = rest.next_if_eq(&'"').map(|_| read_quoted(rest));
    let tail = read_until(rest, |c| c == ';');
    rest.next();
    quoted.unwrap_or_else(|| tail.trim().to_owned())
}

/// Reads up to and including the closing quote, or to the end if there is none.
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
    fn parameters_are_parsed_by_the_grammar_or_else_as_browsers_do() {
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
