//! The policy that was chosen while a service ran, so that the next start has it again.
//!
//! Beside the entries, `media-cache.policy.json` says which policy it is, and `media-cache.policies/{digest}.wasm` is one that was handed
//! in as bytes. These have a directory of their own: that of the entries is too large to be looked through.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::policy::component::PolicyOrigin;
use crate::policy::spec::{PolicyChoice, PolicySpec};
use crate::private_files;

const FILE: &str = "media-cache.policy.json";
const UPLOADS: &str = "media-cache.policies";

/// What a cache's directory remembers of its policy.
#[derive(Clone, Debug)]
pub struct RememberedPolicy {
    directory: PathBuf,
    configured: PolicySpec,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Remembered {
    /// What was configured when the choice was made.
    configured: PolicySpec,
    chosen: PolicySpec,
}

impl RememberedPolicy {
    /// For the cache in a directory that is configured to start with a policy.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, configured: PolicySpec) -> Self {
        Self { directory: directory.into(), configured }
    }

    /// The policy that was chosen last. `None` where none was, where another was configured since, which is the later choice, or
    /// where the file cannot be read.
    #[must_use]
    pub fn recall(&self) -> Option<PolicySpec> {
        let text = fs::read(self.directory.join(FILE)).ok()?;
        let remembered: Remembered = serde_json::from_slice(&text)
            .inspect_err(|error| tracing::warn!("{FILE} cannot be read, and the policy is the configured one: {error}"))
            .ok()?;
        let mut chosen = Some(remembered.chosen).filter(|_| remembered.configured == self.configured)?;
        if let PolicyOrigin::File(path) = &mut chosen.origin {
            // What was handed in lies here, wherever that is by now.
            *path = self.directory.join(&path);
        }
        Some(chosen)
    }

    /// Forgets the choice if another policy was configured since it was made.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget_the_outdated(&self) -> io::Result<()> {
        let path = self.directory.join(FILE);
        if path.exists() && self.recall().is_none() { fs::remove_file(path) } else { Ok(()) }
    }

    /// Remembers the choice, and `upload`, which is its component where that was just handed in. Components that were handed in and are
    /// neither this one nor `previous` are forgotten.
    ///
    /// # Errors
    /// When something cannot be written. The choice before is remembered then.
    pub fn remember(&self, choice: &PolicyChoice, upload: Option<&[u8]>, previous: Option<&PolicyChoice>) -> io::Result<()> {
        let uploads = self.directory.join(UPLOADS);
        private_files::create_directory(&uploads)?;
        let digest = choice.component.digest();
        if let Some(component) = upload {
            self.write(&self.upload(&digest), component)?;
        }
        let origin = match choice.component.origin() {
            PolicyOrigin::BuiltIn(name) => PolicyOrigin::BuiltIn(name.clone()),
            PolicyOrigin::File(path) if !path.starts_with(&uploads) => PolicyOrigin::File(std::path::absolute(path)?),
            PolicyOrigin::File(_) | PolicyOrigin::Upload => {
                fs::metadata(self.upload(&digest))?;
                PolicyOrigin::File(upload_name(&digest).into())
            }
        };
        let chosen = PolicySpec { origin, options: choice.options.clone() };
        let remembered = Remembered { configured: self.configured.clone(), chosen };
        self.write(&self.directory.join(FILE), &serde_json::to_vec(&remembered)?)?;
        let not_built_in = |choice: &&PolicyChoice| !matches!(choice.component.origin(), PolicyOrigin::BuiltIn(_));
        let choices = [Some(choice), previous].into_iter().flatten().filter(not_built_in);
        let needed: Vec<PathBuf> = choices.map(|choice| self.upload(&choice.component.digest())).collect();
        for file in fs::read_dir(&uploads)? {
            let path = file?.path();
            if !needed.contains(&path) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn upload(&self, digest: &str) -> PathBuf {
        self.directory.join(upload_name(digest))
    }

    /// Writes a file whole or not at all.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(self.directory.join(UPLOADS))?;
        io::Write::write_all(&mut file, bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

fn upload_name(digest: &str) -> String {
    format!("{UPLOADS}/{digest}.wasm")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::engine::PolicyEngine;

    fn choice(name: &str) -> PolicyChoice {
        PolicyChoice { component: PolicyEngine::new().unwrap().built_in(name).unwrap(), options: vec![("a".into(), "1".into())] }
    }

    #[test]
    fn a_choice_is_remembered_until_another_policy_is_configured() {
        let directory = tempfile::tempdir().unwrap();
        let memory = RememberedPolicy::new(directory.path(), PolicySpec::default());
        assert_eq!(memory.recall(), None);
        memory.remember(&choice("lru"), None, None).unwrap();
        assert_eq!(memory.recall().unwrap().to_string(), "lru:a=1");
        memory.forget_the_outdated().unwrap();
        assert!(memory.recall().is_some());
        let another = RememberedPolicy::new(directory.path(), "lru:b=2".parse().unwrap());
        assert_eq!(another.recall(), None);
        another.forget_the_outdated().unwrap();
        assert_eq!(memory.recall(), None, "a later choice is not undone by an earlier one");
        fs::write(directory.path().join(FILE), "{").unwrap();
        assert_eq!(memory.recall(), None);
    }

    #[test]
    fn uploads_are_kept_while_they_may_be_needed() {
        let directory = tempfile::tempdir().unwrap();
        let memory = RememberedPolicy::new(directory.path(), PolicySpec::default());
        let (engine, lru) = (PolicyEngine::new().unwrap(), crate::embedded::policy("lru").unwrap());
        let upload = PolicyChoice::from(engine.compile(PolicyOrigin::Upload, lru).unwrap());
        memory.remember(&upload, Some(lru), None).unwrap();
        fs::write(memory.upload("another"), lru).unwrap();
        memory.remember(&upload, None, None).unwrap();
        assert_eq!(memory.recall().unwrap().origin, PolicyOrigin::File(memory.upload(&upload.component.digest())));
        assert!(!memory.upload("another").exists() && memory.recall().unwrap().compile(&engine).is_ok());
        let uploads = || fs::read_dir(directory.path().join(UPLOADS)).unwrap().count();
        assert_eq!(uploads(), 1);
        let built_in = choice("lru");
        memory.remember(&built_in, None, Some(&upload)).unwrap();
        assert_eq!(uploads(), 1, "a rollback would need it");
        memory.remember(&built_in, None, Some(&built_in)).unwrap();
        assert_eq!(uploads(), 0);
        assert!(memory.remember(&upload, None, None).is_err());
        assert_eq!(memory.recall().unwrap().to_string(), "lru:a=1", "one that is not there is not remembered");
    }
}
