//! The origin of a cache component.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The origin of a cache component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentOrigin {
    /// The component that is embedded in this library.
    BuiltIn,
    /// A file.
    File(PathBuf),
    /// An upload: bytes that a caller supplied.
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
