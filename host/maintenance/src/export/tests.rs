use std::process::{Command, Stdio};

use media_cache_test_skip as skip;

use super::*;
use crate::directory_import::DirectoryImport;
use crate::import::{ImportSummary, Limits, import};
use crate::test_directory::{TestDirectory, sidecar};

fn export(dir: &TestDirectory, filter: &EntryFilter) -> (ExportSummary, Vec<u8>) {
    let mut archive = Vec::new();
    let summary = Exporter::new(&mut archive).run(&dir.open(), filter, &mut |_| {}).unwrap();
    (summary, archive)
}

fn import_into(dir: &TestDirectory, archive: &[u8]) -> ImportSummary {
    let mut destination = DirectoryImport::new(dir.open(), None).unwrap();
    let (summary, result) = import(&mut &*archive, &Limits { max_body_bytes: 1 << 30 }, &mut destination, &mut |_| {});
    result.unwrap();
    summary
}

/// A directory with bodies of several sizes, one of which is read in pieces, and one stored by another program.
fn several() -> TestDirectory {
    let dir = TestDirectory::create();
    for (number, size) in [1, 511, 512, 513, 200_000, IN_MEMORY as usize + 1].into_iter().enumerate() {
        let body: Vec<u8> = (0..size).map(|at| (at * (number + 7)) as u8).collect();
        dir.store(&format!("https://{number}.x.org/ä"), &body);
    }
    let digest = KeyDigest::of("https://foreign.org/a");
    dir.write(&digest.media_file(), b"body");
    dir.write(&digest.sidecar_file(), br#"{"url":"https://foreign.org/a","size":4,"ts":1.5,"tags":["x"]}"#);
    dir
}

#[test]
fn a_round_trip_keeps_all_bytes_and_fields() {
    let (dir, copy) = (several(), TestDirectory::create());
    let (summary, archive) = export(&dir, &EntryFilter::All);
    assert_eq!((summary.exported, summary.damaged), (7, 0));
    let imported = import_into(&copy, &archive);
    assert_eq!((imported.imported, imported.bytes), (7, summary.bytes));
    let (mut expected, foreign) = (dir.contents(), KeyDigest::of("https://foreign.org/a").sidecar_file());
    for (name, json) in &mut expected {
        if *name == foreign {
            let mut fields: serde_json::Map<String, Value> = serde_json::from_slice(json).unwrap();
            fields.insert("sha256".into(), encode_hex(&body::digest(&mut &b"body"[..], |_| {}).unwrap()).into());
            *json = serde_json::to_vec(&fields).unwrap();
        }
    }
    assert!(copy.contents() == expected, "{:?}", copy.names());
    assert_eq!(import_into(&copy, &archive), ImportSummary { known: 7, ..ImportSummary::default() });
}

#[test]
fn filter_selects_the_exported_entries() {
    let dir = several();
    let count = |filter: &EntryFilter| export(&dir, filter).0.exported;
    assert_eq!(count(&EntryFilter::host("*.x.org").unwrap()), 6);
    assert_eq!(count(&EntryFilter::Prefix("https://foreign.org/".into())), 1);
}

#[test]
fn a_damaged_entry_is_reported_and_left_out() {
    let dir = several();
    let digest = dir.store("https://x.org/damaged", b"body");
    dir.write(&digest.media_file(), b"bodx");
    let mut reported = Vec::new();
    let mut observer = |event: ExportEvent<'_>| {
        if let ExportEvent::Damaged(digest, damage) = event {
            reported.push((digest, damage.code()));
        }
    };
    let summary = Exporter::new(io::sink()).run(&dir.open(), &EntryFilter::All, &mut observer).unwrap();
    assert_eq!((summary.exported, summary.damaged, reported), (7, 1, vec![(digest, "digest")]));
}

#[test]
fn export_resumes_from_any_point_of_interruption() {
    let dir = TestDirectory::create();
    for number in 0..3 {
        dir.store(&format!("https://x.org/{number}"), &[number; 700]);
    }
    let (_, archive) = export(&dir, &EntryFilter::All);
    for length in (0..=archive.len()).step_by(173).chain([archive.len()]) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&archive[..length]).unwrap();
        let exporter = Exporter::resume(file.try_clone().unwrap()).unwrap();
        let summary = exporter.run(&dir.open(), &EntryFilter::All, &mut |_| {}).unwrap();
        assert_eq!(summary.exported + summary.known, 3, "{length}");
        let mut resumed = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut resumed).unwrap();
        let copy = TestDirectory::create();
        assert_eq!(import_into(&copy, &resumed).imported, 3, "{length}");
        assert!(copy.contents() == dir.contents(), "{length}");
    }
}

#[test]
fn export_does_not_resume_a_file_that_is_not_an_archive() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[b'x'; 2000]).unwrap();
    assert!(matches!(Exporter::resume(file.try_clone().unwrap()), Err(ExportError::Archive(ArchiveError::Invalid(_)))));
    assert_eq!(file.metadata().unwrap().len(), 2000, "it is unchanged");
}

#[test]
fn other_programs_read_the_archive() {
    if skip::unless_installed("tar") {
        return;
    }
    let (dir, copy) = (TestDirectory::create(), TestDirectory::create());
    dir.store("https://x.org/a", &[7; 1000]);
    dir.write("x", &export(&dir, &EntryFilter::All).1);
    let archive = File::open(dir.path("x")).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-x").arg("-C").arg(copy.path("")).stdin(Stdio::from(archive)).stderr(Stdio::piped());
    let output = tar.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let digest = KeyDigest::of("https://x.org/a");
    assert_eq!(copy.names(), {
        let mut names = [digest.media_file(), digest.sidecar_file()];
        names.sort();
        names
    });
    let json = std::fs::read(copy.path(&digest.sidecar_file())).unwrap();
    assert_eq!(json, sidecar("https://x.org/a", &[7; 1000]).to_json());
}
