//! Why the text of a rule is invalid.

use crate::rule_names;

/// Why a rule is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Neither a preset nor of the form `HOST:NAME+NAME`.
    #[error(
        "unknown key rule `{0}`; use {known}, or your own rule, such as `*.example.org:sig+expires`",
        known = rule_names::listed()
    )]
    Unknown(String),
    /// The host of a rule is not valid.
    #[error(
        "`{host}` in a key rule is not a host; write `cdn.example.org`, or `*.example.org` for all hosts below it, without scheme or port"
    )]
    Host {
        /// The text given as the host.
        host: String,
    },
    /// A parameter name of a rule is not valid.
    #[error(
        "`{name}` in the key rule for {host} is not a parameter name; write names as they appear in the URL, with `+` between them"
    )]
    Parameter {
        /// The host of the rule.
        host: String,
        /// The text given as the name.
        name: String,
    },
}
