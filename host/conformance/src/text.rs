//! Formats numbers, and strings from policies, for verdicts.

/// Quotes a string from a policy for a terminal: truncated, with control characters escaped.
pub(crate) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    let start: String = text.chars().take(MAX_CHARS).collect();
    let rest = if start.len() < text.len() { format!("... ({} bytes in total)", text.len()) } else { String::new() };
    format!("{start:?}{rest}")
}

/// Formats 1234567 as 1,234,567.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{grouped, quoted};

    #[test]
    fn quoted_text_has_no_control_characters() {
        assert_eq!(quoted("a \u{1b}[2J\n"), r#""a \u{1b}[2J\n""#);
        assert_eq!(quoted(&"\u{e4}".repeat(1000)).len(), "\"\"... (2000 bytes in total)".len() + 400);
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 48_210, 1_234_567].map(grouped), ["0", "999", "1,000", "48,210", "1,234,567"]);
    }
}
