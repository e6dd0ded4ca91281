//! Splits Rust source into tokens, and drops comments, string and character literals, and lifetimes.

/// Returns the words and symbols of `source`. All symbols except `::` and `..` are single characters.
pub fn tokenize(source: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skipped = comment(rest).or_else(|| string(rest)).or_else(|| quote(rest));
        let length = skipped.unwrap_or_else(|| {
            let symbol = if rest.starts_with("::") || rest.starts_with("..") { 2 } else { first.len_utf8() };
            let length = symbol.max(word(rest));
            if !first.is_whitespace() {
                tokens.push(&rest[..length]);
            }
            length
        });
        rest = &rest[length..];
    }
    tokens
}

pub fn is_word(token: &str) -> bool {
    token.starts_with(is_word_character)
}

fn is_word_character(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The length of the word that `rest` starts with, or 0. A raw identifier includes its `r#`.
fn word(rest: &str) -> usize {
    let name = rest.strip_prefix("r#").unwrap_or(rest);
    let length = name.find(|character| !is_word_character(character)).unwrap_or(name.len());
    if length == 0 { 0 } else { rest.len() - name.len() + length }
}

/// The length of the comment that `rest` starts with. Block comments nest.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    let mut inner = rest.strip_prefix("/*")?;
    let mut depth = 1;
    while depth > 0 && !inner.is_empty() {
        let (change, length) = match inner {
            _ if inner.starts_with("/*") => (1, 2),
            _ if inner.starts_with("*/") => (-1, 2),
            _ => (0, inner.chars().next().map_or(0, char::len_utf8)),
        };
        depth += change;
        inner = &inner[length..];
    }
    Some(rest.len() - inner.len())
}

/// The length of the string literal that `rest` starts with: plain, byte, C or raw.
fn string(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c"].into_iter().find(|prefix| rest.starts_with(prefix)).unwrap_or("");
    let opening = &rest[prefix.len()..];
    if !prefix.ends_with('r') {
        return Some(prefix.len() + 1 + escaped(opening.strip_prefix('"')?, '"'));
    }
    let text = opening.trim_start_matches('#');
    let hashes = &opening[..opening.len() - text.len()];
    let text = text.strip_prefix('"')?;
    let closing = format!("\"{hashes}");
    let length = text.find(&closing).map_or(text.len(), |end| end + closing.len());
    Some(rest.len() - text.len() + length)
}

/// The length of the character literal or lifetime that `rest` starts with.
fn quote(rest: &str) -> Option<usize> {
    let text = rest.strip_prefix('\'')?;
    let is_character = text.starts_with('\\') || text.chars().nth(1) == Some('\'');
    Some(1 + if is_character { escaped(text, '\'') } else { word(text) })
}

/// The length of `text` up to and including the first `end` that is not escaped.
fn escaped(text: &str, end: char) -> usize {
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            _ if character == end => return at + 1,
            _ => {}
        }
    }
    text.len()
}
