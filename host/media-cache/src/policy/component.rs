//! Compiled policies and their origins.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wasmtime::Store;

use crate::bindings::policy::{EvictionPolicy, EvictionPolicyPre};
use crate::policy::sandbox::SandboxState;

/// A compiled policy component. Cloning is cheap.
#[derive(Clone)]
pub struct PolicyComponent {
    component: EvictionPolicyPre<SandboxState>,
    origin: Arc<PolicyOrigin>,
    digest: [u8; 32],
}

/// The origin of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyOrigin {
    /// The policy with this name that is embedded in this library.
    BuiltIn(String),
    /// A file.
    File(PathBuf),
    /// An upload: bytes that a caller supplied.
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
    pub(crate) fn new(component: EvictionPolicyPre<SandboxState>, origin: PolicyOrigin, bytes: &[u8]) -> Self {
        Self { component, origin: Arc::new(origin), digest: Sha256::digest(bytes).into() }
    }

    /// The origin.
    #[must_use]
    pub fn origin(&self) -> &PolicyOrigin {
        &self.origin
    }

    /// The SHA-256 of the component, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        self.digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn instantiate(&self, store: &mut Store<SandboxState>) -> wasmtime::Result<EvictionPolicy> {
        if !wasmtime::Engine::same(self.component.engine(), store.engine()) {
            return Err(wasmtime::Error::msg("it was compiled by another engine"));
        }
        self.component.instantiate(store)
    }
}
