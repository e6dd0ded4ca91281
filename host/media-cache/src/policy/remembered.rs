//! Remembers, for the next start, which policy was selected while the service was running.
//!
//! In the directory of the entries, `.media-cache/policy.json` names the policy, and `.media-cache/policies/{digest}.wasm` contains it if
//! it was uploaded. Older versions used `media-cache.policy.json` and `media-cache.policies/`, which are moved.
//!
//! Problems with these files do not prevent a start: if one cannot be read, a warning is logged, and the configured policy runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::policy::component::PolicyOrigin;
use crate::policy::spec::{PolicyChoice, PolicySpec};
use crate::private_files;
use crate::small_file::{Pipes, read_small_file};

const FILE: &str = ".media-cache/policy.json";
const UPLOADS: &str = ".media-cache/policies";

/// The directory for all our files except the entries and the lock.
const OURS: &str = ".media-cache";

const OLD_FILE: &str = "media-cache.policy.json";
const OLD_UPLOADS: &str = "media-cache.policies";

/// The maximum size of a file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Remembers a policy in the directory of a cache.
#[derive(Clone, Debug)]
pub struct RememberedPolicy {
    directory: PathBuf,
    configured: PolicySpec,
}

/// The content of `policy.json`.
#[derive(Serialize, Deserialize)]
struct Remembered {
    /// The policy that was configured when the selection was made.
    configured: PolicySpec,
    chosen: PolicySpec,
}

