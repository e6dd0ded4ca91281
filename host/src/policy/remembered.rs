//! The policy that was chosen while a service ran, so that the next start has it again.
//!
//! Beside the entries, `media-cache.policy.json` says which policy it is, and `media-cache.policies/{digest}.wasm` is one that was handed
//! in as bytes. These have a directory of their own: that of the entries is too large to be looked through.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{PolicyChoice, PolicyOrigin, PolicySpec};

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

    /// The policy that is configured.
    #[must_use]
    pub fn configured(&self) -> &PolicySpec {
        &self.configured
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

    /// Keeps a component that was handed in as bytes.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_upload(&self, digest: &str, component: &[u8]) -> io::Result<()> {
        fs::create_dir_all(self.directory.join(UPLOADS))?;
        self.write(&self.upload(digest), component)
    }

    /// Remembers the choice. Components that were handed in and are neither this one nor `previous` are forgotten.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember(&self, choice: &PolicyChoice, previous: Option<&PolicyChoice>) -> io::Result<()> {
        let origin = match choice.component.origin() {
            PolicyOrigin::Upload => PolicyOrigin::File(upload_name(&choice.component.digest()).into()),
            PolicyOrigin::File(path) => PolicyOrigin::File(std::path::absolute(path)?),
            PolicyOrigin::BuiltIn(name) => PolicyOrigin::BuiltIn(name.clone()),
        };
        let chosen = PolicySpec { origin, options: choice.options.clone() };
        let remembered = Remembered { configured: self.configured.clone(), chosen };
        self.write(&self.directory.join(FILE), &serde_json::to_vec(&remembered)?)?;
        self.tidy(choice, previous)
    }

    /// Removes the components that were handed in and that neither of these needs.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn tidy(&self, choice: &PolicyChoice, previous: Option<&PolicyChoice>) -> io::Result<()> {
        let not_built_in = |choice: &&PolicyChoice| !matches!(choice.component.origin(), PolicyOrigin::BuiltIn(_));
        let choices = [Some(choice), previous].into_iter().flatten().filter(not_built_in);
        let needed: Vec<PathBuf> = choices.map(|choice| self.upload(&choice.component.digest())).collect();
        let uploads = match fs::read_dir(self.directory.join(UPLOADS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            uploads => uploads?,
        };
        for file in uploads {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "wasm") && !needed.contains(&path) {
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
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        io::Write::write_all(&mut file, bytes)?;
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
    use crate::Engine;

    fn choice(name: &str) -> PolicyChoice {
        PolicyChoice { component: Engine::new().unwrap().built_in_policy(name).unwrap(), options: vec![("a".into(), "1".into())] }
    }

    #[test]
    fn a_choice_is_remembered_until_another_policy_is_configured() {
        let directory = tempfile::tempdir().unwrap();
        let memory = RememberedPolicy::new(directory.path(), PolicySpec::default());
        assert_eq!(memory.recall(), None);
        memory.remember(&choice("lru"), None).unwrap();
        assert_eq!(memory.recall().unwrap().to_string(), "lru:a=1");
        let configured = "lru:b=2".parse().unwrap();
        assert_eq!(RememberedPolicy::new(directory.path(), configured).recall(), None);
        fs::write(directory.path().join(FILE), "{").unwrap();
        assert_eq!(memory.recall(), None);
    }

    #[test]
    fn uploads_are_kept_while_they_may_be_needed() {
        let directory = tempfile::tempdir().unwrap();
        let memory = RememberedPolicy::new(directory.path(), PolicySpec::default());
        let (engine, lru) = (Engine::new().unwrap(), crate::embedded::policy("lru").unwrap());
        let upload = PolicyChoice::from(engine.compile_policy(PolicyOrigin::Upload, lru).unwrap());
        memory.keep_upload(&upload.component.digest(), lru).unwrap();
        memory.keep_upload("another", lru).unwrap();
        memory.remember(&upload, None).unwrap();
        assert_eq!(memory.recall().unwrap().origin, PolicyOrigin::File(memory.upload(&upload.component.digest())));
        assert!(!memory.upload("another").exists() && memory.recall().unwrap().compile(&engine).is_ok());
        let uploads = || fs::read_dir(directory.path().join(UPLOADS)).unwrap().count();
        assert_eq!(uploads(), 1);
        let built_in = choice("lru");
        memory.remember(&built_in, Some(&upload)).unwrap();
        assert_eq!(uploads(), 1, "a rollback would need it");
        memory.remember(&built_in, Some(&built_in)).unwrap();
        assert_eq!(uploads(), 0);
    }
}
