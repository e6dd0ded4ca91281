//! Damage that other programs do to the files while no service is running, and the states that the model then expects.

use std::fs;
use std::path::{Path, PathBuf};

use media_cache_test_support::cache_directory::{media_file, sidecar_file, write_python_entry};
use media_cache_test_support::random::{Random, noise};

use crate::model::{Kind, Media, Subject};

/// Files with derived data, relative to the directory of the cache.
const DERIVED: [&str; 2] = ["media-cache.index", ".media-cache/index.log"];

/// Damages a few entries, and sometimes derived files. `old` is the directory that keeps derived files for later rounds.
pub fn damage(directory: &Path, old: &Path, subjects: &[Subject], random: &mut Random) {
    for _ in 0..random.below(4) {
        let subject = &subjects[random.below(subjects.len() as u64) as usize];
        if is_whole(directory, &subject.url) {
            damage_entry(directory, subject, random);
        }
    }
    for name in DERIVED {
        damage_derived(&directory.join(name), &old.join(name.replace('/', "-")), random);
    }
    if random.below(4) == 0 {
        // A file of another program, media without a sidecar, and a file from an interrupted write.
        let stem = directory.join(format!("{:064x}", random.number()));
        fs::write(directory.join("notes.txt"), NOTES).unwrap();
        fs::write(stem.with_extension("dat"), noise(1, 5_000)).unwrap();
        fs::write(stem.with_extension("json.tmp"), b"{\"url\":").unwrap();
    }
}

/// The contents of another program's file, which must not change.
pub const NOTES: &[u8] = b"not of the cache";

fn damage_entry(directory: &Path, subject: &Subject, random: &mut Random) {
    let (body, sidecar) = (media_file(directory, &subject.url), sidecar_file(directory, &subject.url));
    match random.below(6) {
        0 | 1 if subject.kind == Kind::Put => {
            let version = subject.next_version();
            let Media { bytes, mimetype, filename } = subject.media(version);
            write_python_entry(directory, &subject.url, &bytes, mimetype, &filename, "1700000000.5");
            return subject.is([Some(version)]);
        }
        // Without a digest in the sidecar, wrong bytes cannot be detected.
        2 if fs::read_to_string(&sidecar).unwrap().contains("\"sha256\"") => {
            let length = fs::metadata(&body).unwrap().len() as usize;
            let file = fs::OpenOptions::new().write(true).open(&body).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, &noise(2, length / 2), (length / 2) as u64).unwrap();
        }
        3 => {
            let length = fs::metadata(&body).unwrap().len();
            fs::OpenOptions::new().write(true).open(&body).unwrap().set_len(random.below(length)).unwrap();
        }
        4 => fs::remove_file(&body).unwrap(),
        _ => fs::remove_file(&sidecar).unwrap(),
    }
    subject.is([None]);
}

/// Whether an entry has its two files and no others.
fn is_whole(directory: &Path, url: &str) -> bool {
    let new = |file: PathBuf| file.with_extension(format!("{}.new", file.extension().unwrap_or_default().display()));
    let (body, sidecar) = (media_file(directory, url), sidecar_file(directory, url));
    body.is_file() && sidecar.is_file() && !new(body).exists() && !new(sidecar).exists()
}

fn damage_derived(file: &Path, old: &Path, random: &mut Random) {
    let Ok(mut bytes) = fs::read(file) else { return };
    match random.below(12) {
        0 => fs::remove_file(file).unwrap(),
        1 => {
            bytes.truncate(random.below(bytes.len() as u64 + 1) as usize);
            fs::write(file, bytes).unwrap();
        }
        2 if !bytes.is_empty() => {
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << random.below(8);
            }
            fs::write(file, bytes).unwrap();
        }
        3 | 4 if old.exists() => drop(fs::copy(old, file).unwrap()),
        5..=7 => drop(fs::copy(file, old).unwrap()),
        _ => {}
    }
}
