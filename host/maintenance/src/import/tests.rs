use std::io::Write;

use media_cache_entry_files::LARGEST_SIDECAR;

use super::*;
use crate::directory_import::DirectoryImport;
use crate::test_directory::{TestDirectory, sidecar};

const URL: &str = "https://x.org/a";

/// The name and the bytes of a member.
type Named = (String, Vec<u8>);

fn member(archive: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    let size = bytes.len() as u64;
    archive.write_all(&archive::header(name, size, 1)).unwrap();
    archive.write_all(bytes).unwrap();
    archive.write_all(archive::padding(size)).unwrap();
}

fn pair(archive: &mut Vec<u8>, sidecar: &Sidecar, body: &[u8]) {
    let digest = KeyDigest::of(&sidecar.url);
    member(archive, &digest.sidecar_file(), &sidecar.to_json());
    member(archive, &digest.media_file(), body);
}

fn ended(mut archive: Vec<u8>) -> Vec<u8> {
    archive::write_end(&mut archive).unwrap();
    archive
}

/// Imports with a budget, and a limit of 100,000 bytes per body.
fn import_with(dir: &TestDirectory, budget: Option<u64>, archive: &[u8]) -> (ImportSummary, Vec<String>, Result<(), String>) {
    let mut destination = DirectoryImport::new(dir.open(), budget).unwrap();
    let mut refused = Vec::new();
    let mut observer = |event: ImportEvent<'_>| {
        if let ImportEvent::Refused(name, why) = event {
            refused.push(format!("{name}: {why}"));
        }
    };
    let (summary, result) = import(&mut &*archive, &Limits { max_body_bytes: 100_000 }, &mut destination, &mut observer);
    (summary, refused, result.map_err(|error| error.to_string()))
}

#[test]
fn invalid_entry_is_refused_and_the_next_one_is_imported() {
    let good = sidecar(URL, b"body");
    let cases: [(&str, Sidecar, &[u8]); 4] = [
        ("SHA-256", Sidecar { body_digest: Some([7; 32]), ..good.clone() }, b"body"),
        ("has no digest", Sidecar { body_digest: None, ..good.clone() }, b"body"),
        ("the body has 5 bytes, but the sidecar says 4", good.clone(), b"body!"),
        ("the limit is 100000", sidecar(URL, &[0; 100_001]), &[0; 100_001]),
    ];
    for (why, wrong, body) in cases {
        let dir = TestDirectory::create();
        let mut archive = Vec::new();
        pair(&mut archive, &wrong, body);
        pair(&mut archive, &sidecar("https://x.org/next", b"next"), b"next");
        let (summary, refused, result) = import_with(&dir, None, &ended(archive));
        assert_eq!((summary.imported, summary.refused, result), (1, 1, Ok(())), "{why}");
        assert!(refused[0].contains(why) && refused[0].contains(URL), "{refused:?}");
        assert_eq!(dir.names().len(), 2, "{why}");
    }
}

#[test]
fn a_sidecar_of_another_entry_is_refused() {
    let (dir, digest) = (TestDirectory::create(), KeyDigest::of("https://x.org/victim"));
    for json in [sidecar(URL, b"body").to_json(), b"{".to_vec(), vec![b' '; LARGEST_SIDECAR as usize]] {
        let mut archive = Vec::new();
        member(&mut archive, &digest.sidecar_file(), &json);
        member(&mut archive, &digest.media_file(), b"body");
        let (summary, _, result) = import_with(&dir, None, &ended(archive));
        assert_eq!((summary.refused, result), (1, Ok(())));
    }
    assert!(dir.names().is_empty());
}

