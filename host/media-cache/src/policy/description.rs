//! What a policy says is shown to people and logged, so it has to be short, and of one line.

use crate::policy::fault::PolicyFault;
use crate::policy::types::Description;

/// The longest name, version or default, in bytes.
const WORD: usize = 64;
/// The longest sentence, in bytes.
const LINE: usize = 1024;
/// How many options a policy may have.
const OPTIONS: usize = 64;

/// Checks what a policy says of itself.
pub(super) fn check(description: &Description) -> Result<(), PolicyFault> {
    let Description { name, version, doc, options } = description;
    if name.is_empty() {
        return Err(PolicyFault::Description("without a name"));
    }
    if options.len() > OPTIONS {
        return Err(PolicyFault::Description("with more than 64 options"));
    }
    let words = options.iter().flat_map(|option| [&option.name, &option.default]).chain([name, version]);
    let lines = options.iter().map(|option| &option.doc).chain([doc]);
    let texts = words.map(|text| (text, WORD)).chain(lines.map(|text| (text, LINE)));
    for (text, longest) in texts {
        if text.len() > longest {
            return Err(PolicyFault::Description("at too great a length"));
        }
        if text.contains(char::is_control) {
            return Err(PolicyFault::Description("with control characters"));
        }
    }
    Ok(())
}

/// A complaint of a policy, as one line that is not too long.
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
        let option = OptionDescription { name: "window".into(), default: "1".into(), doc: "In per cent.".into() };
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
            (|policy| policy.name = String::new(), "without a name"),
            (|policy| policy.name = "x".repeat(WORD + 1), "at too great a length"),
            (|policy| policy.name = "a\u{1b}[31m".into(), "with control characters"),
            (|policy| policy.version = "1\n".into(), "with control characters"),
            (|policy| policy.doc.push('x'), "at too great a length"),
            (|policy| policy.options[63].doc = "\n".into(), "with control characters"),
            (|policy| policy.options[63].default = "x".repeat(WORD + 1), "at too great a length"),
            (|policy| policy.options.push(policy.options[0].clone()), "with more than 64 options"),
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
