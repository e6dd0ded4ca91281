//! The directory of the entries, accessed through the component's preopened directory. Nothing else in the cache uses the file system.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use media_cache_entry_files::TEMPORARY;

use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::cache::storage::{self, FileContent, Listing, Space, Stamp};
use crate::bindings::wasi::filesystem::preopens;
use crate::bindings::wasi::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};
use crate::settings::Durability;

/// The directory for all files of the cache other than those of entries.
const OWN_DIRECTORY: &str = ".media-cache";

/// The number of bytes that are read to find out whether a file is readable.
const BEGINNING: u32 = 4096;

/// The open directory.
pub struct Disk {
    directory: Descriptor,
    /// Opened when it is first needed.
    own: RefCell<Option<Rc<Descriptor>>>,
    durability: Durability,
    /// Unneeded files that could not be deleted, with the reasons.
    leftovers: RefCell<BTreeMap<String, String>>,
}

impl Disk {
    /// Opens a directory below the first preopened one. Creates it and its parents if they do not exist.
    ///
    /// # Errors
    /// Returns a text that names the directory and says what failed.
    pub async fn open(path: &str, durability: Durability) -> Result<Self, String> {
        let root = preopens::get_directories().into_iter().next();
        let (mut directory, _) = root.ok_or("the component has no preopened directory")?;
        for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
            directory = open_directory(&directory, name).await.map_err(|reason| format!("in {path:?}, {reason}"))?;
        }
        Ok(Self { directory, own: RefCell::default(), durability, leftovers: RefCell::default() })
    }

    /// The directory for all files of the cache other than those of entries. If it cannot be used, as on read-only media, stored entries
    /// can still be served.
    ///
    /// # Errors
    /// Returns a text that says why it cannot be used.
    pub async fn own(&self) -> Result<Own, String> {
        let opened = self.own.borrow().clone();
        let own = match opened {
            Some(own) => own,
            None => Rc::new(open_directory(&self.directory, OWN_DIRECTORY).await?),
        };
        *self.own.borrow_mut() = Some(Rc::clone(&own));
        Ok(Own(own))
    }

    /// Lists the regular files in the directory. Anything else does not belong to the cache, whatever its name.
    ///
    /// # Errors
    /// Returns the file system error.
    pub fn list(&self) -> Result<Listing, ErrorCode> {
        storage::list_files(&self.directory)
    }

    /// A number that identifies the directory and its last change, that is, when a file in it was created, renamed or deleted. A copy of
    /// the directory has a different number, even with the same times.
    ///
    /// # Errors
    /// Returns the file system error.
    pub async fn version(&self) -> Result<u64, ErrorCode> {
        let identity = self.directory.metadata_hash().await?;
        let modified = storage::directory_stamp(&self.directory)?.modified;
        Ok(identity.lower ^ identity.upper.rotate_left(32) ^ modified)
    }

    /// The space of the file system.
    ///
    /// # Errors
    /// Returns the file system error.
    pub fn space(&self) -> Result<Space, ErrorCode> {
        storage::free_space(&self.directory)
    }

    /// Makes all completed writes durable.
    ///
    /// # Errors
    /// Returns the file system error.
    pub async fn sync(&self) -> Result<(), ErrorCode> {
        storage::sync(&self.directory).await
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// Returns the file system error, or [`ErrorCode::Invalid`] if the name is not a regular file.
    pub async fn read(&self, name: String) -> Result<Blob, ErrorCode> {
        // Links are not followed: the cache never creates any.
        let file = self.directory.open_at(PathFlags::empty(), name, OpenFlags::empty(), DescriptorFlags::READ).await?;
        Blob::from_file(&file)
    }

    /// Reads the beginning of a file to find out whether it is readable.
    ///
    /// # Errors
    /// Returns the file system error.
    pub async fn read_beginning(&self, name: String) -> Result<(), ErrorCode> {
        let file = self.directory.open_at(PathFlags::empty(), name, OpenFlags::empty(), DescriptorFlags::READ).await?;
        storage::read_at(&file, 0, BEGINNING).await.map(drop)
    }

    /// The contents of small files, in the order of `names`.
    pub async fn read_small(&self, names: Vec<String>, max_bytes: u32) -> Vec<Result<FileContent, ErrorCode>> {
        storage::read_files(&self.directory, names, max_bytes).await
    }

    /// The size of a file in bytes.
    ///
    /// # Errors
    /// Returns the file system error.
    pub async fn size(&self, name: String) -> Result<u64, ErrorCode> {
        Ok(self.directory.stat_at(PathFlags::empty(), name).await?.size)
    }

    /// Writes a new file under its final name. If the file already exists, it is left unchanged, and the error is [`ErrorCode::Exist`].
    ///
    /// # Errors
    /// Returns the file system error. In that case, the file is deleted, or becomes a leftover if it cannot be deleted.
    pub async fn create(&self, name: String, bytes: &Blob) -> Result<(), ErrorCode> {
        self.persist(name, bytes, false).await.map(drop)
    }

    /// Like [`create`](Self::create), but keeps the file open. Returns `None` if the host cannot inspect it.
    ///
    /// # Errors
    /// As for [`create`](Self::create).
    pub async fn create_open(&self, name: String, bytes: &Blob) -> Result<Option<Blob>, ErrorCode> {
        self.persist(name, bytes, true).await
    }

    async fn persist(&self, name: String, bytes: &Blob, keep_open: bool) -> Result<Option<Blob>, ErrorCode> {
        let is_durable = self.durability == Durability::Always;
        let created = storage::persist(bytes, &self.directory, name.clone(), is_durable, keep_open).await;
        match &created {
            Ok(_) => drop(self.leftovers.borrow_mut().remove(&name)),
            Err(ErrorCode::Exist) => {}
            // The host may have been unable to delete the incomplete file.
            Err(_) => drop(self.clean_up(name).await),
        }
        created
    }

    /// Writes a new file, replacing any file that has its name.
    ///
    /// # Errors
    /// As for [`create`](Self::create).
    pub async fn create_anew(&self, name: String, bytes: &Blob) -> Result<(), ErrorCode> {
        match self.create(name.clone(), bytes).await {
            Err(ErrorCode::Exist) => {
                // The name may be a link to another program's file, which must not be overwritten.
                self.remove(name.clone()).await?;
                self.create(name, bytes).await
            }
            outcome => outcome,
        }
    }

    /// Writes a file under a temporary name and then renames it, so that a file with the final name is always complete.
    ///
    /// # Errors
    /// As for [`create`](Self::create). If only the final sync failed, the file has its final name, but the rename may not be durable.
    pub async fn write(&self, name: String, bytes: &Blob) -> Result<Stamp, ErrorCode> {
        let temporary = format!("{name}{TEMPORARY}");
        self.create_anew(temporary.clone(), bytes).await?;
        let stamp = self.stamp(temporary.clone()).await;
        let renamed = match stamp {
            Ok(stamp) => self.rename(temporary.clone(), name).await.map(|()| stamp),
            Err(error) => Err(error),
        };
        match renamed {
            Ok(stamp) => self.sync_renames().await.map(|()| stamp),
            Err(error) => {
                self.clean_up(temporary).await;
                Err(error)
            }
        }
    }

    /// The size of a file, and when it was last changed.
    ///
    /// # Errors
    /// Returns the file system error.
    pub async fn stamp(&self, name: String) -> Result<Stamp, ErrorCode> {
        let stat = self.directory.stat_at(PathFlags::empty(), name).await?;
        let modified = stat.data_modification_timestamp.map_or(0, |time| {
            let seconds = u64::try_from(time.seconds).unwrap_or(0);
            seconds.saturating_mul(1_000_000_000).saturating_add(time.nanoseconds.into())
        });
        Ok(Stamp { size: stat.size, modified })
    }

    /// Renames a file. An existing file with the new name is replaced.
    ///
    /// # Errors
    /// Returns the file system error.
    pub async fn rename(&self, from: String, to: String) -> Result<(), ErrorCode> {
        self.directory.rename_at(from.clone(), &self.directory, to.clone()).await?;
        for name in [from, to] {
            self.leftovers.borrow_mut().remove(&name);
        }
        Ok(())
    }

    /// Makes renames durable, if the configured durability requires that for each entry.
    ///
    /// # Errors
    /// Returns the file system error. The files have their new names nevertheless.
    pub async fn sync_renames(&self) -> Result<(), ErrorCode> {
        match self.durability {
            Durability::Always => self.directory.sync().await,
            Durability::None | Durability::Batch => Ok(()),
        }
    }

    /// Deletes a file. A missing file is not an error. Returns whether there was one.
    ///
    /// # Errors
    /// Returns the file system error.
    pub async fn remove(&self, name: String) -> Result<bool, ErrorCode> {
        let removed = remove(&self.directory, name.clone()).await?;
        self.leftovers.borrow_mut().remove(&name);
        Ok(removed)
    }

    /// Deletes a file that is not needed. If that fails, the file becomes a leftover. Returns whether there was a file.
    pub async fn clean_up(&self, name: String) -> bool {
        match self.remove(name.clone()).await {
            Ok(removed) => removed,
            // A directory does not belong to the cache.
            Err(ErrorCode::IsDirectory) => false,
            Err(error) => {
                let reason = format!("cannot delete {name}: {}", describe(&error));
                self.leftovers.borrow_mut().insert(name, reason);
                false
            }
        }
    }

    /// Records a file as a leftover: it is not needed, and may still exist.
    pub fn leave(&self, name: String, error: &ErrorCode) {
        self.leftovers.borrow_mut().insert(name, describe(error));
    }

    /// The leftovers: unneeded files that could not be deleted.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        self.leftovers.borrow().keys().cloned().collect()
    }

    /// Whether a file is a leftover.
    #[must_use]
    pub fn is_leftover(&self, name: &str) -> bool {
        self.leftovers.borrow().contains_key(name)
    }

    /// Why one of the leftovers could not be deleted, if there are any.
    #[must_use]
    pub fn leftover_reason(&self) -> Option<String> {
        self.leftovers.borrow().values().next().cloned()
    }
}

