//! The options of a directory, which apply to all processes that use it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Options of a directory as text, by name, such as `max-size-mb` = `500`. The owner of the directory sets them. Processes that attach to
/// it adopt them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryOptions(BTreeMap<String, String>);

/// An option that a process set explicitly, and that differs from the option of the directory's owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the option {name} is {ours}, but the process that owns the directory uses {theirs}; set the same value in both, or omit the option to \
     use that of the owner"
)]
pub struct OptionConflict {
    /// The name of the option.
    pub name: String,
    /// The value in this process.
    pub ours: String,
    /// The owner's value.
    pub theirs: String,
}

impl DirectoryOptions {
    /// Sets an option.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.0.insert(name.into(), value.to_string());
        self
    }

    /// The value of an option, if it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Checks that each option that is set here has the same value as that of the owner. Options that the owner does not list are ignored.
    ///
    /// # Errors
    /// The first option that differs.
    pub fn check(&self, owner: &Self) -> Result<(), OptionConflict> {
        let differs = |(name, ours): (&String, &String)| {
            let theirs = owner.0.get(name).filter(|theirs| *theirs != ours)?;
            Some(OptionConflict { name: name.clone(), ours: ours.clone(), theirs: theirs.clone() })
        };
        self.0.iter().find_map(differs).map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explicit_option_that_differs_from_that_of_the_owner_is_a_conflict() {
        let owner = DirectoryOptions::default().with("max-size-mb", 500).with("policy", "lru");
        assert_eq!(DirectoryOptions::default().check(&owner), Ok(()));
        assert_eq!(DirectoryOptions::default().with("max-size-mb", 500).with("unknown", 1).check(&owner), Ok(()));
        let conflict = DirectoryOptions::default().with("policy", "sieve").check(&owner).unwrap_err();
        assert!(conflict.to_string().starts_with("the option policy is sieve, but the process that owns the directory uses lru"));
    }
}
