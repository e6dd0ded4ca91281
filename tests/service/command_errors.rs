//! Commands that fail report the reason on standard error, and return their exit code.

use media_cache_test_support::binary::binary;
use media_cache_test_support::command::run;
use media_cache_test_support::http_origin::{ClosedPort, HttpOrigin, Page};
use media_cache_test_support::images::png;
use media_cache_test_support::random::noise;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::soon::soon;
use tokio::process::Command;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

const COMMANDS: [&str; 9] = ["serve", "get", "put", "rm", "ls", "stats", "verify", "export", "import"];

#[tokio::test]
async fn get_reports_a_failed_download_with_its_url_and_reason() {
    let (origin, closed, dir) = (HttpOrigin::start().await, ClosedPort::reserve(), ServiceDirectory::create());
    for (url, reason) in [
        (origin.url("/missing.png"), "404"),
        (origin.answers("/broken.png", Page::status(500)), "500"),
        (closed.url("/picture.png"), "cannot be reached"),
        ("ftp://nowhere.invalid/picture.png".into(), "scheme is ftp"),
        ("no url".into(), "cannot be fetched"),
    ] {
        let file = dir.path("out.png");
        let said = dir.run(&["get", &url, "-o", file.to_str().unwrap()]).await.failed();
        assert!(said.contains(&url) && said.contains(reason), "{said}");
        assert!(!file.exists(), "no file is created if there is nothing to write");
    }
}

#[tokio::test]
async fn errors_of_get_and_put_name_the_file_that_cannot_be_written_or_read() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let nowhere = dir.path("no/such/directory/out.png");
    let said = dir.run(&["get", &url, "-o", nowhere.to_str().unwrap()]).await.failed();
    assert!(said.contains("cannot write") && said.contains(nowhere.to_str().unwrap()), "{said}");
    let said = dir.run(&["put", NOWHERE, nowhere.to_str().unwrap()]).await.failed();
    assert!(said.contains("cannot read") && said.contains(nowhere.to_str().unwrap()), "{said}");
    let said = dir.run(&["put", NOWHERE, dir.path("").to_str().unwrap()]).await.failed();
    assert!(said.contains("not a regular file"), "{said}");
}

#[tokio::test]
async fn put_refuses_invalid_media_with_the_reason() {
    let dir = ServiceDirectory::create();
    for (arguments, input, reason) in [
        (&["put", "no url", "-"][..], png(1), "no url is not a URL"),
        (&["put", NOWHERE, "-"], Vec::new(), "is empty"),
        (&["put", NOWHERE, "-", "--max-body-mb", "1"], noise(1, (1 << 20) + 1), "the limit is 1048576"),
        (&["put", NOWHERE, "-", "--max-size-mb", "1"], noise(1, 3 << 19), "larger than the total budget for entries, 917504 bytes"),
    ] {
        let said = dir.run_with_input(arguments, &input).await.failed();
        assert!(said.contains(reason), "{said}");
    }
    assert!(!dir.cache().exists() || !dir.holds(NOWHERE));
}

#[tokio::test]
async fn every_command_has_help() {
    let dir = ServiceDirectory::create();
    for command in COMMANDS {
        let said = dir.run(&[command, "--help"]).await.succeeded_text();
        assert!(said.contains(&format!("Usage: media-cache {command}")), "{said}");
        assert!(said.contains("--dir <DIR>"), "{said}");
    }
    assert!(!dir.cache().exists(), "help touches nothing");
}

#[tokio::test]
async fn program_help_lists_the_commands_and_version_prints_the_version() {
    let help = run(&["--help"]).await.succeeded_text();
    for command in COMMANDS {
        assert!(help.lines().any(|line| line.trim_start().starts_with(&format!("{command} "))), "{help}");
    }
    let version = run(&["--version"]).await.succeeded_text();
    assert!(version.starts_with(&format!("media-cache {} (", env!("CARGO_PKG_VERSION"))), "{version}");
}

#[tokio::test]
async fn ls_exits_silently_when_its_output_pipe_is_closed() {
    let dir = ServiceDirectory::create();
    // More than a pipe can hold.
    for number in 0..1500 {
        let url = format!("https://nowhere.invalid/{number}/{}.png", "x".repeat(100));
        std::fs::create_dir_all(dir.cache()).unwrap();
        std::fs::write(dir.media_file(&url), "x").unwrap();
        let sidecar = serde_json::json!({ "url": url, "size": 1, "ts": number });
        std::fs::write(dir.sidecar_file(&url), sidecar.to_string()).unwrap();
    }
    let mut ls = binary(["ls", "--dir"]);
    ls.arg(dir.cache());
    let mut ls = Command::from(ls).kill_on_drop(true).spawn().unwrap();
    drop(ls.stdout.take());
    let output = soon(ls.wait_with_output()).await.unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{}", String::from_utf8_lossy(&output.stderr));
}
