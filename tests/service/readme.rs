//! The requests and commands in the README work as written.

use std::path::Path;
use std::process::{Command, Stdio};

use media_cache_test_support::binary::{binary_path, remove_settings};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{gif, jpeg, png};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::soon::soon;
use media_cache_test_support::videos::frame_times;

const README: &str = include_str!("../../README.md");

/// The shell commands that follow `words`.
fn commands_after(words: &str) -> String {
    let (_, rest) = README.split_once(words).unwrap_or_else(|| panic!("the README has no {words:?}"));
    let (_, block) = rest.split_once("```sh\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// Runs shell commands in a directory, with the binary on `PATH`, and stops at the first that fails.
async fn shell(script: &str, directory: &Path) -> String {
    let binary = binary_path();
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-euc", script]).current_dir(directory).env("PATH", path).env("NO_PROXY", "*").stdin(Stdio::null());
    remove_settings(&mut shell);
    let mut shell = tokio::process::Command::from(shell);
    let output = soon(shell.kill_on_drop(true).output()).await.unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn the_requests_in_the_readme_work() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let picture = origin.serves("/static/images/rust-social-wide.jpg", "image/jpeg", jpeg(1));
    let service = dir.serve().await;
    let script = commands_after("Then, in another terminal:")
        .replace("http://127.0.0.1:8080", &format!("http://{}", service.address()))
        .replace("https://www.rust-lang.org/static/images/rust-social-wide.jpg", &picture);
    let said = shell(&script, &dir.path("")).await;
    assert_eq!(std::fs::read(dir.path("rust.jpg")).unwrap(), jpeg(1));
    let stats: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(stats["media_cache"]["total_entries"], 1);
    assert_eq!(service.media(&picture).await.is("hit").body, jpeg(1));
}

#[tokio::test]
async fn the_commands_in_the_readme_work() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    origin.serves("/a.gif", "image/gif", gif(&[10, 20]));
    dir.write("b.png", &png(1));
    // `jq` is not available everywhere.
    let script = commands_after("The same binary is a command line")
        .replace("https://example.com", &origin.url(""))
        .replace("media-cache get ", "media-cache get --allow-address 127.0.0.0/8 ")
        .replace(" | jq .url", "");
    let said = shell(&script, &dir.path("")).await;
    assert_eq!(frame_times(&std::fs::read(dir.path("a.mp4")).unwrap()), [10, 20]);
    assert!(said.contains(&format!(r#""url":"{}""#, origin.url("/b.png"))), "{said}");
    assert!(dir.path("media_cache").is_dir(), "the default directory is used");
}
