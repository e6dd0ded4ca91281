//! Finds the word that the user probably meant.

/// The closest candidate that begins with `word` or differs from it in at most a third of its letters. Short words may differ in one
/// letter.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(LONGEST).collect();
    let close = candidates.into_iter().filter_map(|candidate| {
        let letters: Vec<char> = candidate.chars().take(LONGEST).collect();
        let distance = distance(&word, &letters);
        let begins = word.len() >= 3 && letters.starts_with(&word);
        (begins || distance <= (word.len() / 3).max(1)).then_some((distance, candidate))
    });
    close.min_by_key(|(distance, _)| *distance).filter(|_| word.len() > 1).map(|(_, candidate)| candidate)
}

/// The maximum number of letters of a word that are compared.
const LONGEST: usize = 64;

/// The number of letters to insert, remove, replace, or exchange with their neighbour (optimal string alignment).
fn distance(one: &[char], other: &[char]) -> usize {
    let mut rows = vec![(0..=other.len()).collect::<Vec<usize>>()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut least = (rows[i][j] + usize::from(a != b)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_option_is_found_for_typos_and_prefixes() {
        let options = ["dir", "listen", "max-size-mb", "max-body-mb", "policy", "policy-call-ms", "json"];
        for (word, meant) in [
            ("dri", Some("dir")),
            ("dirr", Some("dir")),
            ("d", None),
            ("listn", Some("listen")),
            ("lsiten", Some("listen")),
            ("max-body", Some("max-body-mb")),
            ("max-sise-mb", Some("max-size-mb")),
            ("polcy", Some("policy")),
            ("jsno", Some("json")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, options), meant, "{word}");
        }
    }

    #[test]
    fn very_long_word_is_handled_quickly() {
        assert_eq!(nearest(&"x".repeat(1_000_000), ["dir"]), None);
    }
}
