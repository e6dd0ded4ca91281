//! The interface `storage`: operations on many files at a time, outside the store's thread.
//!
//! Files are opened by name below an open directory, without following links and without blocking. Only regular files are read: a pipe or a
//! device with the name of one of our files is an error.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use wasmtime::component::{Accessor, HasSelf, Resource};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p3::bindings::filesystem::types::ErrorCode;

use crate::bindings::cache::media_cache::cache::storage::{
    FileContent, Host, HostListing, HostListingWithStore, HostWithStore, ListedFile, Space, Stamp, Usage,
};
use crate::blob_handle::BlobHandle;
use crate::disk_usage::HostUsage;
use crate::file_faults::FaultHook;
use crate::file_time::file_time;
use crate::host_state::HostState;
use crate::imports::blobs::before;
use crate::imports::error_code::error_code;
use crate::imports::persist::{create, is_name, link, remove};
use crate::listing::Listing;
use media_cache_interfaces::Blob;

type Fallible<T> = wasmtime::Result<Result<T, ErrorCode>>;

/// Up to this many files are read on the calling thread.
const FEW: usize = 2;

/// The name that stands for the directory of the entries in operations that take a file name.
pub(super) const DIRECTORY: &str = "directory";

/// The number of bytes that a sync may have to write, including those of other programs.
const SYNC_BYTES: u64 = 16 << 20;

/// The number of threads that read many files.
const READERS: usize = 8;

impl HostState {
    /// A directory of the component, for use on any thread. Its descriptor may only be usable for opening paths (`O_PATH`).
    fn directory(&self, descriptor: &Resource<Descriptor>) -> Fallible<Arc<File>> {
        Ok(match self.table.get(descriptor)? {
            Descriptor::Dir(directory) => Ok(directory.dir.clone()),
            Descriptor::File(_) => Err(ErrorCode::NotDirectory),
        })
    }

    /// A directory of the component that can also be listed and synced.
    fn readable_directory(&self, descriptor: &Resource<Descriptor>) -> Fallible<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |directory: Arc<File>| rustix::fs::openat(&*directory, ".", flags, Mode::empty()).map_err(error_code);
        Ok(self.directory(descriptor)?.and_then(open))
    }

    /// An open file or directory, for use on any thread.
    pub(super) fn owned(&self, descriptor: &Resource<Descriptor>) -> Fallible<OwnedFd> {
        match self.table.get(descriptor)? {
            Descriptor::Dir(_) => self.readable_directory(descriptor),
            Descriptor::File(file) => Ok(file.file.try_clone().map(OwnedFd::from).map_err(error_code)),
        }
    }

    /// Called before an operation on a directory.
    fn before_directory(&self, action: &'static str) -> Result<(), ErrorCode> {
        self.faults.before(action, DIRECTORY).map_err(error_code)
    }
}

