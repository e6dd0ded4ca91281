//! Permissions of the files that commands write.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use media_cache_test_support::binary::{binary_path, remove_settings};
use media_cache_test_support::command::{CommandOutput, finish};
use media_cache_test_support::http_client::send;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

/// Runs a command with a umask.
async fn run_with_umask(umask: &str, directory: &Path, arguments: &[&str]) -> CommandOutput {
    let mut command = Command::new("sh");
    command.args(["-c", "umask \"$0\" && exec \"$@\"", umask]).arg(binary_path()).args(arguments).current_dir(directory);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    remove_settings(&mut command);
    finish(command, &[]).await
}

/// Asserts that a directory and everything in it is private to its owner, and returns the number of files.
fn assert_private(directory: &Path) -> usize {
    assert_eq!(mode(directory), 0o700, "{}", directory.display());
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let counts = entries.map(|path| {
        if path.is_dir() {
            return assert_private(&path);
        }
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        1
    });
    counts.sum()
}

#[tokio::test]
async fn files_written_by_a_service_are_private_to_their_owner() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/a.png", "image/png", png(1));
    let trace = dir.path("trace.csv");
    let service = dir.serve_with(&["--record-trace", trace.to_str().unwrap()]).await;
    service.media(&url).await.is("miss");
    let component = media_cache::embedded::policy("sieve").unwrap();
    let upload = service.request(http::Method::PUT, "/policy").body(component);
    assert_eq!(send(upload).await.status, 200);
    service.stop().await;
    // Two files of the entry, the index log, the lock, the claim, the remembered policy, and its component.
    assert_eq!(assert_private(&dir.cache()), 7, "{:?}", dir.names());
    assert_eq!(mode(&trace), 0o600);
}

#[tokio::test]
async fn cache_files_are_private_and_output_files_follow_the_umask() {
    let origin = HttpOrigin::start().await;
    let url = origin.serves("/a.png", "image/png", png(1));
    for (umask, expected) in [("022", 0o644), ("002", 0o664), ("077", 0o600)] {
        let dir = ServiceDirectory::create();
        let get = ["get", &url, "--dir", "cache", "-o", "a.png", "--allow-address", "127.0.0.0/8"];
        run_with_umask(umask, &dir.path(""), &get).await.succeeded();
        assert_eq!(assert_private(&dir.cache()), 4, "{:?}", dir.names());
        assert_eq!(mode(&dir.path("a.png")), expected, "{umask}");
        // A file that exists keeps its permissions.
        std::fs::set_permissions(dir.path("a.png"), std::fs::Permissions::from_mode(0o640)).unwrap();
        run_with_umask(umask, &dir.path(""), &get).await.succeeded();
        assert_eq!(mode(&dir.path("a.png")), 0o640);
        run_with_umask(umask, &dir.path(""), &["policy", "new", "mine", "--dir", "deep/er"]).await.succeeded();
        assert_eq!(mode(&dir.path("deep/er/mine/src/lib.rs")), expected);
        assert_eq!(mode(&dir.path("deep/er")), 0o777 & !u32::from_str_radix(umask, 8).unwrap());
        dir.write("trace.csv", b"1,a,1\n2,a,1\n");
        let plot = ["simulate", "trace.csv", "--policy", "lru", "--plot", "curves.SVG"];
        run_with_umask(umask, &dir.path(""), &plot).await.succeeded();
        assert_eq!(mode(&dir.path("curves.SVG")), expected);
    }
}

#[tokio::test]
async fn directory_readable_by_others_is_reported_and_keeps_its_permissions() {
    let dir = ServiceDirectory::create();
    std::fs::create_dir(dir.cache()).unwrap();
    for (permissions, reported) in [(0o755, true), (0o710, true), (0o700, false)] {
        std::fs::set_permissions(dir.cache(), std::fs::Permissions::from_mode(permissions)).unwrap();
        let service = dir.serve().await;
        service.wait_for_log("serving").await;
        let warned = service.log().iter().any(|line| line.contains("can be read by users other than its owner"));
        assert_eq!((warned, mode(&dir.cache())), (reported, permissions));
        assert_eq!(service.put(NOWHERE, "image/png", png(1)).await.status / 100, 2);
        service.stop().await;
        assert_eq!(mode(&dir.media_file(NOWHERE)), 0o600);
    }
}
