//! The options of a directory, which apply to all processes that use it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Options of a directory as text, by name, such as `max-size-mb` = `500`. The owner of the directory sets them. Processes that attach to
/// it adopt them.
///
/// Each program lists all its options, with [`with_default`](Self::with_default) those that the user did not set. Otherwise, a process
/// that attaches to it with another value cannot tell that it differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryOptions {
    explicit: BTreeMap<String, String>,
    defaults: BTreeMap<String, String>,
}

/// An option that a process set explicitly, and that differs from the option of the directory's owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the option {name} is {ours}, but the process that owns the directory is configured with {theirs}; set the same value in both, or omit the option to \
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
    /// Sets an option explicitly.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.explicit.insert(name.into(), value.to_string());
        self
    }

    /// Lists the default of an option, which applies unless the option is set explicitly.
    #[must_use]
    pub fn with_default(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.defaults.insert(name.into(), value.to_string());
        self
    }

    /// The value of an option, if it is set or has a default.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.explicit.get(name).or_else(|| self.defaults.get(name)).map(String::as_str)
    }

    /// Checks that each option that is set explicitly here has the same value as that of the owner, which may be a default. Options that the
    /// owner does not list are ignored.
    ///
    /// # Errors
    /// The first option that differs.
    pub fn check(&self, owner: &Self) -> Result<(), OptionConflict> {
        let differs = |(name, ours): (&String, &String)| {
            let theirs = owner.get(name).filter(|theirs| theirs != ours)?;
            Some(OptionConflict { name: name.clone(), ours: ours.clone(), theirs: theirs.into() })
        };
        self.explicit.iter().find_map(differs).map_or(Ok(()), Err)
    }

    /// These options, and those that are only listed in `others`.
    pub(crate) fn or(mut self, others: &Self) -> Self {
        let missing = |from: &BTreeMap<String, String>| {
            from.iter().filter(|(name, _)| self.get(name).is_none()).map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        let (explicit, defaults): (Vec<_>, Vec<_>) = (missing(&others.explicit), missing(&others.defaults));
        self.explicit.extend(explicit);
        self.defaults.extend(defaults);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explicit_option_that_differs_from_the_value_of_the_owner_is_a_conflict() {
        let owner = DirectoryOptions::default().with("max-size-mb", 500).with("policy", "lru");
        assert_eq!(DirectoryOptions::default().check(&owner), Ok(()));
        assert_eq!(DirectoryOptions::default().with("max-size-mb", 500).with("unknown", 1).check(&owner), Ok(()));
        let conflict = DirectoryOptions::default().with("policy", "sieve").check(&owner).unwrap_err();
        assert!(
            conflict
                .to_string()
                .starts_with("the option policy is sieve, but the process that owns the directory is configured with lru")
        );
    }

    #[test]
    fn explicit_option_that_differs_from_the_default_of_the_owner_is_a_conflict() {
        let owner = DirectoryOptions::default().with_default("policy", "lru");
        assert_eq!(owner.get("policy"), Some("lru"));
        assert_eq!(DirectoryOptions::default().with("policy", "lru").check(&owner), Ok(()));
        assert!(DirectoryOptions::default().with("policy", "sieve").check(&owner).is_err());
        // A default is adopted from the owner, whether it sets the option or not.
        let defaults = DirectoryOptions::default().with_default("policy", "sieve");
        assert_eq!(defaults.check(&owner), Ok(()));
        assert_eq!(defaults.check(&DirectoryOptions::default().with("policy", "lru")), Ok(()));
        assert_eq!(defaults.with("policy", "lru").get("policy"), Some("lru"));
    }

    #[test]
    fn options_that_only_the_next_owner_lists_are_added() {
        let (first, next) = (DirectoryOptions::default().with_default("policy", "lru"), DirectoryOptions::default());
        let next = next.with_default("policy", "sieve").with("gif", "never");
        let all = first.or(&next);
        assert_eq!((all.get("policy"), all.get("gif")), (Some("lru"), Some("never")));
    }
}
