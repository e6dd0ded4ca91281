//! Policies that are compiled, and the names and files that they come from.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wasmtime::Store;

use super::PolicyChoice;
use super::sandbox::PolicyState;
use crate::bindings::policy::{EvictionPolicy, EvictionPolicyPre};
use crate::engine::{ComponentError, Engine, embedded};

/// A policy component, compiled. Cloning it is cheap.
#[derive(Clone)]
pub struct PolicyComponent {
    component: EvictionPolicyPre<PolicyState>,
    origin: Arc<PolicyOrigin>,
    digest: [u8; 32],
}

/// Where a policy comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyOrigin {
    /// It comes with this library, by this name.
    BuiltIn(String),
    /// It was read from this file.
    File(PathBuf),
    /// It was handed in as bytes.
    Upload,
}

impl fmt::Display for PolicyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(name) => f.write_str(name),
            Self::File(path) => path.display().fmt(f),
            Self::Upload => f.write_str("the uploaded policy"),
        }
    }
}

impl PolicyComponent {
    pub(crate) fn new(component: EvictionPolicyPre<PolicyState>, origin: PolicyOrigin, bytes: &[u8]) -> Self {
        Self { component, origin: Arc::new(origin), digest: Sha256::digest(bytes).into() }
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> &PolicyOrigin {
        &self.origin
    }

    /// The SHA-256 of the component, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        self.digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn instantiate(&self, store: &mut Store<PolicyState>) -> wasmtime::Result<EvictionPolicy> {
        if !wasmtime::Engine::same(self.component.engine(), store.engine()) {
            return Err(wasmtime::Error::msg("it was compiled by another engine"));
        }
        self.component.instantiate(store)
    }
}

/// A policy and its options, as they are written on a command line: `lru`, `gdsf:beta=0.75`, `./mine.wasm:window=10,depth=4`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySpec {
    /// Which policy.
    pub origin: PolicyOrigin,
    /// Name and value, in the order in which they were given.
    pub options: Vec<(String, String)>,
}

/// Why a text is not a [`PolicySpec`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicySpecError {
    /// No policy is called that.
    #[error("there is no policy {0:?}: it is neither a file nor one of {names}", names = embedded::policy_names().join(", "))]
    Unknown(String),
    /// An option is not a name and a value.
    #[error("{0:?} is not an option of the form name=value")]
    Option(String),
}

impl PolicySpec {
    /// A policy that comes with this library, without options.
    #[must_use]
    pub fn built_in(name: &str) -> Self {
        Self { origin: PolicyOrigin::BuiltIn(name.into()), options: Vec::new() }
    }

    /// Compiles the policy.
    ///
    /// # Errors
    /// When the file cannot be read, or is no policy. Options are not looked at yet.
    pub fn compile(&self, engine: &Engine) -> Result<PolicyComponent, ComponentError> {
        match &self.origin {
            PolicyOrigin::BuiltIn(name) => engine.built_in_policy(name),
            PolicyOrigin::File(path) => engine.policy_from_file(path),
            PolicyOrigin::Upload => Err(ComponentError::Gone),
        }
    }

    /// Compiles the policy, and keeps its options with it.
    ///
    /// # Errors
    /// As for [`compile`](Self::compile).
    pub fn choose(&self, engine: &Engine) -> Result<PolicyChoice, ComponentError> {
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
        // A file's name may have a colon in it.
        if let Some(origin) = origin(text) {
            return Ok(Self { origin, options: Vec::new() });
        }
        // Options may have one too: the first colon after something that there is.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_written_with_its_options() {
        let spec: PolicySpec = "lru:a=1,b=x=y:z".parse().unwrap();
        assert_eq!(spec.origin, PolicyOrigin::BuiltIn("lru".into()));
        assert_eq!(spec.options, [("a".into(), "1".into()), ("b".into(), "x=y:z".into())]);
        assert_eq!(spec.to_string(), "lru:a=1,b=x=y:z");
        assert_eq!("lru".parse(), Ok(PolicySpec::default()));
    }

    #[test]
    fn a_file_may_have_a_colon_in_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a:b=c.wasm");
        std::fs::write(&path, "").unwrap();
        let plain: PolicySpec = path.to_str().unwrap().parse().unwrap();
        assert_eq!(plain, PolicySpec { origin: PolicyOrigin::File(path.clone()), options: Vec::new() });
        let with_option: PolicySpec = format!("{}:window=5", path.display()).parse().unwrap();
        assert_eq!(with_option, PolicySpec { origin: PolicyOrigin::File(path), options: vec![("window".into(), "5".into())] });
    }

    #[test]
    fn what_is_no_policy_is_told_what_there_is() {
        let error = "lruu:a=1".parse::<PolicySpec>().unwrap_err();
        assert!(error.to_string().starts_with("there is no policy \"lruu\": it is neither a file nor one of lru"), "{error}");
        for wrong in ["lru:", "lru:a", "lru:=1", "lru:a=1,"] {
            assert!(matches!(wrong.parse::<PolicySpec>(), Err(PolicySpecError::Option(_))), "{wrong}");
        }
    }
}