impl Host for HostState {
    fn list_files(&mut self, directory: Resource<Descriptor>) -> Fallible<Resource<Listing>> {
        let directory = match self.before_directory("open") {
            Ok(()) => self.readable_directory(&directory)?,
            Err(error) => Err(error),
        };
        match directory.and_then(|directory| Dir::new(directory).map_err(error_code)) {
            Ok(listing) => Ok(Ok(self.table.push(Listing(Arc::new(Mutex::new(listing))))?)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn directory_stamp(&mut self, directory: Resource<Descriptor>) -> Fallible<Stamp> {
        let directory = self.directory(&directory)?;
        let inspect = |directory: Arc<File>| rustix::fs::fstat(&*directory).map(|stat| stamp(&stat)).map_err(error_code);
        Ok(self.before_directory("inspect").and(directory).and_then(inspect))
    }

    fn free_space(&mut self, directory: Resource<Descriptor>) -> Fallible<Space> {
        let (min_free, directory) = (self.disk_usage.min_free, self.directory(&directory)?);
        let directory = self.before_directory("measure").and(directory);
        Ok(directory.and_then(|directory| rustix::fs::fstatvfs(&*directory).map_err(error_code)).map(|stat| {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let total = stat.f_blocks.saturating_mul(stat.f_frsize);
            let floor = min_free.bytes_of(total);
            Space { available: free.saturating_sub(floor), missing: floor.saturating_sub(free), total }
        }))
    }

    fn host_usage(&mut self) -> wasmtime::Result<Usage> {
        let HostUsage { arriving, removed, host_files } = self.disk_usage.measure();
        Ok(Usage { arriving, removed, host_files })
    }
}

impl HostListing for HostState {
    fn drop(&mut self, listing: Resource<Listing>) -> wasmtime::Result<()> {
        self.table.delete(listing)?;
        Ok(())
    }
}

impl<T: Send + 'static> HostListingWithStore<T> for HasSelf<HostState> {
    async fn next(store: &Accessor<T, Self>, listing: Resource<Listing>, limit: u32) -> Fallible<Vec<ListedFile>> {
        let (directory, faults) = store.with(|mut state| {
            let state = state.get();
            state.table.get(&listing).map(|listing| (listing.0.clone(), state.faults.clone()))
        })?;
        let next = move || {
            faults.before("list", DIRECTORY).map_err(error_code)?;
            next_files(&mut directory.lock().unwrap_or_else(PoisonError::into_inner), limit as usize, &faults)
        };
        off_thread(store, 0, next).await
    }
}

impl<T: Send + 'static> HostWithStore<T> for HasSelf<HostState> {
    async fn read_files(
        store: &Accessor<T, Self>,
        directory: Resource<Descriptor>,
        names: Vec<String>,
        max_bytes: u32,
    ) -> wasmtime::Result<Vec<Result<FileContent, ErrorCode>>> {
        let directory = match store.with(|mut state| state.get().directory(&directory))? {
            Ok(directory) => directory,
            Err(error) => return Ok(names.iter().map(|_| Err(error.clone())).collect()),
        };
        let (faults, operations) = store.with(|mut state| {
            let state = state.get();
            (state.faults.clone(), state.operations.clone())
        });
        let read_one = move |name: &String| {
            faults.before("read", name).map_err(error_code)?;
            read_file(&*directory, name, max_bytes)
        };
        let read = move |names: &[String]| -> Vec<_> { names.iter().map(&read_one).collect() };
        if names.len() <= FEW {
            return Ok(read(&names));
        }
        let runtime = store.with(|mut state| state.get().runtime.clone());
        let _under_way = operations.begin(0);
        let share = names.len().div_ceil(READERS);
        let readers = names.chunks(share).map(|names| {
            let (names, read) = (names.to_vec(), read.clone());
            let length = names.len();
            (length, runtime.spawn_blocking(move || read(&names)))
        });
        let mut files = Vec::with_capacity(names.len());
        for (length, reader) in readers.collect::<Vec<_>>() {
            match reader.await {
                Ok(read) => files.extend(read),
                Err(error) => files.extend((0..length).map(|_| Err(interrupted(&error)))),
            }
        }
        Ok(files)
    }

    async fn read_at(store: &Accessor<T, Self>, file: Resource<Descriptor>, offset: u64, count: u32) -> Fallible<Vec<u8>> {
        match open_file(store, &file)? {
            Ok((file, faults)) => {
                let read = move || {
                    faults.before_on("read", file.as_fd()).map_err(error_code)?;
                    read_at(&file, offset, count)
                };
                off_thread(store, count.into(), read).await
            }
            Err(error) => Ok(Err(error)),
        }
    }

    async fn write_at(store: &Accessor<T, Self>, file: Resource<Descriptor>, offset: u64, bytes: Vec<u8>) -> Fallible<()> {
        match open_file(store, &file)? {
            Ok((file, faults)) => {
                let length = bytes.len() as u64;
                let write = move || {
                    faults.before_on("write", file.as_fd()).and_then(|()| file.write_all_at(&bytes, offset)).map_err(error_code)
                };
                off_thread(store, length, write).await
            }
            Err(error) => Ok(Err(error)),
        }
    }

    async fn persist(
        store: &Accessor<T, Self>,
        body: Resource<BlobHandle>,
        directory: Resource<Descriptor>,
        name: String,
        durable: bool,
        keep_open: bool,
    ) -> Fallible<Option<Resource<BlobHandle>>> {
        let (body, directory) = store.with(|mut state| {
            let state = state.get();
            wasmtime::Result::<_>::Ok((state.blob(&body)?, state.directory(&directory)?))
        })?;
        let directory = match directory {
            Ok(directory) if is_name(&name) => directory,
            Ok(_) => return Ok(Err(ErrorCode::Invalid)),
            Err(error) => return Ok(Err(error)),
        };
        let faults = store.with(|mut state| state.get().faults.clone());
        if body.finished().await.is_err() {
            return Ok(Err(ErrorCode::Io));
        }
        if let Err(error) = faults.before("create", &name) {
            return Ok(Err(error_code(error)));
        }
        let linked = body.arrived_file().map(|file| link(&file, &directory, &name).map(|linked| linked.then_some(file)));
        let written = match linked.transpose().map(Option::flatten) {
            Ok(Some(file)) => {
                body.end_arrival();
                // If storing the media fails later, this file is deleted while it is still open.
                store.with(|mut state| state.get().disk_usage.removed.watch(&body));
                Ok(file)
            }
            Ok(None) => match create(&directory, &name) {
                Ok(file) => match before(store, "write", Some(file.clone()), body.len()).await {
                    Ok(_under_way) => body.write_to(file.clone()).await.map(|()| file).map_err(error_code),
                    Err(error) => Err(error),
                },
                Err(error) => return Ok(Err(error_code(error))),
            },
            Err(error) => return Ok(Err(error_code(error))),
        };
        let synced = match written {
            Ok(file) if durable => {
                let written = file.clone();
                let sync = move || faults.before_on("sync", file.as_fd()).and_then(|()| file.sync_all()).map_err(error_code);
                off_thread(store, body.len(), sync).await?.map(|()| written)
            }
            written => written,
        };
        let file = match synced {
            Ok(file) => file,
            Err(error) => {
                remove(&directory, &name);
                return Ok(Err(error));
            }
        };
        // A file that cannot be inspected is not kept open.
        let stored = keep_open.then(|| Blob::stored(file, &body).ok()).flatten();
        stored.map(|stored| store.with(|mut state| state.get().push_blob(Arc::new(stored)))).transpose().map(Ok)
    }

    async fn sync(store: &Accessor<T, Self>, directory: Resource<Descriptor>) -> Fallible<()> {
        let begun = store.with(|mut state| {
            let state = state.get();
            wasmtime::Result::<_>::Ok(state.before_directory("sync").and(state.readable_directory(&directory)?))
        })?;
        match begun {
            Ok(directory) => off_thread(store, SYNC_BYTES, move || rustix::fs::syncfs(directory).map_err(error_code)).await,
            Err(error) => Ok(Err(error)),
        }
    }
}

/// An open file, and the hook to call before an operation on it.
fn open_file<T: 'static>(store: &Accessor<T, HasSelf<HostState>>, file: &Resource<Descriptor>) -> Fallible<(Arc<File>, FaultHook)> {
    store.with(|mut state| {
        let state = state.get();
        Ok(state.open_file(file)?.map(|file| (file, state.faults.clone())))
    })
}

