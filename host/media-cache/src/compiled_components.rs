//! Keeps compiled components, since compiling them takes longer than all other work before the first hit, and seconds for a policy that
//! contains an interpreter.
//!
//! Compiled code is trusted: it runs in this process, outside any sandbox. It is therefore kept in a separate directory. The directory and
//! its files must belong to the user of this process, and other users must not have access. A file is named after the digest of the
//! component and of everything else that affects the compiled code, and contains a checksum. If the directory or a file cannot be used, the
//! component is compiled again.

use std::ffi::CString;
use std::fs::{DirBuilder, File};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compiled_code::deserialize;

const CHECKSUM: usize = 32;

/// The suffix of the file names.
const SUFFIX: &str = ".compiled";

/// The limits of a directory.
#[derive(Clone, Copy)]
struct Limits {
    files: usize,
    bytes: u64,
}

/// The limits for embedded components. A program uses one file for each of them.
const EMBEDDED: Limits = Limits { files: 32, bytes: 64 << 20 };

/// For policies from other sources. One that contains a Python interpreter has 37 million bytes.
const POLICIES: Limits = Limits { files: 32, bytes: 512 << 20 };

/// The subdirectory for policies from other sources. It is separate, so that they do not displace embedded components.
const POLICIES_DIRECTORY: &str = "policies";

/// The directory for compiled components, if they are kept.
#[derive(Clone, Default)]
pub(crate) struct CompiledComponents(Option<(Arc<Path>, Limits)>);

impl CompiledComponents {
    /// Keeps compiled components that are embedded in this program in this directory, which is created if it does not exist.
    pub fn within(directory: PathBuf) -> Self {
        Self(Some((directory.into(), EMBEDDED)))
    }

    /// Keeps compiled policies from other sources, in a subdirectory.
    pub fn of_policies(&self) -> Self {
        Self(self.0.as_ref().map(|(directory, _)| (directory.join(POLICIES_DIRECTORY).into(), POLICIES)))
    }

    /// Compiles a component, or loads it if it was compiled before.
    pub fn compile(&self, engine: &Engine, component: &[u8]) -> wasmtime::Result<Component> {
        if let Some(loaded) = self.load(engine, component) {
            return Ok(loaded);
        }
        let compiled = Component::new(engine, component)?;
        if self.0.is_some() {
            self.keep(engine, component, &compiled.serialize()?);
        }
        Ok(compiled)
    }

    /// Loads a component that was compiled before.
    pub fn load(&self, engine: &Engine, component: &[u8]) -> Option<Component> {
        let (directory, _) = self.open()?;
        deserialize(engine, &load(directory, &file_name(engine, component))?).ok()
    }

    /// Keeps the result of compiling a component, as far as possible. The caller must trust it as far as code of this program.
    pub fn keep(&self, engine: &Engine, component: &[u8], artifact: &[u8]) {
        let Some((directory, limits)) = self.open().filter(|(_, limits)| artifact.len() as u64 <= limits.bytes) else { return };
        if let Err(error) = save(directory, &file_name(engine, component), artifact, limits) {
            tracing::debug!("cannot keep a compiled component: {error}");
        }
    }

    fn open(&self) -> Option<(OwnedFd, Limits)> {
        let (path, limits) = self.0.as_ref()?;
        match open_private(path) {
            Ok(directory) => Some((directory, *limits)),
            Err(error) => {
                tracing::debug!("not keeping compiled components, because {} cannot be used: {error}", path.display());
                None
            }
        }
    }
}

/// The name depends on the component, on Wasmtime and its settings, and on this program.
fn file_name(engine: &Engine, component: &[u8]) -> String {
    let mut settings = DigestHasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut settings);
    (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH).hash(&mut settings);
    let digest = settings.0.chain_update(Sha256::digest(component)).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).chain([SUFFIX.to_owned()]).collect()
}

struct DigestHasher(Sha256);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// Opens the directory if it belongs to the user of this process and other users have no access.
fn open_private(path: &Path) -> io::Result<OwnedFd> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::open(path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&directory)?;
    if is_ours(&stat) {
        Ok(directory)
    } else {
        Err(io::Error::other("it must belong to the user of this process, and other users must not have access"))
    }
}

