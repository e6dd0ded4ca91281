//! The examples of hosts in other languages: the commands in their READMEs run, and print what they should.

use std::os::unix::fs::symlink;
use std::path::Path;

use media_cache::embedded;
use media_cache_test_skip as skip;
use media_cache_test_support::binary::shell;
use media_cache_test_support::command::{finish, run};
use media_cache_test_support::workspace::workspace_path;
use tempfile::TempDir;

use crate::blocks::blocks;

/// The beginnings of commands that install packages. `.ci/run` runs them.
pub const INSTALLING: [&str; 3] = ["npm ci", "python3 -m venv", "venv/bin/pip"];

/// A copy of an example, since its commands write files next to it.
struct Example {
    root: TempDir,
    /// The path of the example in the repository, and in `root`.
    path: String,
}

impl Example {
    /// Copies an example in which packages were installed into a directory. `None` if they are not installed.
    fn copy(name: &str, installed: &str, program: &str) -> Option<Self> {
        let path = format!("examples/{name}");
        let packages = workspace_path(&path).join(installed);
        if skip::unless(packages.join(program).exists(), &format!("the packages that the README of {path} installs")) {
            return None;
        }
        let root = tempfile::tempdir().unwrap();
        let ignored = std::fs::read_to_string(workspace_path(&path).join(".gitignore")).unwrap();
        copy(&workspace_path(&path), &root.path().join(&path), &ignored);
        symlink(packages.canonicalize().unwrap(), root.path().join(&path).join(installed)).unwrap();
        Some(Self { root, path })
    }

    /// Runs the commands in the README, except for those that install packages, and returns the lines that they print.
    async fn run(&self) -> Vec<String> {
        let blocks = blocks(&format!("{}/README.md", self.path)).into_iter().filter(|block| block.language == "sh");
        let lines = blocks.flat_map(|block| block.lines);
        let lines = lines.filter(|line| !INSTALLING.iter().any(|beginning| line.starts_with(beginning)));
        let script = lines.collect::<Vec<_>>().join("\n").replace("cargo run --release -- ", "media-cache ");
        let mut shell = shell(&script);
        shell.current_dir(self.root.path());
        finish(shell, &[]).await.succeeded_text().lines().map(str::to_owned).collect()
    }

    fn file(&self, name: &str) -> String {
        self.root.path().join(&self.path).join(name).to_str().unwrap().to_owned()
    }
}

/// Copies a directory without the files in it that git ignores.
fn copy(from: &Path, to: &Path, ignored: &str) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if ignored.lines().any(|line| line == format!("/{name}")) {
            continue;
        }
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(name), "");
        } else {
            std::fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

#[tokio::test]
async fn javascript_host_finds_its_entries_after_a_restart() {
    let Some(example) = Example::copy("js-host", "node_modules", ".bin/jco") else { return };
    let printed = example.run().await;
    let expected = [
        "open: 0 entries",
        r#"put: "hello", text/plain, from origin, new"#,
        r#"get: "hello", text/plain, from memory"#,
        "get of something else: nothing",
        r#"get-or-download: "from the origin", text/plain, from origin"#,
        r#"get-or-download: "from the origin", text/plain, from memory"#,
        "requests to the origin: 1",
        "get-or-download without an origin: unreachable",
        "open: 2 entries",
        r#"get: "hello", text/plain, from disk"#,
        r#"get: "from the origin", text/plain, from disk"#,
        "stats: 4 hits, 3 misses, 2 entries",
    ];
    assert!(printed.ends_with(&expected.map(str::to_owned)), "{printed:#?}");

    // This host reads what the other one has written.
    let directory = example.file("cache");
    let verified = run(&["verify", "--dir", &directory]).await.succeeded_text();
    assert!(verified.contains("2 entries intact"), "{verified}");
    let media = run(&["get", "--dir", &directory, "https://example.com/greeting.txt"]).await.succeeded_text();
    assert_eq!(media, "hello");
}

#[tokio::test]
async fn python_host_drives_every_policy() {
    let Some(example) = Example::copy("python-policy-host", "venv", "bin/python") else { return };
    let printed = example.run().await;
    let lru =
        ["offered: 8; victims: [1]", "offered: 9; victims: [3]", "offered: 10; victims: [5]", "victims for 3 bytes: [6, 7, 0]"];
    assert!(printed.windows(lru.len()).any(|lines| lines == lru), "{printed:#?}");

    // The policies of this version, and one in C.
    let mut policies: Vec<_> = embedded::POLICIES.to_vec();
    let clock = std::fs::read(workspace_path("tests/components/c/clock.wasm")).unwrap();
    policies.push(("clock", &clock));
    for (name, component) in policies {
        std::fs::write(example.file("policy.wasm"), component).unwrap();
        let mut shell = shell("venv/bin/python policy_host.py policy.wasm");
        shell.current_dir(example.file(""));
        let printed = finish(shell, &[]).await.succeeded_text();
        assert!(printed.starts_with(&format!("{name} ")) && printed.contains("\nvictims for 3 bytes: ["), "{name}: {printed}");
    }
}
