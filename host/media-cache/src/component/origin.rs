//! Where a cache component comes from.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where a cache component comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentOrigin {
    /// It comes with this library.
    BuiltIn,
    /// It was read from this file.
    File(PathBuf),
    /// It was handed in as bytes.
    Upload,
}

impl fmt::Display for ComponentOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("the built-in cache"),
            Self::File(path) => path.display().fmt(f),
            Self::Upload => f.write_str("the uploaded cache component"),
        }
    }
}
