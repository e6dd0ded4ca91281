//! Makes untrusted text safe for terminals: sidecars, servers, URLs and policies may contain anything. Control characters, characters that
//! change the direction of text, and invisible characters are shown as escapes, so that users can see them.

use std::fmt::{self, Display, Write};

use media_cache_file_names::is_invisible;
use serde_json::Value;

/// Displays text as one line, with hidden characters as `\n`, `\u{202e}` and the like.
pub struct Visible<T>(pub T);

impl<T: Display> Display for Visible<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// A writer that escapes hidden characters.
pub struct Escaping<W>(pub W);

impl<W: Write> Write for Escaping<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(is_invisible) {
            let last = piece.chars().next_back().filter(|last| is_invisible(*last));
            self.0.write_str(&piece[..piece.len() - last.map_or(0, char::len_utf8)])?;
            if let Some(last) = last {
                write!(self.0, "{}", last.escape_default())?;
            }
        }
        Ok(())
    }
}

/// JSON text with the hidden characters of its strings as `\u202e` and the like, which means the same. Line feeds between values
/// remain.
pub fn json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\n' || !is_invisible(character) {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

/// A JSON value on one line, escaped as by [`json`].
pub fn json_line(value: &Value) -> String {
    json(&value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escaped_and_others_are_unchanged() {
        let text = "a\nb\r\u{1b}[31mä\u{202e}😀\u{85}\u{2028}\t\u{7f}\u{e0041}é 字\n";
        let shown = "a\\nb\\r\\u{1b}[31mä\\u{202e}😀\\u{85}\\u{2028}\\t\\u{7f}\\u{e0041}é 字\\n";
        assert_eq!(Visible(text).to_string(), shown);
        assert_eq!(Visible(shown).to_string(), shown);
    }

    #[test]
    fn control_and_bidirectional_characters_are_escaped() {
        let controls = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}');
        let bidirectional = ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}').chain("\u{200e}\u{200f}\u{61c}".chars());
        let invisible = "\u{200b}\u{2060}\u{feff}\u{3164}\u{115f}\u{2800}\u{ad}\u{e007f}".chars();
        for character in controls.chain(bidirectional).chain(invisible) {
            let shown = Visible(character).to_string();
            assert!(shown.starts_with('\\') && shown.is_ascii() && shown.len() > 1, "{character:?}: {shown}");
        }
    }

    #[test]
    fn escaped_json_parses_to_the_same_value() {
        let value = serde_json::json!({ "a\u{202e}": ["\u{1b}\u{9b}\u{7f}\n", "\u{e0041}", "ä"] });
        for text in [json_line(&value), json(&format!("{value:#}"))] {
            assert!(text.contains("a\\u202e") && text.contains("\\udb40\\udc41") && text.contains('ä'), "{text}");
            assert!(text.chars().all(|character| character == '\n' || !is_invisible(character)), "{text}");
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }
}
