//! The directory of the entries, through the component's preopened directory. Nothing else in the cache touches the file system.

use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::wasi::filesystem::preopens;
use crate::bindings::wasi::filesystem::types::{Descriptor, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags, PathFlags};
use media_cache_entry_files::TEMPORARY;
use wit_bindgen::StreamResult;

/// The open directory.
pub struct Disk {
    directory: Descriptor,
}

impl Disk {
    /// Opens a directory below the first preopened one. It and its parents are created if they do not exist.
    ///
    /// # Errors
    /// Names the directory and what failed.
    pub async fn open(path: &str) -> Result<Self, String> {
        let root = preopens::get_directories().into_iter().next();
        let (mut directory, _) = root.ok_or("the component was given no directory")?;
        for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
            let fails =
                |what: &str, error: ErrorCode| format!("cannot {what} the directory {path:?} at {name:?}: {}", describe(&error));
            match directory.create_directory_at(name.into()).await {
                Ok(()) | Err(ErrorCode::Exist) => {}
                Err(error) => return Err(fails("create", error)),
            }
            let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
            let opened = directory.open_at(PathFlags::SYMLINK_FOLLOW, name.into(), OpenFlags::DIRECTORY, flags).await;
            directory = opened.map_err(|error| fails("open", error))?;
        }
        Ok(Self { directory })
    }

    /// The names of the regular files in the directory. Anything else is not ours, whatever its name is, and opening a pipe could
    /// block forever.
    ///
    /// # Errors
    /// The error of the file system.
    pub async fn names(&self) -> Result<Vec<String>, ErrorCode> {
        const BATCH: usize = 1024;
        let (mut entries, outcome) = self.directory.read_directory();
        let mut names = Vec::new();
        loop {
            let (state, batch) = entries.read(Vec::with_capacity(BATCH)).await;
            let files = batch.into_iter().filter(|entry| matches!(entry.type_, DescriptorType::RegularFile));
            names.extend(files.map(|entry| entry.name));
            if !matches!(state, StreamResult::Complete(_)) {
                break;
            }
        }
        drop(entries);
        outcome.await?;
        Ok(names)
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// The error of the file system; [`ErrorCode::Invalid`] if it is not a regular file.
    pub async fn read(&self, name: String) -> Result<Blob, ErrorCode> {
        // Links are not followed: nothing that we write is one.
        let file = self.directory.open_at(PathFlags::empty(), name, OpenFlags::empty(), DescriptorFlags::READ).await?;
        Blob::from_file(&file)
    }

    /// The size of a file in bytes.
    ///
    /// # Errors
    /// The error of the file system.
    pub async fn size(&self, name: String) -> Result<u64, ErrorCode> {
        Ok(self.directory.stat_at(PathFlags::empty(), name).await?.size)
    }

    /// Writes a file under a temporary name and then renames it, so that a file with the final name is always complete.
    ///
    /// # Errors
    /// The error of the file system. Nothing remains of the file.
    pub async fn write(&self, name: String, bytes: &Blob) -> Result<(), ErrorCode> {
        let temporary = format!("{name}{TEMPORARY}");
        let written = self.write_and_rename(temporary.clone(), name, bytes).await;
        if written.is_err() {
            // If even this fails, the next start removes it.
            let _ = self.remove(temporary).await;
        }
        written
    }

    async fn write_and_rename(&self, temporary: String, name: String, bytes: &Blob) -> Result<(), ErrorCode> {
        let (create, flags) = (OpenFlags::CREATE | OpenFlags::TRUNCATE, DescriptorFlags::READ | DescriptorFlags::WRITE);
        let file = self.directory.open_at(PathFlags::empty(), temporary.clone(), create, flags).await?;
        bytes.write_to(&file).await?;
        drop(file);
        self.rename(temporary, name).await
    }

    /// Renames a file. An existing file with the new name is replaced.
    ///
    /// # Errors
    /// The error of the file system.
    pub async fn rename(&self, from: String, to: String) -> Result<(), ErrorCode> {
        self.directory.rename_at(from, &self.directory, to).await
    }

    /// Deletes a file. A missing file is not an error.
    ///
    /// # Errors
    /// The error of the file system.
    pub async fn remove(&self, name: String) -> Result<(), ErrorCode> {
        match self.directory.unlink_file_at(name).await {
            Err(ErrorCode::NoEntry) => Ok(()),
            outcome => outcome,
        }
    }
}

/// Whether an error says that a file is missing or not a regular file. Other errors, such as too many open files, say nothing about
/// the file.
#[must_use]
pub fn blames_the_file(error: &ErrorCode) -> bool {
    matches!(error, ErrorCode::NoEntry | ErrorCode::Invalid | ErrorCode::IsDirectory | ErrorCode::Loop)
}

/// Describes an error of the file system for people.
#[must_use]
pub fn describe(error: &ErrorCode) -> String {
    match error {
        ErrorCode::InsufficientSpace => "the disk is full".into(),
        ErrorCode::Quota => "the disk quota is used up".into(),
        ErrorCode::Access | ErrorCode::NotPermitted => "permission denied".into(),
        ErrorCode::ReadOnly => "the file system is read-only".into(),
        ErrorCode::NoEntry => "no such file".into(),
        ErrorCode::NotDirectory => "not a directory".into(),
        ErrorCode::Other(Some(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}
