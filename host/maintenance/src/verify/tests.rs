use media_cache_entry_files::Sidecar;

use super::*;
use crate::test_directory::{TestDirectory, sidecar};

/// The name, the kind and the URL of a finding, and whether it was repaired.
type Found = (String, &'static str, Option<String>, bool);

#[derive(Default)]
struct Collector(Mutex<Vec<Found>>);

impl Observer for Collector {
    fn listed(&self, _: u64) {}

    fn checked(&self) {}

    fn found(&self, finding: &Finding) {
        let is_repaired = matches!(finding.outcome, Outcome::Repaired);
        lock(&self.0).push((finding.name.clone(), finding.damage.code(), finding.url.clone(), is_repaired));
    }
}

/// The findings, sorted by kind: the kinds, and whether they were repaired.
fn check(dir: &TestDirectory, repair: bool) -> (Summary, Vec<(&'static str, bool)>) {
    let options = VerifyOptions { threads: NonZeroUsize::new(3).unwrap(), max_rate: None, repair };
    let observer = Collector::default();
    let summary = verify(&dir.open(), &options, &observer).unwrap();
    let mut found: Vec<_> = lock(&observer.0).iter().map(|(_, code, _, is_repaired)| (*code, *is_repaired)).collect();
    found.sort_unstable();
    (summary, found)
}

fn kept(codes: &[&'static str]) -> Vec<(&'static str, bool)> {
    codes.iter().map(|code| (*code, false)).collect()
}

/// A directory with an intact entry, and one entry with each kind of damage.
fn damaged() -> TestDirectory {
    let dir = TestDirectory::create();
    dir.store("https://x.org/intact", b"body");
    let foreign = Sidecar { body_digest: None, ..sidecar("https://x.org/foreign", b"body") };
    let digest = KeyDigest::of(&foreign.url);
    dir.write(&digest.media_file(), b"other body"[..4].as_ref());
    dir.write(&digest.sidecar_file(), &foreign.to_json());
    let digest = dir.store("https://x.org/short", b"body");
    dir.write(&digest.media_file(), b"bo");
    let digest = dir.store("https://x.org/flipped", b"body");
    dir.write(&digest.media_file(), b"bodx");
    let digest = dir.store("https://x.org/invalid", b"body");
    dir.write(&digest.sidecar_file(), b"{");
    let digest = dir.store("https://x.org/other", b"body");
    dir.write(&digest.sidecar_file(), &sidecar("https://x.org/elsewhere", b"body").to_json());
    let digest = dir.store("https://x.org/no-body", b"body");
    fs::remove_file(dir.path(&digest.media_file())).unwrap();
    dir.write(&KeyDigest::of("https://x.org/no-sidecar").media_file(), b"body");
    dir.write(&format!("{}.tmp", KeyDigest::of("https://x.org/left").media_file()), b"body");
    let digest = dir.store("https://x.org/link", b"body");
    fs::remove_file(dir.path(&digest.media_file())).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.path(&digest.media_file())).unwrap();
    dir.write("notes.txt", b"not ours");
    dir
}

const ALL: [&str; 8] = ["digest", "invalid-sidecar", "leftover", "no-body", "no-sidecar", "not-a-file", "other-entry", "size"];

#[test]
fn a_check_names_each_kind_of_damage_and_changes_nothing() {
    let dir = damaged();
    let before = dir.names();
    let (summary, found) = check(&dir, false);
    assert_eq!(found, kept(&ALL));
    assert_eq!((summary.intact, summary.intact_bytes, summary.damaged, summary.orphans), (2, 8, 5, 3));
    assert_eq!((summary.findings(), summary.repaired), (8, 0));
    assert_eq!(dir.names(), before);
}

#[test]
fn repair_deletes_damaged_entries_and_keeps_the_others() {
    let dir = damaged();
    let (summary, found) = check(&dir, true);
    assert_eq!(found, ALL.map(|code| (code, true)));
    assert_eq!((summary.intact, summary.repaired), (2, 8));
    assert_eq!(dir.names().len(), 5, "two pairs, and a file that is not ours: {:?}", dir.names());
    let (summary, found) = check(&dir, false);
    assert_eq!((summary.intact, found.len()), (2, 0));
    assert!(std::path::Path::new("/etc/passwd").exists());
}

#[test]
fn a_file_that_cannot_be_deleted_is_reported() {
    let dir = TestDirectory::create();
    let digest = dir.store("https://x.org/a", b"body");
    fs::remove_file(dir.path(&digest.media_file())).unwrap();
    fs::create_dir(dir.path(&digest.media_file())).unwrap();
    let (summary, found) = check(&dir, true);
    assert_eq!(found, [("not-a-file", false)]);
    assert_eq!((summary.findings(), summary.repaired), (1, 0));
}

#[test]
fn repair_completes_or_undoes_an_interrupted_refresh() {
    let dir = TestDirectory::create();
    let new = |url: &str| sidecar(url, b"new body").to_json();
    // Interrupted before the first rename, between the two, and while writing.
    let [before, between, early] = ["https://x.org/1", "https://x.org/2", "https://x.org/3"].map(|url| dir.store(url, b"body"));
    dir.write(&before.new_media_file(), b"new body");
    dir.write(&before.new_sidecar_file(), &new("https://x.org/1"));
    dir.write(&between.media_file(), b"new body");
    dir.write(&between.new_sidecar_file(), &new("https://x.org/2"));
    dir.write(&early.new_media_file(), b"new b");
    let (summary, found) = check(&dir, false);
    assert_eq!((found, summary.orphans), (kept(&["unfinished-refresh"; 3]), 3));
    let (summary, found) = check(&dir, true);
    assert_eq!(found, [("unfinished-refresh", true); 3]);
    assert_eq!((summary.intact, dir.names().len()), (3, 6));
    let body = |digest: KeyDigest| fs::read(dir.path(&digest.media_file())).unwrap();
    assert_eq!([before, between, early].map(body), [b"new body".to_vec(), b"new body".to_vec(), b"body".to_vec()]);
}

#[test]
fn a_finding_has_the_url_of_its_entry() {
    let dir = TestDirectory::create();
    let digest = dir.store("https://x.org/a", b"body");
    dir.write(&digest.media_file(), b"bodx");
    let observer = Collector::default();
    let options = VerifyOptions { threads: NonZeroUsize::MIN, max_rate: None, repair: false };
    verify(&dir.open(), &options, &observer).unwrap();
    let expected = (digest.to_string(), "digest", Some("https://x.org/a".to_owned()), false);
    assert_eq!(*lock(&observer.0), [expected]);
}
