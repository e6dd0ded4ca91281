//! Checks the texts of policies. They are displayed and logged, so they must be short single lines.

use crate::policy::fault::PolicyFault;
use crate::policy::types::Description;

/// The maximum length of a name, version or default, in bytes.
const WORD: usize = 64;
/// The maximum length of a sentence, in bytes.
const LINE: usize = 1024;
/// The maximum number of options of a policy.
const OPTIONS: usize = 64;

/// Checks a policy's description.
pub(super) fn check(description: &Description) -> Result<(), PolicyFault> {
    let Description { name, version, doc, options } = description;
    if name.is_empty() {
        return Err(PolicyFault::Description("it has no name"));
    }
    if options.len() > OPTIONS {
        return Err(PolicyFault::Description("it has more than 64 options"));
    }
    let words = options.iter().flat_map(|option| [&option.name, &option.default]).chain([name, version]);
    let lines = options.iter().map(|option| &option.doc).chain([doc]);
    let texts = words.map(|text| (text, WORD)).chain(lines.map(|text| (text, LINE)));
    for (text, longest) in texts {
        if text.len() > longest {
            return Err(PolicyFault::Description("a text is too long"));
        }
        if text.contains(char::is_control) {
            return Err(PolicyFault::Description("a text contains control characters"));
        }
    }
    Ok(())
}

/// Shortens a policy's error message to a single line of limited length.
pub(super) fn one_line(complaint: &str) -> String {
    let printable = |char: char| if char.is_control() { ' ' } else { char };
    let mut line: String = complaint.chars().map(printable).take(LINE / 2).collect();
    if line.len() < complaint.len() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::types::OptionDescription;

    fn described(change: impl FnOnce(&mut Description)) -> Result<(), PolicyFault> {
        let option = OptionDescription { name: "window".into(), default: "1".into(), doc: "In percent.".into() };
        let mut description =
            Description { name: "lru".into(), version: "1.0.0".into(), doc: "x".repeat(LINE), options: vec![option; OPTIONS] };
        change(&mut description);
        check(&description)
    }

    #[test]
    fn description_of_short_single_lines_is_accepted() {
        assert_eq!(described(|_| ()), Ok(()));
        assert_eq!(described(|policy| (policy.version, policy.doc) = (String::new(), String::new())), Ok(()));
    }

    #[test]
    fn description_that_is_empty_long_or_multiline_is_a_fault() {
        type Change = fn(&mut Description);
        let changes: [(Change, &str); 8] = [
            (|policy| policy.name = String::new(), "it has no name"),
            (|policy| policy.name = "x".repeat(WORD + 1), "a text is too long"),
            (|policy| policy.name = "a\u{1b}[31m".into(), "a text contains control characters"),
            (|policy| policy.version = "1\n".into(), "a text contains control characters"),
            (|policy| policy.doc.push('x'), "a text is too long"),
            (|policy| policy.options[63].doc = "\n".into(), "a text contains control characters"),
            (|policy| policy.options[63].default = "x".repeat(WORD + 1), "a text is too long"),
            (|policy| policy.options.push(policy.options[0].clone()), "it has more than 64 options"),
        ];
        for (change, what) in changes {
            assert_eq!(described(change), Err(PolicyFault::Description(what)));
        }
    }

    #[test]
    fn error_message_is_reduced_to_one_line() {
        assert_eq!(one_line("window is 101; it has to be less"), "window is 101; it has to be less");
        assert_eq!(one_line("a\nb\u{1b}[0mc"), "a b [0mc");
        let long = one_line(&"ä".repeat(1 << 20));
        assert_eq!((long.chars().count(), long.ends_with("ä…")), (513, true));
    }
}
