//! Operations on file names in a directory, and syncing, in place of the functions in wasmtime-wasi, which turn most errors into
//! input/output errors (see `error_code`). As in `open_at`, paths stay below the directory, and links are not followed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Stat, fsync, renameat, statat, unlinkat};
use wasmtime::component::{Accessor, HasSelf, Linker, Resource};
use wasmtime_wasi::FsPerms;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p3::bindings::clocks::system_clock::Instant;
use wasmtime_wasi::p3::bindings::filesystem::types::{DescriptorStat, DescriptorType, ErrorCode, PathFlags};

use crate::host_state::HostState;
use crate::imports::error_code::error_code;
use crate::imports::open_at::resolve;
use crate::imports::storage::{DIRECTORY, off_thread};

type Fallible<T> = wasmtime::Result<Result<T, ErrorCode>>;

/// Replaces `stat-at`, `rename-at`, `unlink-file-at` and `sync`.
pub(crate) fn use_names(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance("wasi:filesystem/types@0.3.0")?;
    types.func_wrap_concurrent("[method]descriptor.stat-at", |store, parameters| {
        let (directory, _, path): (Resource<Descriptor>, PathFlags, String) = parameters;
        let status = store.with(|mut state| stat_at(state.get(), &directory, &path));
        Box::pin(async move { status.map(|status| (status,)) })
    })?;
    types.func_wrap_concurrent("[method]descriptor.rename-at", |store, parameters| {
        let (from, old, to, new): (Resource<Descriptor>, String, Resource<Descriptor>, String) = parameters;
        let renamed = store.with(|mut state| rename_at(state.get(), (&from, &old), (&to, &new)));
        Box::pin(async move { renamed.map(|renamed| (renamed,)) })
    })?;
    types.func_wrap_concurrent("[method]descriptor.unlink-file-at", |store, parameters| {
        let (directory, path): (Resource<Descriptor>, String) = parameters;
        let unlinked = store.with(|mut state| unlink_file_at(state.get(), &directory, &path));
        Box::pin(async move { unlinked.map(|unlinked| (unlinked,)) })
    })?;
    types.func_wrap_concurrent("[method]descriptor.sync", |store, parameters| {
        let (descriptor,): (Resource<Descriptor>,) = parameters;
        Box::pin(async move { sync(&store.with_getter(|state| state), &descriptor).await.map(|synced| (synced,)) })
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

fn stat_at(state: &HostState, directory: &Resource<Descriptor>, path: &str) -> Fallible<DescriptorStat> {
    let Descriptor::Dir(directory) = state.table.get(directory)? else { return Ok(Err(ErrorCode::NotDirectory)) };
    Ok(state.faults.before("inspect", path).map_err(error_code).and_then(|()| {
        let (parent, name) = resolve(directory.dir.as_fd(), path)?;
        let status = statat(or(parent.as_ref(), directory.dir.as_fd()), name, AtFlags::SYMLINK_NOFOLLOW);
        status.map(|status| descriptor_stat(&status)).map_err(error_code)
    }))
}

fn rename_at(
    state: &HostState,
    (from, old): (&Resource<Descriptor>, &str),
    (to, new): (&Resource<Descriptor>, &str),
) -> Fallible<()> {
    let (Descriptor::Dir(from), Descriptor::Dir(to)) = (state.table.get(from)?, state.table.get(to)?) else {
        return Ok(Err(ErrorCode::NotDirectory));
    };
    if from.perms != FsPerms::ReadWrite || to.perms != FsPerms::ReadWrite {
        return Ok(Err(ErrorCode::NotPermitted));
    }
    Ok(state.faults.before("rename", old).map_err(error_code).and_then(|()| {
        let (old_parent, old) = resolve(from.dir.as_fd(), old)?;
        let (new_parent, new) = resolve(to.dir.as_fd(), new)?;
        let (old_parent, new_parent) = (or(old_parent.as_ref(), from.dir.as_fd()), or(new_parent.as_ref(), to.dir.as_fd()));
        renameat(old_parent, old, new_parent, new).map_err(error_code)
    }))
}

fn unlink_file_at(state: &HostState, directory: &Resource<Descriptor>, path: &str) -> Fallible<()> {
    let Descriptor::Dir(directory) = state.table.get(directory)? else { return Ok(Err(ErrorCode::NotDirectory)) };
    if directory.perms != FsPerms::ReadWrite {
        return Ok(Err(ErrorCode::NotPermitted));
    }
    Ok(state.faults.before("delete", path).map_err(error_code).and_then(|()| {
        let (parent, name) = resolve(directory.dir.as_fd(), path)?;
        unlinkat(or(parent.as_ref(), directory.dir.as_fd()), name, AtFlags::empty()).map_err(error_code)
    }))
}

/// Syncs an open file or directory to the disk, outside the store's thread, since this can take a long time.
async fn sync(store: &Accessor<HostState, HasSelf<HostState>>, descriptor: &Resource<Descriptor>) -> Fallible<()> {
    let (synced, is_directory, faults) = store.with(|mut state| {
        let state = state.get();
        let is_directory = matches!(state.table.get(descriptor)?, Descriptor::Dir(_));
        wasmtime::Result::<_>::Ok((state.owned(descriptor)?, is_directory, state.faults.clone()))
    })?;
    match synced {
        Ok(file) => {
            let sync = move || {
                let begun = if is_directory { faults.before("sync", DIRECTORY) } else { faults.before_on("sync", file.as_fd()) };
                begun.and_then(|()| Ok(fsync(&file)?)).map_err(error_code)
            };
            off_thread(store, 0, sync).await
        }
        Err(error) => Ok(Err(error)),
    }
}

/// The parent directory, or `directory` if there is none.
fn or<'a>(parent: Option<&'a OwnedFd>, directory: BorrowedFd<'a>) -> BorrowedFd<'a> {
    parent.map_or(directory, AsFd::as_fd)
}

#[allow(clippy::useless_conversion, reason = "on other architectures, the number of links has another type")]
fn descriptor_stat(status: &Stat) -> DescriptorStat {
    let instant = |seconds: i64, nanoseconds: u64| Instant { seconds, nanoseconds: u32::try_from(nanoseconds).unwrap_or(0) };
    let type_ = match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        _ => DescriptorType::Other(None),
    };
    DescriptorStat {
        type_,
        link_count: u64::from(status.st_nlink),
        size: u64::try_from(status.st_size).unwrap_or(0),
        data_access_timestamp: Some(instant(status.st_atime, status.st_atime_nsec)),
        data_modification_timestamp: Some(instant(status.st_mtime, status.st_mtime_nsec)),
        status_change_timestamp: Some(instant(status.st_ctime, status.st_ctime_nsec)),
    }
}
