//! Parses rules as users write them: `discord,*.example.org:sig+expires`.

use std::str::FromStr;

use crate::key_rules::KeyRules;
use crate::parameter_rule::ParameterRule;
use crate::preset::Preset;
use crate::rule_error::RuleError;
use crate::rule_names::{FRAGMENTS, HOST_CASE};

/// Rules are separated by commas.
impl FromStr for KeyRules {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        text.split(',').map(parse_rule).collect()
    }
}

fn parse_rule(text: &str) -> Result<KeyRules, RuleError> {
    match text {
        FRAGMENTS => return Ok(KeyRules { drop_fragments: true, ..KeyRules::default() }),
        HOST_CASE => return Ok(KeyRules { lower_case_hosts: true, ..KeyRules::default() }),
        _ => {}
    }
    if let Some(preset) = Preset::named(text) {
        return Ok(preset.rules());
    }
    if text.contains("://") {
        return Err(RuleError::Host { host: text.into() });
    }
    let colon = text.find("]:").map(|bracket| bracket + 1).or_else(|| text.find(':'));
    let (host, names) = colon.map(|colon| (&text[..colon], &text[colon + 1..])).ok_or_else(|| RuleError::Unknown(text.into()))?;
    let rule = ParameterRule::new(host, names.split('+'))?;
    Ok(KeyRules { parameters: vec![rule], ..KeyRules::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_can_be_parsed_individually_or_as_a_list() {
        let rules: KeyRules = "fragments,*.Example.org:sig+X-Amz-Date,host-case,[::1]:a".parse().unwrap();
        assert!(rules.drop_fragments && rules.lower_case_hosts);
        let parameters: Vec<_> = rules.parameters.iter().map(|rule| (rule.host(), rule.drop().join(" "))).collect();
        assert_eq!(parameters, [("*.example.org", "sig X-Amz-Date".into()), ("[::1]", "a".into())]);
        let apart =
            ["fragments", "*.example.org:sig+X-Amz-Date", "host-case", "[::1]:a"].map(|rule| rule.parse::<KeyRules>().unwrap());
        assert_eq!(KeyRules::from_iter(apart), rules);
    }

    #[test]
    fn an_invalid_rule_is_an_error_that_lists_the_valid_ones() {
        let wrong = |text: &str| text.parse::<KeyRules>().unwrap_err().to_string();
        for text in ["", "Discord", "dicord", "example.org", "fragments,", "*"] {
            let why = wrong(text);
            assert!(why.contains("use `discord`, `fragments`, `host-case`, or your own rule, such as"), "{why}");
        }
        assert!(wrong("discord,x.org").contains("unknown key rule `x.org`"));
        for (text, host) in [
            ("https://x.org:sig", "https://x.org:sig"),
            (":sig", ""),
            ("*:sig", "*"),
            ("*.:sig", "*."),
            ("*.*.org:sig", "*.*.org"),
            ("x..org:sig", "x..org"),
            ("x.org/a:sig", "x.org/a"),
            ("x org:sig", "x org"),
            ("[]:sig", "[]"),
            ("[x]:sig", "[x]"),
        ] {
            assert!(wrong(text).starts_with(&format!("`{host}` in a key rule is not a host; write ")), "{text}: {}", wrong(text));
        }
        for (text, name) in [
            ("x.org:", ""),
            ("x.org:a+", ""),
            ("x.org:a b", "a b"),
            ("x.org:8080:sig", "8080:sig"),
            ("x.org:a=1", "a=1"),
            ("x.org:a&b", "a&b"),
        ] {
            assert!(
                wrong(text).starts_with(&format!("`{name}` in the key rule for x.org is not a parameter name")),
                "{text}: {}",
                wrong(text)
            );
        }
    }
}