/// Runs work that processes this many bytes on a blocking thread.
pub(super) async fn off_thread<S: Send + 'static, T: Send + 'static>(
    store: &Accessor<S, HasSelf<HostState>>,
    bytes: u64,
    work: impl FnOnce() -> Result<T, ErrorCode> + Send + 'static,
) -> Fallible<T> {
    let (runtime, operations) = store.with(|mut state| {
        let state = state.get();
        (state.runtime.clone(), state.operations.clone())
    });
    let _under_way = operations.begin(bytes);
    Ok(runtime.spawn_blocking(work).await.unwrap_or_else(|error| Err(interrupted(&error))))
}

fn interrupted(error: &tokio::task::JoinError) -> ErrorCode {
    ErrorCode::Other(Some(format!("the operation was interrupted: {error}")))
}

/// The next regular files of a listing.
fn next_files(directory: &mut Dir, limit: usize, faults: &FaultHook) -> Result<Vec<ListedFile>, ErrorCode> {
    let mut files = Vec::new();
    while files.len() < limit {
        let Some(entry) = directory.next() else { break };
        let entry = entry.map_err(error_code)?;
        // Components cannot use names that are not UTF-8.
        let Ok(name) = entry.file_name().to_str() else { continue };
        if !matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown) {
            continue;
        }
        let directory = directory.fd().map_err(error_code)?;
        let inspected =
            faults.before("list", name).and_then(|()| Ok(rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?));
        match inspected {
            Ok(stat) if is_regular(&stat) => files.push(ListedFile { name: name.into(), stamp: Some(stamp(&stat)) }),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // This says nothing about the other files. The component will find out what is wrong with this one.
            Err(_) => files.push(ListedFile { name: name.into(), stamp: None }),
        }
    }
    Ok(files)
}

/// The content of a small regular file.
fn read_file(directory: impl AsFd, name: &str, max_bytes: u32) -> Result<FileContent, ErrorCode> {
    if name.contains('/') {
        return Err(ErrorCode::Invalid);
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(directory, name, flags, Mode::empty()).map_err(error_code)?);
    let stat = rustix::fs::fstat(&file).map_err(error_code)?;
    if !is_regular(&stat) {
        return Err(ErrorCode::Invalid);
    }
    let mut stamp = stamp(&stat);
    if stamp.size > max_bytes.into() {
        return Err(ErrorCode::FileTooLarge);
    }
    // One byte more than the file has, to detect whether it is growing.
    let bytes = read_at(&file, 0, max_bytes.min(stamp.size as u32).saturating_add(1))?;
    stamp.size = bytes.len() as u64;
    if stamp.size > max_bytes.into() { Err(ErrorCode::FileTooLarge) } else { Ok(FileContent { bytes, stamp }) }
}

fn read_at(file: &File, offset: u64, count: u32) -> Result<Vec<u8>, ErrorCode> {
    let mut bytes = vec![0; count as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error_code(error)),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

fn stamp(stat: &Stat) -> Stamp {
    Stamp { size: u64::try_from(stat.st_size).unwrap_or(0), modified: file_time(stat.st_mtime, stat.st_mtime_nsec) }
}
