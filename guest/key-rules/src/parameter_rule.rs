//! The rule that removes query parameters from the URLs of a host.

use crate::host_pattern::HostPattern;
use crate::rule_error::RuleError;

/// Query parameters to remove from the URLs of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterRule {
    host: HostPattern,
    drop: Vec<String>,
}

impl ParameterRule {
    /// Creates a rule that removes these parameters from URLs of this host, on any port. `*.example.org` means all hosts below
    /// `example.org`.
    ///
    /// # Errors
    /// Returns [`RuleError::Host`] or [`RuleError::Parameter`] for text that no URL can contain, since such a rule would never apply.
    pub fn new<'a>(host: &str, drop: impl IntoIterator<Item = &'a str>) -> Result<Self, RuleError> {
        let rule = Self { host: HostPattern::new(host)?, drop: drop.into_iter().map(Into::into).collect() };
        match rule.drop.iter().find(|name| !is_name(name)) {
            Some(name) => Err(RuleError::Parameter { host: rule.host().into(), name: name.clone() }),
            None => Ok(rule),
        }
    }

    pub(crate) fn unchecked<'a>(host: &str, drop: impl IntoIterator<Item = &'a str>) -> Self {
        Self { host: HostPattern::unchecked(host), drop: drop.into_iter().map(Into::into).collect() }
    }

    /// The host in lower case, or `*.` and the domain of the hosts.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.as_str()
    }

    /// The names of the parameters.
    #[must_use]
    pub fn drop(&self) -> &[String] {
        &self.drop
    }

    pub(crate) fn covers(&self, host: &str) -> bool {
        self.host.matches(host)
    }

    pub(crate) fn names(&self, parameter: &str) -> bool {
        self.drop.iter().any(|name| name == parameter)
    }
}

/// Whether the text can be the name of a query parameter.
fn is_name(text: &str) -> bool {
    let invalid = |char: char| char.is_whitespace() || char.is_control() || "&=#+:".contains(char);
    !text.is_empty() && !text.contains(invalid)
}