/// The directory for all files of the cache other than those of entries.
pub struct Own(Rc<Descriptor>);

impl Own {
    /// Opens a file for reading and writing. With `create`, it must not exist yet.
    ///
    /// # Errors
    /// Returns the file system error.
    pub async fn open(&self, name: &str, create: bool) -> Result<Descriptor, ErrorCode> {
        let open = if create { OpenFlags::CREATE | OpenFlags::EXCLUSIVE } else { OpenFlags::empty() };
        self.0.open_at(PathFlags::empty(), name.into(), open, DescriptorFlags::READ | DescriptorFlags::WRITE).await
    }

    /// Whether there is a file with this name.
    pub async fn exists(&self, name: &str) -> bool {
        self.0.stat_at(PathFlags::empty(), name.into()).await.is_ok()
    }

    /// Renames a file. An existing file with the new name is replaced.
    ///
    /// # Errors
    /// Returns the file system error.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), ErrorCode> {
        self.0.rename_at(from.into(), &self.0, to.into()).await
    }

    /// Deletes a file. A missing file is not an error. Returns whether there was one.
    ///
    /// # Errors
    /// Returns the file system error.
    pub async fn remove(&self, name: &str) -> Result<bool, ErrorCode> {
        remove(&self.0, name.into()).await
    }
}