impl RememberedPolicy {
    /// For a cache in `directory` that is configured to start with the policy `configured`.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, configured: PolicySpec) -> Self {
        Self { directory: directory.into(), configured }
    }

    /// The policy that was selected last. `None` if none was selected, if another policy has been configured since and therefore takes
    /// precedence, or if the file cannot be read.
    #[must_use]
    pub fn recall(&self) -> Option<PolicySpec> {
        let remembered = self.read()?;
        let mut chosen = Some(remembered.chosen).filter(|_| remembered.configured == self.configured)?;
        if let PolicyOrigin::File(path) = &mut chosen.origin {
            // The paths of uploads are relative to this directory, which may have been moved.
            *path = self.directory.join(&path);
        }
        Some(chosen)
    }

    /// Reads the file, or the file of an older version if the current one cannot be read.
    fn read(&self) -> Option<Remembered> {
        for name in [FILE, OLD_FILE] {
            let path = self.directory.join(name);
            let text = match read_small_file(&path, MAX_BYTES, Pipes::Refused) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    warn_of(&path, &error);
                    continue;
                }
            };
            match serde_json::from_slice(&text) {
                Ok(remembered) => return Some(remembered),
                Err(error) => warn_of(&path, &error),
            }
        }
        None
    }

    /// Moves the files of older versions, and forgets the selection if another policy has been configured since. Only the process that
    /// holds the lock on the directory may call this.
    ///
    /// # Errors
    /// A file cannot be moved or removed.
    pub fn forget_the_outdated(&self) -> io::Result<()> {
        self.move_old_files()?;
        let path = self.directory.join(FILE);
        if path.is_file() && self.recall().is_none() { fs::remove_file(path) } else { Ok(()) }
    }

    fn move_old_files(&self) -> io::Result<()> {
        let (old_file, old_uploads) = (self.directory.join(OLD_FILE), self.directory.join(OLD_UPLOADS));
        let uploads = self.directory.join(UPLOADS);
        if old_uploads.is_dir() && !uploads.exists() {
            private_files::create_directory(&self.directory.join(OURS))?;
            fs::rename(&old_uploads, &uploads)?;
        }
        if !old_file.is_file() {
            return Ok(());
        }
        if let Some(mut remembered) = self.read().filter(|_| !self.directory.join(FILE).exists()) {
            if let PolicyOrigin::File(path) = &mut remembered.chosen.origin
                && let Ok(name) = path.strip_prefix(OLD_UPLOADS)
            {
                *path = Path::new(UPLOADS).join(name);
            }
            private_files::create_directory(&uploads)?;
            private_files::write_whole(&self.directory.join(FILE), &serde_json::to_vec(&remembered)?)?;
        }
        fs::remove_file(old_file)
    }

    /// Saves the selection. `upload` contains the bytes of its component if it was just uploaded. Uploaded components other than this one
    /// and `previous` are deleted.
    ///
    /// # Errors
    /// A file cannot be written. The previous selection then remains.
    pub fn remember(&self, choice: &PolicyChoice, upload: Option<&[u8]>, previous: Option<&PolicyChoice>) -> io::Result<()> {
        let uploads = self.directory.join(UPLOADS);
        private_files::create_directory(&uploads)?;
        let digest = choice.component.digest();
        if let Some(component) = upload {
            private_files::write_whole(&self.upload(&digest), component)?;
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
        private_files::write_whole(&self.directory.join(FILE), &serde_json::to_vec(&remembered)?)?;
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
}

fn warn_of(path: &Path, error: &dyn std::error::Error) {
    tracing::warn!("ignoring the previously selected policy, because {} cannot be read: {error}", path.display());
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
    fn selected_policy_is_remembered_until_another_one_is_configured() {
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
        assert_eq!(memory.recall(), None, "the earlier selection does not come back");
        fs::write(directory.path().join(FILE), "{").unwrap();
        assert_eq!(memory.recall(), None);
    }

    #[test]
    fn selection_in_the_old_location_is_recalled_and_moved() {
        let directory = tempfile::tempdir().unwrap();
        let memory = RememberedPolicy::new(directory.path(), PolicySpec::default());
        let (engine, lru) = (PolicyEngine::new().unwrap(), crate::embedded::policy("lru").unwrap());
        let upload = PolicyChoice::from(engine.compile(PolicyOrigin::Upload, lru).unwrap());
        memory.remember(&upload, Some(lru), None).unwrap();
        // Restore the old layout.
        let (file, old_file) = (directory.path().join(FILE), directory.path().join(OLD_FILE));
        fs::write(&old_file, fs::read_to_string(&file).unwrap().replace(UPLOADS, OLD_UPLOADS)).unwrap();
        fs::rename(directory.path().join(UPLOADS), directory.path().join(OLD_UPLOADS)).unwrap();
        fs::remove_dir_all(directory.path().join(OURS)).unwrap();
        assert!(memory.recall().unwrap().compile(&engine).is_ok(), "before the file is moved");
        memory.forget_the_outdated().unwrap();
        assert!(!old_file.exists() && !directory.path().join(OLD_UPLOADS).exists());
        let recalled = memory.recall().unwrap();
        assert_eq!(recalled.origin, PolicyOrigin::File(memory.upload(&upload.component.digest())));
        assert!(recalled.compile(&engine).is_ok());
    }

    #[test]
    fn selection_that_is_not_a_small_regular_file_is_ignored() {
        for name in [FILE, OLD_FILE] {
            let directory = tempfile::tempdir().unwrap();
            let memory = RememberedPolicy::new(directory.path(), PolicySpec::default());
            let path = directory.path().join(name);
            fs::create_dir_all(&path).unwrap();
            assert_eq!(memory.recall(), None);
            memory.forget_the_outdated().unwrap();
            fs::remove_dir(&path).unwrap();
            std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
            assert_eq!(memory.recall(), None);
            memory.forget_the_outdated().unwrap();
            fs::remove_file(&path).unwrap();
            fs::write(&path, vec![b' '; MAX_BYTES as usize + 1]).unwrap();
            assert_eq!(memory.recall(), None);
        }
    }

    #[test]
    fn uploaded_policies_are_kept_while_selected_or_needed_for_a_rollback() {
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
        assert_eq!(uploads(), 1, "a rollback would need the upload");
        memory.remember(&built_in, None, Some(&built_in)).unwrap();
        assert_eq!(uploads(), 0);
        assert!(memory.remember(&upload, None, None).is_err());
        assert_eq!(memory.recall().unwrap().to_string(), "lru:a=1", "a missing upload is not remembered");
    }
}
