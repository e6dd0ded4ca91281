//! Manual pages: there is one for each command, and the programs that read them find no mistakes.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use media_cache_test_support::command::{CommandOutput, finish, run};
use media_cache_test_support::workspace::workspace_file;
use tempfile::TempDir;

/// Writes all pages, and returns their directory.
pub async fn written() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    assert_eq!(run(&["man", pages.to_str().unwrap()]).await.succeeded_silently(), "");
    directory
}

/// The names of the files in a directory with pages.
pub fn names(directory: &Path) -> BTreeSet<String> {
    std::fs::read_dir(directory.join("man1")).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

/// Runs a program on all pages.
async fn on_pages(program: &[&str], directory: &Path) -> CommandOutput {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).args(names(directory)).current_dir(directory.join("man1"));
    command.env("LC_ALL", "C.UTF-8").stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command, &[]).await
}

#[tokio::test]
async fn every_documented_command_has_a_page() {
    let directory = written().await;
    let documented = workspace_file("docs/cli.md");
    let commands = documented.lines().filter_map(|line| line.strip_prefix("## media-cache"));
    let expected: BTreeSet<_> = commands.map(|command| format!("media-cache{}.1", command.replace(' ', "-"))).collect();
    assert!(expected.len() > 20);
    assert_eq!(names(directory.path()), expected);
    let printed = run(&["man"]).await.succeeded_silently();
    assert_eq!(printed, std::fs::read_to_string(directory.path().join("man1/media-cache.1")).unwrap());
}

#[tokio::test]
async fn groff_formats_every_page_without_a_warning() {
    if media_cache_test_skip::unless_installed("groff") {
        return;
    }
    let directory = written().await;
    let formatted = on_pages(&["groff", "-man", "-ww", "-K", "utf8", "-T", "utf8"], directory.path()).await.succeeded_silently();
    assert!(formatted.contains("--max-size-mb") && formatted.contains("MEDIA_CACHE_"), "{formatted}");
}

#[tokio::test]
async fn mandoc_finds_no_errors_in_any_page() {
    if media_cache_test_skip::unless_installed("mandoc") {
        return;
    }
    let directory = written().await;
    assert_eq!(on_pages(&["mandoc", "-T", "lint", "-W", "error"], directory.path()).await.succeeded_silently(), "");
}
