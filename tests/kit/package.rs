//! The files of a release, as `.ci/dist` makes them, with the program under test: the Debian package satisfies `lintian`, and contains
//! everything that it should.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use media_cache_test_skip as skip;
use media_cache_test_support::binary::binary_path;
use media_cache_test_support::command::CommandOutput;
use media_cache_test_support::workspace::workspace_path;

/// Files of the package, apart from those in the directories of this repository that it contains as a whole.
const FILES: [&str; 16] = [
    "etc/media-cache/media-cache.toml",
    "usr/bin/media-cache",
    "usr/lib/systemd/system/media-cache.service",
    "usr/lib/systemd/system/media-cache.socket",
    "usr/lib/systemd/system/media-cache-admin.socket",
    "usr/lib/systemd/system/media-cache-trim.service",
    "usr/lib/systemd/system/media-cache-trim.timer",
    "usr/lib/systemd/system/media-cache-verify.service",
    "usr/lib/systemd/system/media-cache-verify.timer",
    "usr/lib/sysusers.d/media-cache.conf",
    "usr/share/bash-completion/completions/media-cache",
    "usr/share/fish/vendor_completions.d/media-cache.fish",
    "usr/share/man/man1/media-cache-policy-swap.1.gz",
    "usr/share/media-cache/grafana/media-cache.json",
    "usr/share/media-cache/prometheus/alerts.yml",
    "usr/share/zsh/vendor-completions/_media-cache",
];

/// Runs a program in a directory, without a time limit, since compressing takes long on a busy machine.
fn run(program: &str, arguments: &[&str], directory: &Path) -> CommandOutput {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    command.output().unwrap().into()
}

/// The programs that make the files.
pub const PROGRAMS: [&str; 2] = ["cargo-deb", "dpkg-deb"];

/// Makes the files once, and returns their directory and the name of the package.
pub fn made() -> &'static (PathBuf, String) {
    static MADE: OnceLock<(PathBuf, String)> = OnceLock::new();
    MADE.get_or_init(make)
}

fn make() -> (PathBuf, String) {
    let repository = workspace_path("").canonicalize().unwrap();
    let script = repository.join(".ci/dist");
    run(script.to_str().unwrap(), &[binary_path().to_str().unwrap()], &repository).succeeded();
    let directory = repository.join("target/distribution");
    let names = std::fs::read_dir(&directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let packages: Vec<_> = names.filter(|name| name.ends_with(".deb")).collect();
    let [package] = &packages[..] else { panic!("{packages:?}") };
    (directory, package.clone())
}

#[test]
fn debian_package_satisfies_lintian_and_is_complete() {
    if PROGRAMS.into_iter().chain(["lintian"]).any(skip::unless_installed) {
        return;
    }
    let (directory, package) = made();
    run("sha256sum", &["--check", "--strict", "SHA256SUMS"], directory).succeeded();
    let checked = run("lintian", &["--fail-on", "error,warning", package], directory);
    assert_eq!((checked.code, checked.text()), (Some(0), ""), "{checked:?}");

    let unpacked = tempfile::tempdir().unwrap();
    run("dpkg-deb", &["--raw-extract", package, unpacked.path().to_str().unwrap()], directory).succeeded();
    for file in FILES {
        assert!(unpacked.path().join(file).is_file(), "{file} is missing");
    }
    let control = |name: &str| std::fs::read_to_string(unpacked.path().join("DEBIAN").join(name)).unwrap();
    assert_eq!(control("conffiles").trim(), "/etc/media-cache/media-cache.toml");
    let script = control("postinst");
    assert!(script.contains("systemd-sysusers") && script.contains("media-cache.conf"), "{script}");
    // The operator decides when the service starts.
    assert!(!script.contains("deb-systemd-helper enable 'media-cache.service'") || script.contains("was-enabled"), "{script}");
    let version = run(unpacked.path().join("usr/bin/media-cache").to_str().unwrap(), &["--version"], directory).succeeded_text();
    assert!(version.starts_with(concat!("media-cache ", env!("CARGO_PKG_VERSION"))), "{version}");
}