fn is_ours(stat: &Stat) -> bool {
    stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_mode & 0o077 == 0
}

/// Reads a file if it was saved completely.
fn load(directory: impl AsFd, name: &str) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(directory, name, flags, Mode::empty()).ok()?);
    let stat = rustix::fs::fstat(&file).ok()?;
    if !is_ours(&stat) || FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let mut checksum = [0; CHECKSUM];
    file.read_exact(&mut checksum).ok()?;
    let mut artifact = Vec::with_capacity(usize::try_from(stat.st_size).unwrap_or(0));
    file.read_to_end(&mut artifact).ok()?;
    if Sha256::digest(&artifact).as_slice() != checksum {
        return None;
    }
    // The files that were used least recently are removed first. If this fails, the file is removed earlier.
    let _ = file.set_modified(SystemTime::now());
    Some(artifact)
}

/// Saves a file under a temporary name and then renames it.
fn save(directory: impl AsFd, name: &str, artifact: &[u8], limits: Limits) -> io::Result<()> {
    let temporary = format!("{name}.{:016x}.tmp", RandomState::new().hash_one(std::process::id()));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(&directory, &temporary, flags, Mode::RUSR | Mode::WUSR)?);
    let written = file.write_all(&Sha256::digest(artifact)).and_then(|()| file.write_all(artifact));
    let renamed = written.and_then(|()| Ok(rustix::fs::renameat(&directory, &temporary, &directory, name)?));
    if renamed.is_err() {
        let _ = rustix::fs::unlinkat(&directory, &temporary, AtFlags::empty());
    }
    renamed.and_then(|()| remove_oldest(directory, limits))
}

