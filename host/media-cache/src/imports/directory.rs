//! Lists directories, in place of the function in wasmtime-wasi. That function fails at the first name that is not UTF-8, so a single file
//! with such a name, even a foreign one, would prevent a cache from starting. The function here leaves such names out, since components
//! could not use them anyway. It also avoids a `stat` call for each file.

use std::fs::FileType;
use std::io;
use std::os::fd::AsRawFd;

use wasmtime::StoreContextMut;
use wasmtime::component::{FutureReader, Linker, Resource, StreamReader};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p3::bindings::filesystem::types::{DescriptorType, DirectoryEntry, ErrorCode};

use crate::host_state::HostState;
use crate::imports::error_code::error_code;

type Listing = (StreamReader<DirectoryEntry>, FutureReader<Result<(), ErrorCode>>);

/// Replaces `read-directory`.
pub(crate) fn list_all_directories(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance("wasi:filesystem/types@0.3.0")?;
    types.func_wrap("[method]descriptor.read-directory", |store, (directory,): (Resource<Descriptor>,)| {
        read_directory(store, &directory).map(|listing| (listing,))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

fn read_directory(mut store: StoreContextMut<'_, HostState>, directory: &Resource<Descriptor>) -> wasmtime::Result<Listing> {
    let listed = match store.data().table.get(directory)? {
        Descriptor::Dir(directory) => list(directory.dir.as_raw_fd()).map_err(error_code),
        Descriptor::File(_) => Err(ErrorCode::NotDirectory),
    };
    let (entries, outcome) = match listed {
        Ok(entries) => (entries, Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    };
    let stream = StreamReader::new(&mut store, entries)?;
    let outcome = FutureReader::new(&mut store, async move { wasmtime::Result::<_>::Ok(outcome) })?;
    Ok((stream, outcome))
}

/// Lists an open directory through its descriptor, since its name may belong to another directory by now.
fn list(directory: i32) -> io::Result<Vec<DirectoryEntry>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/self/fd/{directory}"))? {
        let entry = entry?;
        let type_ = descriptor_type(entry.file_type()?);
        if let Ok(name) = entry.file_name().into_string() {
            entries.push(DirectoryEntry { type_, name });
        }
    }
    Ok(entries)
}

fn descriptor_type(file: FileType) -> DescriptorType {
    match file {
        file if file.is_file() => DescriptorType::RegularFile,
        file if file.is_dir() => DescriptorType::Directory,
        file if file.is_symlink() => DescriptorType::SymbolicLink,
        _ => DescriptorType::Other(None),
    }
}
