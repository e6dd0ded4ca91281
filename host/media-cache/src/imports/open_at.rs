//! Opens files and creates directories, in place of the functions in wasmtime-wasi.
//!
//! File operations run on the thread that serves all requests. The functions in wasmtime-wasi open anything that has the name: opening a
//! pipe blocks until another process writes to it, and opening a device can have any effect. Here, only regular files and directories are
//! opened, without blocking. Opening anything else fails with `error-code.invalid`. Files are created with mode 0600 and directories with
//! mode 0700.
//!
//! Paths stay below the directory: `..`, absolute paths and symbolic links are not followed. A file with several names is not opened for
//! writing, since one of the names may have been planted to overwrite another file.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, fstat, ftruncate, mkdirat, openat};
use rustix::io::Errno;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, Dir, File as OpenFile};
use wasmtime_wasi::p3::bindings::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags, PathFlags};
use wasmtime_wasi::{FsPerms, OpenMode};

use crate::host_state::HostState;
use crate::imports::error_code::error_code;

type Fallible<T> = wasmtime::Result<Result<T, ErrorCode>>;

/// Replaces `open-at` and `create-directory-at`.
pub(crate) fn open_without_blocking(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance("wasi:filesystem/types@0.3.0")?;
    types.func_wrap_concurrent("[method]descriptor.open-at", |store, parameters| {
        // Links are never followed, regardless of the path flags.
        let (directory, _, path, how, access): (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags) = parameters;
        let opened = store.with(|mut state| open_at(state.get(), &directory, &path, how, access));
        Box::pin(async move { opened.map(|opened| (opened,)) })
    })?;
    types.func_wrap_concurrent("[method]descriptor.create-directory-at", |store, parameters| {
        let (directory, path): (Resource<Descriptor>, String) = parameters;
        let created = store.with(|mut state| create_directory_at(state.get(), &directory, &path));
        Box::pin(async move { created.map(|created| (created,)) })
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

fn open_at(
    state: &mut HostState,
    directory: &Resource<Descriptor>,
    path: &str,
    how: OpenFlags,
    access: DescriptorFlags,
) -> Fallible<Resource<Descriptor>> {
    let Descriptor::Dir(directory) = state.table.get(directory)? else { return Ok(Err(ErrorCode::NotDirectory)) };
    let mode = open_mode(how, access);
    if mode.contains(OpenMode::WRITE) && directory.perms != FsPerms::ReadWrite {
        return Ok(Err(ErrorCode::NotPermitted));
    }
    let action = if how.contains(OpenFlags::CREATE) { "create" } else { "open" };
    if let Err(error) = state.faults.before(action, path) {
        return Ok(Err(error_code(error)));
    }
    let perms = directory.perms;
    let descriptor = match open(directory.dir.as_fd(), path, how, access) {
        Ok(Opened::File(file)) => Descriptor::File(OpenFile::new(file, perms, mode, true)),
        Ok(Opened::Directory(directory)) => Descriptor::Dir(Dir::new(directory, perms, mode, true)),
        Err(error) => return Ok(Err(error)),
    };
    Ok(Ok(state.table.push(descriptor)?))
}

fn create_directory_at(state: &mut HostState, directory: &Resource<Descriptor>, path: &str) -> Fallible<()> {
    let Descriptor::Dir(directory) = state.table.get(directory)? else { return Ok(Err(ErrorCode::NotDirectory)) };
    if directory.perms != FsPerms::ReadWrite {
        return Ok(Err(ErrorCode::NotPermitted));
    }
    let created = state.faults.before("create", path).map_err(error_code);
    Ok(created.and_then(|()| create_directory(directory.dir.as_fd(), path)))
}

/// An opened file or directory.
#[derive(Debug)]
enum Opened {
    File(File),
    Directory(File),
}

/// How a descriptor may be used. Creating and truncating require write access.
fn open_mode(how: OpenFlags, access: DescriptorFlags) -> OpenMode {
    let writes = access.contains(DescriptorFlags::WRITE) || how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE);
    let reads = access.contains(DescriptorFlags::READ) || !access.contains(DescriptorFlags::WRITE);
    let mut mode = OpenMode::empty();
    mode.set(OpenMode::READ, reads);
    mode.set(OpenMode::WRITE, writes);
    mode
}

/// Opens a regular file or a directory at a path below a directory.
fn open(directory: BorrowedFd<'_>, path: &str, how: OpenFlags, access: DescriptorFlags) -> Result<Opened, ErrorCode> {
    let synchronous =
        DescriptorFlags::FILE_INTEGRITY_SYNC | DescriptorFlags::DATA_INTEGRITY_SYNC | DescriptorFlags::REQUESTED_WRITE_SYNC;
    if access.intersects(synchronous) {
        return Err(ErrorCode::Unsupported);
    }
    if how.contains(OpenFlags::DIRECTORY) && how.intersects(OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE) {
        return Err(ErrorCode::Invalid);
    }
    let mode = open_mode(how, access);
    let mut flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    flags |= match (mode.contains(OpenMode::READ), mode.contains(OpenMode::WRITE)) {
        (true, true) => OFlags::RDWR,
        (false, true) => OFlags::WRONLY,
        (_, false) => OFlags::RDONLY,
    };
    flags.set(OFlags::CREATE, how.contains(OpenFlags::CREATE));
    flags.set(OFlags::EXCL, how.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE));
    flags.set(OFlags::DIRECTORY, how.contains(OpenFlags::DIRECTORY) || path.ends_with('/'));
    let (parent, name) = resolve(directory, path)?;
    let parent = parent.as_ref().map_or(directory, AsFd::as_fd);
    let file = openat(parent, name, flags, Mode::RUSR | Mode::WUSR).map_err(|error| match error {
        // A socket, a device without a driver, or a pipe without a reader.
        Errno::NXIO | Errno::NODEV => ErrorCode::Invalid,
        error => error_code(error),
    })?;
    let status = fstat(&file).map_err(error_code)?;
    match FileType::from_raw_mode(status.st_mode) {
        FileType::Directory => Ok(Opened::Directory(file.into())),
        FileType::RegularFile if mode.contains(OpenMode::WRITE) && status.st_nlink > 1 => Err(ErrorCode::Invalid),
        FileType::RegularFile => {
            if how.contains(OpenFlags::TRUNCATE) && status.st_size > 0 {
                ftruncate(&file, 0).map_err(error_code)?;
            }
            Ok(Opened::File(file.into()))
        }
        _ => Err(ErrorCode::Invalid),
    }
}

fn create_directory(directory: BorrowedFd<'_>, path: &str) -> Result<(), ErrorCode> {
    let (parent, name) = resolve(directory, path)?;
    let parent = parent.as_ref().map_or(directory, AsFd::as_fd);
    mkdirat(parent, name, Mode::RWXU).map_err(error_code)
}

/// Opens the parent directory of a path, unless that is `directory` itself, and returns the last component of the path.
pub(super) fn resolve<'a>(directory: BorrowedFd<'_>, path: &'a str) -> Result<(Option<OwnedFd>, &'a str), ErrorCode> {
    let mut components = path.split('/').filter(|component| !matches!(*component, "" | "."));
    if path.is_empty() {
        return Err(ErrorCode::NoEntry);
    }
    if path.starts_with('/') || components.clone().any(|component| component == "..") {
        return Err(ErrorCode::NotPermitted);
    }
    let name = components.next_back().unwrap_or(".");
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut parent = None;
    for component in components {
        let above = parent.as_ref().map_or(directory, AsFd::as_fd);
        parent = Some(openat(above, component, flags, Mode::empty()).map_err(error_code)?);
    }
    Ok((parent, name))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use super::*;

    const READ: DescriptorFlags = DescriptorFlags::READ;

    fn open_in(directory: &Path, path: &str, how: OpenFlags, access: DescriptorFlags) -> Result<Opened, ErrorCode> {
        open(File::open(directory).unwrap().as_fd(), path, how, access)
    }

    #[track_caller]
    fn fails(directory: &Path, path: &str, how: OpenFlags, access: DescriptorFlags, expected: ErrorCode) {
        let error = open_in(directory, path, how, access).unwrap_err();
        assert_eq!(format!("{error:?}"), format!("{expected:?}"), "{path}");
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn opening_a_pipe_socket_or_device_is_refused_without_blocking() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path();
        rustix::fs::mknodat(rustix::fs::CWD, directory.join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let _listener = UnixListener::bind(directory.join("socket")).unwrap();
        let accesses = [READ, DescriptorFlags::WRITE, READ | DescriptorFlags::WRITE];
        for (name, access) in ["pipe", "socket"].into_iter().flat_map(|name| accesses.map(|access| (name, access))) {
            fails(directory, name, OpenFlags::empty(), access, ErrorCode::Invalid);
            fails(directory, name, OpenFlags::CREATE | OpenFlags::TRUNCATE, access, ErrorCode::Invalid);
        }
        fails(Path::new("/dev"), "zero", OpenFlags::empty(), READ, ErrorCode::Invalid);
    }

    #[test]
    fn paths_stay_below_the_directory() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("inside");
        fs::create_dir_all(directory.join("deeper")).unwrap();
        fs::write(root.path().join("file"), "secret").unwrap();
        fs::write(directory.join("deeper/file"), "").unwrap();
        symlink("../file", directory.join("link")).unwrap();
        symlink("deeper", directory.join("way")).unwrap();
        for path in ["../file", "/etc/passwd", "deeper/../deeper/file", ".."] {
            fails(&directory, path, OpenFlags::empty(), READ, ErrorCode::NotPermitted);
            assert!(create_directory(File::open(&directory).unwrap().as_fd(), path).is_err());
        }
        fails(&directory, "link", OpenFlags::empty(), READ, ErrorCode::Loop);
        fails(&directory, "way/file", OpenFlags::empty(), READ, ErrorCode::NotDirectory);
        fails(&directory, "", OpenFlags::empty(), READ, ErrorCode::NoEntry);
        for path in ["deeper/file", "./deeper//file"] {
            assert!(matches!(open_in(&directory, path, OpenFlags::empty(), READ), Ok(Opened::File(_))), "{path}");
        }
        for path in [".", "deeper", "deeper/", "./deeper/."] {
            assert!(matches!(open_in(&directory, path, OpenFlags::DIRECTORY, READ), Ok(Opened::Directory(_))), "{path}");
        }
    }

    #[test]
    fn open_flags_have_their_documented_effect() {
        let root = tempfile::tempdir().unwrap();
        let (directory, file) = (root.path(), root.path().join("file"));
        let write = DescriptorFlags::WRITE;
        fails(directory, "file", OpenFlags::empty(), write, ErrorCode::NoEntry);
        open_in(directory, "file", OpenFlags::CREATE | OpenFlags::EXCLUSIVE, write).unwrap();
        fails(directory, "file", OpenFlags::CREATE | OpenFlags::EXCLUSIVE, write, ErrorCode::Exist);
        fs::write(&file, "bytes").unwrap();
        open_in(directory, "file", OpenFlags::CREATE, write).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"bytes");
        open_in(directory, "file", OpenFlags::TRUNCATE, write).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"");
        fails(directory, "file", OpenFlags::DIRECTORY, READ, ErrorCode::NotDirectory);
        fails(directory, "file/", OpenFlags::empty(), READ, ErrorCode::NotDirectory);
        fails(directory, "file", OpenFlags::DIRECTORY | OpenFlags::CREATE, READ, ErrorCode::Invalid);
        fails(directory, ".", OpenFlags::empty(), write, ErrorCode::IsDirectory);
    }

    #[test]
    fn a_file_with_several_names_is_not_written_to() {
        let root = tempfile::tempdir().unwrap();
        let (theirs, planted) = (root.path().join("theirs"), root.path().join("planted"));
        fs::write(&theirs, "precious").unwrap();
        fs::hard_link(&theirs, planted).unwrap();
        let truncate = OpenFlags::CREATE | OpenFlags::TRUNCATE;
        fails(root.path(), "planted", truncate, DescriptorFlags::WRITE, ErrorCode::Invalid);
        assert_eq!(fs::read(&theirs).unwrap(), b"precious");
        assert!(open_in(root.path(), "planted", OpenFlags::empty(), READ).is_ok(), "reading is allowed");
    }

    #[test]
    fn created_files_and_directories_are_private_to_their_owner() {
        let root = tempfile::tempdir().unwrap();
        create_directory(File::open(root.path()).unwrap().as_fd(), "new").unwrap();
        open_in(root.path(), "new/file", OpenFlags::CREATE, DescriptorFlags::WRITE).unwrap();
        assert_eq!((mode(&root.path().join("new")), mode(&root.path().join("new/file"))), (0o700, 0o600));
    }
}
