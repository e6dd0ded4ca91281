//! The cache's directory, as others see it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What the name of an entry's files starts with.
pub fn stem(url: &str) -> String {
    sha256(url)
}

/// A SHA-256 in hexadecimal digits.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file with the media.
pub fn dat(directory: &Path, url: &str) -> PathBuf {
    directory.join(stem(url)).with_extension("dat")
}

/// The file beside it.
pub fn sidecar(directory: &Path, url: &str) -> PathBuf {
    directory.join(stem(url)).with_extension("json")
}

/// Whether the files of an entry are there: the media, the sidecar.
pub fn files(directory: &Path, url: &str) -> (bool, bool) {
    (dat(directory, url).exists(), sidecar(directory, url).exists())
}

pub const BOTH: (bool, bool) = (true, true);
pub const NEITHER: (bool, bool) = (false, false);

/// The cache's own files.
pub const LOCK: &str = "media-cache.lock";
pub const SNAPSHOT: &str = "media-cache.index";

/// All names in a directory, and for files what is in them.
pub fn listing(directory: &Path) -> BTreeMap<OsString, Option<Vec<u8>>> {
    let content = |path: &Path| path.is_file().then(|| fs::read(path).unwrap());
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()).map(|entry| (entry.file_name(), content(&entry.path()))).collect()
}

/// What the files of entries take up, in blocks of 4096, and how many there are. Fails if there is anything else but our own.
pub fn use_of(directory: &Path) -> (u64, usize) {
    let (mut bytes, mut count) = (0, 0);
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name == LOCK || name == SNAPSHOT {
            continue;
        }
        let (stem, extension) = name.split_once('.').unwrap();
        assert!(stem.len() == 64 && matches!(extension, "dat" | "json"), "a file that nobody needs: {name}");
        bytes += entry.metadata().unwrap().len().div_ceil(4096) * 4096;
        count += 1;
    }
    (bytes, count)
}

/// As a crash leaves it: the files as they are at this moment, elsewhere.
pub fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Writes an entry as another implementation of the format does: the five fields, as Python's `json.dump` writes them. `ts` is
/// written as it is given.
pub fn write_python_entry(directory: &Path, url: &str, media: &[u8], mimetype: &str, filename: &str, ts: &str) {
    let [url_field, mimetype, filename] = [url, mimetype, filename].map(python_string);
    let json =
        format!(r#"{{"mimetype": {mimetype}, "filename": {filename}, "url": {url_field}, "ts": {ts}, "size": {}}}"#, media.len());
    fs::create_dir_all(directory).unwrap();
    fs::write(dat(directory, url), media).unwrap();
    fs::write(sidecar(directory, url), json).unwrap();
}

/// A string as Python writes it: ASCII, with everything else as UTF-16 escapes.
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