#[test]
fn misordered_or_unexpected_archive_members_end_the_import() {
    let digest = KeyDigest::of(URL);
    let (json, other) = (sidecar(URL, b"body").to_json(), KeyDigest::of("https://x.org/b"));
    let archives: [(&str, Vec<Named>); 5] = [
        ("not preceded by its sidecar", vec![(digest.media_file(), b"body".to_vec())]),
        ("not followed by its body", vec![(digest.sidecar_file(), json.clone())]),
        ("not followed by its body", vec![(digest.sidecar_file(), json.clone()), (other.media_file(), b"body".to_vec())]),
        ("too large for a sidecar", vec![(digest.sidecar_file(), vec![b' '; LARGEST_SIDECAR as usize + 1])]),
        ("not a file of an entry", vec![("../../etc/passwd".into(), b"body".to_vec())]),
    ];
    for (why, members) in archives {
        let dir = TestDirectory::create();
        let mut archive = Vec::new();
        pair(&mut archive, &sidecar("https://x.org/first", b"first"), b"first");
        members.iter().for_each(|(name, bytes)| member(&mut archive, name, bytes));
        let (summary, _, result) = import_with(&dir, None, &ended(archive));
        assert!(result.as_ref().is_err_and(|error| error.contains(why)), "{result:?}");
        assert_eq!((summary.imported, dir.names().len()), (1, 2), "earlier entries are kept");
    }
}

#[test]
fn archive_truncated_anywhere_is_an_error_and_leaves_no_partial_entry() {
    let mut archive = Vec::new();
    pair(&mut archive, &sidecar(URL, &[1; 1000]), &[1; 1000]);
    let archive = ended(archive);
    for length in (0..archive.len()).step_by(97) {
        let dir = TestDirectory::create();
        let (summary, _, result) = import_with(&dir, None, &archive[..length]);
        assert!(result.as_ref().is_err_and(|error| error.contains("truncated")), "{length}: {result:?}");
        assert_eq!(dir.names().len(), summary.imported as usize * 2, "{length}");
    }
}

#[test]
fn import_keeps_intact_entries_and_replaces_damaged_ones() {
    let mut archive = Vec::new();
    pair(&mut archive, &sidecar(URL, b"body"), b"body");
    pair(&mut archive, &sidecar(URL, b"another body"), b"another body");
    let archive = ended(archive);
    let dir = TestDirectory::create();
    let (summary, ..) = import_with(&dir, None, &archive);
    assert_eq!((summary.imported, summary.kept), (1, 1), "the second of two is not stored");
    let digest = KeyDigest::of(URL);
    // A body left by an interrupted import, a truncated body, and a sidecar without its body.
    for damage in [digest.sidecar_file(), digest.media_file()] {
        std::fs::remove_file(dir.path(&damage)).unwrap();
        let (summary, ..) = import_with(&dir, None, &archive);
        assert_eq!((summary.imported, summary.kept), (1, 1));
    }
    dir.write(&digest.media_file(), b"bo");
    let (summary, ..) = import_with(&dir, None, &archive);
    assert_eq!(summary.imported, 1);
    assert_eq!(std::fs::read(dir.path(&digest.media_file())).unwrap(), b"body");
}

#[test]
fn links_in_the_directory_are_replaced_and_not_followed() {
    let (dir, outside) = (TestDirectory::create(), TestDirectory::create());
    let digest = KeyDigest::of(URL);
    for name in [digest.media_file(), digest.sidecar_file(), format!("{}.tmp", digest.sidecar_file())] {
        outside.write(&name, b"outside");
        std::os::unix::fs::symlink(outside.path(&name), dir.path(&name)).unwrap();
    }
    let before = outside.contents();
    let mut archive = Vec::new();
    pair(&mut archive, &sidecar(URL, b"body"), b"body");
    let (summary, _, result) = import_with(&dir, None, &ended(archive));
    assert_eq!((summary.imported, result), (1, Ok(())));
    assert!(outside.contents() == before);
    assert!(dir.path(&digest.media_file()).symlink_metadata().unwrap().is_file());
    assert_eq!(dir.names().len(), 2);
}

#[test]
fn entries_that_do_not_fit_in_the_budget_are_refused() {
    let dir = TestDirectory::create();
    let mut archive = Vec::new();
    for number in 0..3 {
        pair(&mut archive, &sidecar(&format!("https://x.org/{number}"), &[number; 5000]), &[number; 5000]);
    }
    let (summary, refused, result) = import_with(&dir, Some(2 * 3 * 4096 + 4095), &ended(archive));
    assert_eq!((summary.imported, summary.refused, result), (2, 1, Ok(())));
    assert!(refused[0].contains("does not fit in the budget of 28671 bytes"), "{refused:?}");
}