/// Removes the files beyond the limits that were used least recently, for example those left behind by other versions of the program or by processes that were
/// killed.
fn remove_oldest(directory: impl AsFd, limits: Limits) -> io::Result<()> {
    let mut files = Vec::new();
    for file in Dir::read_from(&directory)? {
        let name = file?.file_name().to_owned();
        if !name.to_bytes().windows(SUFFIX.len()).any(|part| part == SUFFIX.as_bytes()) {
            continue;
        }
        let stat = rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        files.push((stat.st_mtime, stat.st_mtime_nsec, name, u64::try_from(stat.st_size).unwrap_or(0)));
    }
    files.sort();
    let mut bytes = 0;
    let kept = files.iter().rev().take(limits.files).take_while(|(.., size)| {
        bytes += size;
        bytes <= limits.bytes + CHECKSUM as u64
    });
    let excess = files.len() - kept.count();
    let remove = |(_, _, name, _): &(_, _, CString, _)| Ok(rustix::fs::unlinkat(&directory, name, AtFlags::empty())?);
    files.iter().take(excess).try_for_each(remove)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    /// An empty component, and one with a custom section.
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const OTHER: &[u8] = b"\0asm\x0d\0\x01\0\0\x02\x01a";

    /// The files in the directory.
    fn files(directory: &Path) -> Vec<PathBuf> {
        directory.read_dir().unwrap().map(|file| file.unwrap().path()).collect()
    }

    #[test]
    fn component_is_compiled_once_and_then_loaded_from_its_file() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/b");
        let kept = CompiledComponents::within(directory.clone());
        let engine = Engine::default();
        kept.compile(&engine, COMPONENT).unwrap();
        let [file] = files(&directory).try_into().unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let artifact = load(File::open(&directory).unwrap(), file.file_name().unwrap().to_str().unwrap()).unwrap();
        assert!(deserialize(&engine, &artifact).is_ok());
        let (inode, stored) = (file.metadata().unwrap().ino(), file.metadata().unwrap().modified().unwrap());
        kept.compile(&engine, COMPONENT).unwrap();
        assert_eq!((files(&directory), file.metadata().unwrap().ino()), (vec![file.clone()], inode), "it is not written again");
        assert!(file.metadata().unwrap().modified().unwrap() > stored, "the files used least recently are removed first");
        let other = Engine::new(wasmtime::Config::new().epoch_interruption(true)).unwrap();
        kept.compile(&other, COMPONENT).unwrap();
        kept.compile(&engine, OTHER).unwrap();
        assert_eq!(files(&directory).len(), 3, "other settings and other components have separate files");
    }

    #[test]
    fn damaged_file_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("kept");
        let kept = CompiledComponents::within(directory.clone());
        let engine = Engine::default();
        kept.compile(&engine, COMPONENT).unwrap();
        let [file] = files(&directory).try_into().unwrap();
        let intact = std::fs::read(&file).unwrap();
        for damaged in [&[][..], &intact[..intact.len() - 1], &[&intact[..100], &[!intact[100]], &intact[101..]].concat()] {
            std::fs::write(&file, damaged).unwrap();
            kept.compile(&engine, COMPONENT).unwrap();
            assert_eq!(std::fs::read(&file).unwrap(), intact);
        }
    }

    #[test]
    fn file_or_directory_accessible_to_other_users_is_not_trusted() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("kept");
        let kept = CompiledComponents::within(directory.clone());
        let engine = Engine::default();
        kept.compile(&engine, COMPONENT).unwrap();
        let [file] = files(&directory).try_into().unwrap();
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let loads = || load(File::open(&directory).unwrap(), &name).is_some();
        assert!(loads());
        std::fs::set_permissions(&file, Permissions::from_mode(0o620)).unwrap();
        assert!(!loads());
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(&file, directory.join("other")).unwrap();
        std::os::unix::fs::symlink("other", &file).unwrap();
        assert!(!loads());
        std::fs::set_permissions(&directory, Permissions::from_mode(0o770)).unwrap();
        assert!(open_private(&directory).is_err());
        assert!(kept.compile(&engine, COMPONENT).is_ok());
        let link = root.path().join("link");
        std::os::unix::fs::symlink(&directory, &link).unwrap();
        std::fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
        assert!(open_private(&directory).is_ok() && open_private(&link).is_err());
    }

    #[test]
    fn oldest_files_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("kept");
        let kept = CompiledComponents::within(directory.clone());
        let engine = Engine::default();
        kept.compile(&engine, COMPONENT).unwrap();
        let [file] = files(&directory).try_into().unwrap();
        for number in 0..2 * EMBEDDED.files {
            std::fs::write(directory.join(format!("{number}{SUFFIX}")), "").unwrap();
        }
        let foreign = directory.join("another program's");
        std::fs::write(&foreign, "").unwrap();
        std::fs::remove_file(&file).unwrap();
        kept.compile(&engine, COMPONENT).unwrap();
        assert!(file.exists() && foreign.exists() && files(&directory).len() == EMBEDDED.files + 1);
    }

    #[test]
    fn oldest_policies_are_removed_if_they_exceed_the_bytes_of_the_directory() {
        let root = tempfile::tempdir().unwrap();
        let limits = Limits { files: 10, bytes: 250 };
        let kept = CompiledComponents(Some((root.path().join("kept").into(), limits)));
        let engine = Engine::default();
        for component in 0..3 {
            kept.keep(&engine, &[component], &[component; 100]);
        }
        let sizes = || files(&root.path().join("kept")).iter().map(|file| file.metadata().unwrap().len()).collect::<Vec<_>>();
        assert_eq!(sizes(), [132; 2], "the checksums count, too");
        kept.keep(&engine, &[3], &[3; 251]);
        assert_eq!(sizes(), [132; 2], "a file that can never fit displaces nothing");
    }

    #[test]
    fn policies_from_other_sources_are_kept_in_a_separate_directory() {
        let root = tempfile::tempdir().unwrap();
        let (kept, engine) = (CompiledComponents::within(root.path().join("kept")), Engine::default());
        kept.of_policies().compile(&engine, COMPONENT).unwrap();
        assert_eq!(files(&root.path().join("kept/policies")).len(), 1);
        assert!(kept.of_policies().load(&engine, COMPONENT).is_some() && kept.load(&engine, COMPONENT).is_none());
        assert!(CompiledComponents::default().of_policies().load(&engine, COMPONENT).is_none());
    }
}
