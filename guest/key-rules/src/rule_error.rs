//! Why the text of a rule is invalid.

use crate::rule_names;

/// Why a rule is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Neither a preset nor of the form `HOST:NAME+NAME`.
    #[error(
        "there is no key rule `{0}`; there are {known}, and rules of your own such as `*.example.org:sig+expires`",
        known = rule_names::listed()
    )]
    Unknown(String),
    /// The host of a rule cannot be a host.
    #[error(
        "`{host}` in a key rule is no host; write `cdn.example.org`, or `*.example.org` for all hosts below it, without scheme or port"
    )]
    Host {
        /// The text in the place of the host.
        host: String,
    },
    /// A parameter name of a rule cannot be one.
    #[error(
        "`{name}` in the key rule for {host} is no name of a parameter; write names as they stand in the URL, with `+` between them"
    )]
    Parameter {
        /// The host of the rule.
        host: String,
        /// The text in the place of the name.
        name: String,
    },
}
