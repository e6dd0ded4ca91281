//! Policies with their options, as text and compiled.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use media_cache_components as embedded;
use serde::{Deserialize, Serialize};

use crate::component_error::ComponentError;
use crate::policy::component::{PolicyComponent, PolicyOrigin};
use crate::policy::engine::PolicyEngine;
use crate::policy::types::{Description, OptionDescription};

/// A policy with its options. It is parsed from the text that command lines use: `lru`, `gdsf:beta=0.75`, `./mine.wasm:window=10,depth=4`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySpec {
    /// The origin of the policy.
    pub origin: PolicyOrigin,
    /// Options as pairs of name and value, in the order in which they were given.
    pub options: Vec<(String, String)>,
}

/// Why a text cannot be parsed as a [`PolicySpec`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicySpecError {
    /// The text is neither a file nor the name of a built-in policy.
    #[error("there is no policy {0:?}: it is neither a file nor one of {names}", names = embedded::policy_names().join(", "))]
    Unknown(String),
    /// An option does not have the form `name=value`.
    #[error("{0:?} is not an option of the form name=value")]
    Option(String),
}

impl PolicySpec {
    /// The built-in policy with this name, without options.
    #[must_use]
    pub fn built_in(name: &str) -> Self {
        Self { origin: PolicyOrigin::BuiltIn(name.into()), options: Vec::new() }
    }

    /// Compiles the policy.
    ///
    /// # Errors
    /// The policy does not exist, its file cannot be read, or it is not a policy. Options are not checked yet.
    pub fn compile(&self, engine: &PolicyEngine) -> Result<PolicyComponent, ComponentError> {
        match &self.origin {
            PolicyOrigin::BuiltIn(name) => engine.built_in(name),
            PolicyOrigin::File(path) => engine.read(path),
            PolicyOrigin::Upload => Err(ComponentError::Gone),
        }
    }

    /// Compiles the policy and returns it with its options.
    ///
    /// # Errors
    /// As for [`compile`](Self::compile).
    pub fn choose(&self, engine: &PolicyEngine) -> Result<PolicyChoice, ComponentError> {
        Ok(PolicyChoice { component: self.compile(engine)?, options: self.options.clone() })
    }
}

impl Default for PolicySpec {
    fn default() -> Self {
        Self::built_in(embedded::LRU)
    }
}

impl FromStr for PolicySpec {
    type Err = PolicySpecError;

    fn from_str(text: &str) -> Result<Self, PolicySpecError> {
        let origin = |name: &str| {
            if embedded::policy(name).is_some() {
                Some(PolicyOrigin::BuiltIn(name.into()))
            } else {
                let path = PathBuf::from(name);
                path.is_file().then_some(PolicyOrigin::File(path))
            }
        };
        // A file name may contain a colon.
        if let Some(origin) = origin(text) {
            return Ok(Self { origin, options: Vec::new() });
        }
        // Options may contain colons too: they begin after the first colon that follows the name of an existing policy or file.
        let parts = || text.match_indices(':').map(|(at, _)| (&text[..at], &text[at + 1..]));
        let found = parts().find_map(|(name, options)| Some((origin(name)?, options)));
        let unknown = || PolicySpecError::Unknown(parts().next().map_or(text, |(name, _)| name).into());
        let (origin, options) = found.ok_or_else(unknown)?;
        let option = |option: &str| match option.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
            _ => Err(PolicySpecError::Option(option.into())),
        };
        let options = options.split(',').map(option).collect::<Result<_, _>>()?;
        Ok(Self { origin, options })
    }
}

impl fmt::Display for PolicySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(f)?;
        for (at, (name, value)) in self.options.iter().enumerate() {
            let separator = if at == 0 { ':' } else { ',' };
            write!(f, "{separator}{name}={value}")?;
        }
        Ok(())
    }
}

/// A compiled policy with its options.
#[derive(Clone)]
pub struct PolicyChoice {
    /// The policy.
    pub component: PolicyComponent,
    /// Options as pairs of name and value.
    pub options: Vec<(String, String)>,
}

impl PolicyChoice {
    /// The origin and options as they are written on a command line.
    #[must_use]
    pub fn spec(&self) -> PolicySpec {
        PolicySpec { origin: self.component.origin().clone(), options: self.options.clone() }
    }

    /// All options in the description of the policy, each with the given value or its default.
    #[must_use]
    pub fn all_options(&self, description: &Description) -> Vec<(String, String)> {
        let value = |option: &OptionDescription| {
            let given = self.options.iter().find(|(name, _)| *name == option.name);
            given.map_or_else(|| option.default.clone(), |(_, value)| value.clone())
        };
        description.options.iter().map(|option| (option.name.clone(), value(option))).collect()
    }

    /// Whether the component and the options are the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.component.digest() == other.component.digest() && self.options == other.options
    }

    /// Whether this is the built-in policy with this name.
    #[must_use]
    pub fn is_built_in(&self, name: &str) -> bool {
        matches!(self.component.origin(), PolicyOrigin::BuiltIn(known) if known == name)
    }
}

impl From<PolicyComponent> for PolicyChoice {
    fn from(component: PolicyComponent) -> Self {
        Self { component, options: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_spec_is_displayed_with_its_options() {
        let spec: PolicySpec = "lru:a=1,b=x=y:z".parse().unwrap();
        assert_eq!(spec.origin, PolicyOrigin::BuiltIn("lru".into()));
        assert_eq!(spec.options, [("a".into(), "1".into()), ("b".into(), "x=y:z".into())]);
        assert_eq!(spec.to_string(), "lru:a=1,b=x=y:z");
        let spec: PolicySpec = "gdsf:cost=linear:1".parse().unwrap();
        assert_eq!(
            (&spec.origin, &spec.options[..]),
            (&PolicyOrigin::BuiltIn("gdsf".into()), &[("cost".into(), "linear:1".into())][..])
        );
        assert_eq!(spec.to_string(), "gdsf:cost=linear:1");
        assert_eq!("lru".parse(), Ok(PolicySpec::default()));
    }

    #[test]
    fn file_name_may_contain_a_colon() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a:b=c.wasm");
        std::fs::write(&path, "").unwrap();
        let plain: PolicySpec = path.to_str().unwrap().parse().unwrap();
        assert_eq!(plain, PolicySpec { origin: PolicyOrigin::File(path.clone()), options: Vec::new() });
        let with_option: PolicySpec = format!("{}:window=5", path.display()).parse().unwrap();
        assert_eq!(with_option, PolicySpec { origin: PolicyOrigin::File(path), options: vec![("window".into(), "5".into())] });
    }

    #[test]
    fn unknown_policy_name_is_an_error_that_lists_the_policies() {
        let error = "lruu:a=1".parse::<PolicySpec>().unwrap_err();
        assert!(error.to_string().starts_with("there is no policy \"lruu\": it is neither a file nor one of lru"), "{error}");
        for wrong in ["lru:", "lru:a", "lru:=1", "lru:a=1,"] {
            assert!(matches!(wrong.parse::<PolicySpec>(), Err(PolicySpecError::Option(_))), "{wrong}");
        }
    }
}
