//! Remembers, for the next start, which cache component was selected while the service was running.
//!
//! In the directory of the entries, `.media-cache/component.json` names the component, and `.media-cache/components/{digest}.wasm` contains
//! it if it was uploaded.
//!
//! Problems with these files do not prevent a start: if one cannot be read, a warning is logged, and the configured component runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::component::cache_component::CacheComponent;
use crate::component::origin::ComponentOrigin;
use crate::private_files;
use crate::small_file::{Pipes, read_small_file};

const FILE: &str = ".media-cache/component.json";
const UPLOADS: &str = ".media-cache/components";

/// The maximum size of a file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Remembers a component in the directory of a cache.
#[derive(Clone, Debug)]
pub struct RememberedComponent {
    directory: PathBuf,
    configured: ComponentOrigin,
}

/// The content of `component.json`.
#[derive(Serialize, Deserialize)]
struct Remembered {
    /// The component that was configured when the selection was made.
    configured: ComponentOrigin,
    chosen: ComponentOrigin,
}

impl RememberedComponent {
    /// For a cache in `directory` that is configured to start with the component `configured`.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, configured: ComponentOrigin) -> Self {
        Self { directory: directory.into(), configured }
    }

    /// The component that was selected last. `None` if none was selected, if another component has been configured since and therefore
    /// takes precedence, or if the file cannot be read.
    #[must_use]
    pub fn recall(&self) -> Option<ComponentOrigin> {
        let remembered = self.read()?;
        let chosen = Some(remembered.chosen).filter(|_| remembered.configured == self.configured)?;
        Some(match chosen {
            // The paths of uploads are relative to this directory, which may have been moved.
            ComponentOrigin::File(path) => ComponentOrigin::File(self.directory.join(path)),
            chosen => chosen,
        })
    }

    fn read(&self) -> Option<Remembered> {
        let path = self.directory.join(FILE);
        let warn = |error: &dyn std::error::Error| {
            tracing::warn!("ignoring the previously selected cache component, because {} cannot be read: {error}", path.display());
        };
        match read_small_file(&path, MAX_BYTES, Pipes::Refused) {
            Ok(text) => serde_json::from_slice(&text).inspect_err(|error| warn(error)).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                warn(&error);
                None
            }
        }
    }

    /// Forgets the selection if another component has been configured since. Only the process that holds the lock on the directory may call
    /// this.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn forget_the_outdated(&self) -> io::Result<()> {
        let path = self.directory.join(FILE);
        if path.is_file() && self.recall().is_none() { fs::remove_file(path) } else { Ok(()) }
    }

    /// Saves the selection. `upload` contains the bytes of the component if it was just uploaded. Uploaded components other than this one
    /// and `previous` are deleted.
    ///
    /// # Errors
    /// A file cannot be written. The previous selection then remains.
    pub fn remember(&self, component: &CacheComponent, upload: Option<&[u8]>, previous: Option<&CacheComponent>) -> io::Result<()> {
        let uploads = self.directory.join(UPLOADS);
        private_files::create_directory(&uploads)?;
        let upload_of = |component: &CacheComponent| uploads.join(format!("{}.wasm", component.description().digest));
        if let Some(bytes) = upload {
            private_files::write_whole(&upload_of(component), bytes)?;
        }
        let chosen = match &component.description().origin {
            ComponentOrigin::BuiltIn => ComponentOrigin::BuiltIn,
            ComponentOrigin::File(path) if !path.starts_with(&uploads) => ComponentOrigin::File(std::path::absolute(path)?),
            ComponentOrigin::File(_) | ComponentOrigin::Upload => {
                let file = upload_of(component);
                fs::metadata(&file)?;
                ComponentOrigin::File(Path::new(UPLOADS).join(file.file_name().unwrap_or_default()))
            }
        };
        let remembered = Remembered { configured: self.configured.clone(), chosen };
        private_files::write_whole(&self.directory.join(FILE), &serde_json::to_vec(&remembered)?)?;
        let needed: Vec<PathBuf> = [Some(component), previous].into_iter().flatten().map(upload_of).collect();
        for file in fs::read_dir(&uploads)? {
            let path = file?.path();
            if !needed.contains(&path) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use media_cache_components as embedded;

    fn components() -> [CacheComponent; 2] {
        let engine = Engine::new().unwrap();
        let upload = engine.compile_cache(ComponentOrigin::Upload, embedded::CACHE).unwrap();
        [engine.built_in_cache().unwrap(), upload]
    }

    fn uploads(directory: &Path) -> usize {
        fs::read_dir(directory.join(UPLOADS)).unwrap().count()
    }

    #[test]
    fn selected_component_is_remembered_until_another_one_is_configured() {
        let (directory, [built_in, upload]) = (tempfile::tempdir().unwrap(), components());
        let memory = RememberedComponent::new(directory.path(), ComponentOrigin::BuiltIn);
        assert_eq!(memory.recall(), None);
        assert!(memory.remember(&upload, None, None).is_err(), "its bytes are missing");
        memory.remember(&upload, Some(embedded::CACHE), None).unwrap();
        let Some(ComponentOrigin::File(file)) = memory.recall() else { panic!("nothing was recalled") };
        assert_eq!(fs::read(file).unwrap(), embedded::CACHE);
        memory.forget_the_outdated().unwrap();
        assert!(memory.recall().is_some());
        let another = RememberedComponent::new(directory.path(), ComponentOrigin::File("other.wasm".into()));
        assert_eq!(another.recall(), None);
        another.forget_the_outdated().unwrap();
        assert_eq!(memory.recall(), None, "the earlier selection does not come back");
        memory.remember(&built_in, None, None).unwrap();
        assert_eq!(memory.recall(), Some(ComponentOrigin::BuiltIn));
        fs::write(directory.path().join(FILE), "{").unwrap();
        assert_eq!(memory.recall(), None);
    }

    #[test]
    fn uploaded_components_are_kept_while_selected_or_needed_for_a_rollback() {
        let (directory, [built_in, upload]) = (tempfile::tempdir().unwrap(), components());
        let memory = RememberedComponent::new(directory.path(), ComponentOrigin::BuiltIn);
        memory.remember(&upload, Some(embedded::CACHE), None).unwrap();
        fs::write(directory.path().join(UPLOADS).join("another.wasm"), "").unwrap();
        memory.remember(&upload, None, None).unwrap();
        assert_eq!(uploads(directory.path()), 1);
        let other = directory.path().join("other.wasm");
        fs::write(&other, embedded::CACHE).unwrap();
        // Here, the built-in cache has the same bytes as the upload, and therefore the same digest.
        memory.remember(&built_in, None, Some(&upload)).unwrap();
        assert_eq!(uploads(directory.path()), 1, "a rollback would need the upload");
    }
}