async fn remove(directory: &Descriptor, name: String) -> Result<bool, ErrorCode> {
    match directory.unlink_file_at(name).await {
        Ok(()) => Ok(true),
        Err(ErrorCode::NoEntry) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens a directory, and creates it if it does not exist.
async fn open_directory(parent: &Descriptor, name: &str) -> Result<Descriptor, String> {
    let fails = |what: &str, error: ErrorCode| format!("cannot {what} the directory {name:?}: {}", describe(&error));
    let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
    let open = async || parent.open_at(PathFlags::SYMLINK_FOLLOW, name.into(), OpenFlags::DIRECTORY, flags).await;
    // Try to open it first: creating fails in a directory that is not writable, even if the name exists.
    match open().await {
        Err(ErrorCode::NoEntry) => {}
        opened => return opened.map_err(|error| fails("open", error)),
    }
    match parent.create_directory_at(name.into()).await {
        Ok(()) | Err(ErrorCode::Exist) => open().await.map_err(|error| fails("open", error)),
        Err(error) => Err(fails("create", error)),
    }
}

/// Whether an error says that a file is missing, not a regular file, or was changed while it was read. Other errors, such as too many open
/// files, say nothing about the file.
#[must_use]
pub fn blames_the_file(error: &ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::NoEntry
            | ErrorCode::Invalid
            | ErrorCode::IsDirectory
            | ErrorCode::Loop
            | ErrorCode::FileTooLarge
            | ErrorCode::TextFileBusy
    )
}

/// Describes a file system error in plain English.
#[must_use]
pub fn describe(error: &ErrorCode) -> String {
    let words = match error {
        ErrorCode::Access | ErrorCode::NotPermitted => "permission denied",
        ErrorCode::Already => "it is already in progress",
        ErrorCode::BadDescriptor => "the file is not open for this kind of access",
        ErrorCode::Busy => "it is in use",
        ErrorCode::Deadlock => "waiting for it would cause a deadlock",
        ErrorCode::Quota => "the disk quota is exceeded",
        ErrorCode::Exist => "a file with this name already exists",
        ErrorCode::FileTooLarge => "the file is too large for the file system",
        ErrorCode::IllegalByteSequence => "the name is not valid text",
        ErrorCode::InProgress => "it is in progress",
        ErrorCode::Interrupted => "it was interrupted",
        ErrorCode::Invalid => "it is not a regular file, or cannot be used this way",
        ErrorCode::Io => "the disk reported an input/output error, or a file ended early",
        ErrorCode::IsDirectory => "it is a directory",
        ErrorCode::Loop => "it is a symbolic link, which is not followed",
        ErrorCode::TooManyLinks => "the file has too many hard links",
        ErrorCode::MessageSize => "the message is too large",
        ErrorCode::NameTooLong => "the name is too long",
        ErrorCode::NoDevice => "there is no such device",
        ErrorCode::NoEntry => "no such file or directory",
        ErrorCode::NoLock => "no lock is available",
        ErrorCode::InsufficientMemory => "there is not enough memory",
        ErrorCode::InsufficientSpace => "the disk is full",
        ErrorCode::NotDirectory => "it is not a directory",
        ErrorCode::NotEmpty => "the directory is not empty",
        ErrorCode::NotRecoverable => "its state cannot be recovered",
        ErrorCode::Unsupported => "the file system does not support this",
        ErrorCode::NoTty => "the device does not support this",
        ErrorCode::NoSuchDevice => "there is no such device or address",
        ErrorCode::Overflow => "a number is too large",
        ErrorCode::Pipe => "the pipe is broken",
        ErrorCode::ReadOnly => "the file system is read-only",
        ErrorCode::InvalidSeek => "it is a pipe or another file without random access",
        ErrorCode::TextFileBusy => "the file was changed meanwhile, or cannot be read",
        ErrorCode::CrossDevice => "it is on another file system",
        ErrorCode::Other(Some(text)) => text,
        ErrorCode::Other(None) => "the operating system gave no reason",
    };
    words.into()
}
