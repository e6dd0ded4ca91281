//! Removes the code that is only compiled for tests.

/// Returns `tokens` without the items that have an attribute such as `#[cfg(test)]`.
pub fn without_test_code<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match attribute(tokens, at) {
            Some((content, end)) if is_test_only(content) => at = end_of_item(tokens, end),
            _ => {
                kept.push(tokens[at]);
                at += 1;
            }
        }
    }
    kept
}

/// The content of the outer attribute at `at`, and the position after it.
fn attribute<'t, 'a>(tokens: &'t [&'a str], at: usize) -> Option<(&'t [&'a str], usize)> {
    if !tokens[at..].starts_with(&["#", "["]) {
        return None;
    }
    let end = at + 1 + group(&tokens[at + 1..]);
    Some((&tokens[at + 2..end - 1], end))
}

/// The length of the bracketed group that `tokens` starts with.
fn group(tokens: &[&str]) -> usize {
    let mut depth = 0;
    let closes = |token: &&str| {
        depth += depth_change(token);
        depth == 0
    };
    tokens.iter().position(closes).map_or(tokens.len(), |last| last + 1)
}

fn depth_change(token: &str) -> i32 {
    match token {
        "(" | "[" | "{" => 1,
        ")" | "]" | "}" => -1,
        _ => 0,
    }
}

fn is_test_only(attribute: &[&str]) -> bool {
    match attribute {
        ["test"] => true,
        ["cfg", "(", predicate @ .., ")"] => requires_test(predicate),
        _ => false,
    }
}

/// Whether a `cfg` predicate holds only in tests.
fn requires_test(predicate: &[&str]) -> bool {
    match predicate {
        ["test"] => true,
        ["all", "(", list @ .., ")"] => elements(list).into_iter().any(requires_test),
        ["any", "(", list @ .., ")"] => elements(list).into_iter().all(requires_test),
        _ => false,
    }
}

/// Splits a list at its commas.
fn elements<'t, 'a>(list: &'t [&'a str]) -> Vec<&'t [&'a str]> {
    let mut depth = 0;
    let separates = |token: &&str| {
        depth += depth_change(token);
        depth == 0 && *token == ","
    };
    list.split(separates).filter(|part| !part.is_empty()).collect()
}

/// The position after the item, statement or field at `at`, which may start with further attributes.
fn end_of_item(tokens: &[&str], mut at: usize) -> usize {
    while let Some((_, end)) = attribute(tokens, at) {
        at = end;
    }
    let ends = ends_of(&tokens[at..]);
    let mut depth = 0;
    while at < tokens.len() {
        depth += depth_change(tokens[at]);
        if depth < 0 {
            return at;
        }
        at += 1;
        if depth == 0 && ends.contains(&tokens[at - 1]) {
            return at;
        }
    }
    at
}

/// The tokens that can end `item`.
fn ends_of(item: &[&str]) -> &'static [&'static str] {
    let item = match item {
        ["pub", rest @ ..] if rest.first() == Some(&"(") => &rest[group(rest)..],
        ["pub", rest @ ..] => rest,
        _ => item,
    };
    match item {
        ["const", "fn" | "unsafe" | "async" | "extern", ..]
        | ["fn" | "mod" | "struct" | "enum" | "union" | "trait" | "impl" | "unsafe" | "async" | "extern", ..] => &[";", "}"],
        ["use" | "const" | "static" | "type" | "let", ..] => &[";"],
        // A field, a variant, an arm of a match or an expression.
        _ => &[";", "}", ","],
    }
}
