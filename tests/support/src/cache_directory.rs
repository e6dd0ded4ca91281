//! The files of a cache, as other programs see them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::sha256::sha256;

/// The file that a cache locks.
pub const LOCK: &str = "media-cache.lock";

/// The directory for all files of the cache except the entries and the lock.
pub const OWN_DIRECTORY: &str = ".media-cache";

/// The file with the order of use.
pub const INDEX_LOG: &str = ".media-cache/index.log";

/// The result of [`files_exist`] for a stored entry.
pub const BOTH: (bool, bool) = (true, true);

/// The result of [`files_exist`] for an entry that is not stored.
pub const NEITHER: (bool, bool) = (false, false);

/// The disk usage of a file, in blocks of 4096 bytes.
#[must_use]
pub fn disk_size(len: u64) -> u64 {
    len.next_multiple_of(4096)
}

/// The stem of the names of an entry's files.
#[must_use]
pub fn file_stem(url: &str) -> String {
    sha256(url)
}

/// The file with the media of an entry.
#[must_use]
pub fn media_file(directory: &Path, url: &str) -> PathBuf {
    directory.join(file_stem(url)).with_extension("dat")
}

/// The file with the metadata of an entry.
#[must_use]
pub fn sidecar_file(directory: &Path, url: &str) -> PathBuf {
    media_file(directory, url).with_extension("json")
}

/// The metadata of an entry.
#[must_use]
pub fn sidecar(directory: &Path, url: &str) -> Value {
    serde_json::from_slice(&fs::read(sidecar_file(directory, url)).unwrap()).unwrap()
}

/// Puts a directory in place of the sidecar of an entry, so that the sidecar cannot be unlinked.
pub fn make_undeletable(directory: &Path, url: &str) {
    let sidecar = sidecar_file(directory, url);
    fs::remove_file(&sidecar).unwrap();
    fs::create_dir(&sidecar).unwrap();
}

/// Whether the media and the sidecar of an entry exist.
#[must_use]
pub fn files_exist(directory: &Path, url: &str) -> (bool, bool) {
    (media_file(directory, url).exists(), sidecar_file(directory, url).exists())
}

/// All names in a directory, with the contents of the files.
#[must_use]
pub fn listing(directory: &Path) -> BTreeMap<OsString, Option<Vec<u8>>> {
    let content = |path: &Path| path.is_file().then(|| fs::read(path).unwrap());
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()).map(|entry| (entry.file_name(), content(&entry.path()))).collect()
}

/// The disk usage of the files of entries, and their number.
///
/// # Panics
/// If there are files that belong to neither an entry nor the cache itself.
#[must_use]
pub fn disk_usage(directory: &Path) -> (u64, usize) {
    let (mut bytes, mut count) = (0, 0);
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name == LOCK || name == OWN_DIRECTORY {
            continue;
        }
        let (stem, extension) = name.split_once('.').unwrap();
        assert!(stem.len() == 64 && matches!(extension, "dat" | "json"), "unexpected file: {name}");
        bytes += disk_size(entry.metadata().unwrap().len());
        count += 1;
    }
    (bytes, count)
}

/// Copies the files in their current state, as a crash would leave them behind. Files that are deleted or renamed in the meantime, such as
/// an index log that is rewritten in the background, are skipped.
pub fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy_files(&from, &to);
        } else {
            let Ok(metadata) = fs::metadata(&from) else { continue };
            let modified = metadata.modified().unwrap();
            match fs::copy(from, &to) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                copied => copied.unwrap(),
            };
            fs::File::options().append(true).open(to).unwrap().set_modified(modified).unwrap();
        }
    }
}

/// Writes an entry as another implementation of the format does: with five fields, as Python's `json.dump` writes them. `ts` is written
/// verbatim.
pub fn write_python_entry(directory: &Path, url: &str, media: &[u8], mimetype: &str, filename: &str, ts: &str) {
    let [url_field, mimetype, filename] = [url, mimetype, filename].map(python_string);
    let json =
        format!(r#"{{"mimetype": {mimetype}, "filename": {filename}, "url": {url_field}, "ts": {ts}, "size": {}}}"#, media.len());
    fs::create_dir_all(directory).unwrap();
    fs::write(media_file(directory, url), media).unwrap();
    fs::write(sidecar_file(directory, url), json).unwrap();
}

/// A string in Python's notation: ASCII, and UTF-16 escapes for everything else.
fn python_string(text: &str) -> String {
    let mut quoted = String::from('"');
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(b'"') => quoted += "\\\"",
            Ok(b'\\') => quoted += "\\\\",
            Ok(b'\n') => quoted += "\\n",
            Ok(ascii @ 0x20..0x7f) => quoted.push(char::from(ascii)),
            _ => quoted += &format!("\\u{unit:04x}"),
        }
    }
    quoted + "\""
}
