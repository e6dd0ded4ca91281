//! Commands that fail say why, on standard error, and with their exit code.

use std::process::Stdio;

use tokio::process::Command;

use crate::files::{noise, png};
use crate::origin::{NobodyHome, Origin, Page};
use crate::place::Place;
use crate::process::soon;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

const COMMANDS: [&str; 6] = ["serve", "get", "put", "rm", "ls", "stats"];

#[tokio::test]
async fn a_download_that_fails_is_told_with_its_url_and_its_reason() {
    let (origin, nobody, place) = (Origin::start().await, NobodyHome::new(), Place::new());
    for (url, reason) in [
        (origin.url("/missing.png"), "404"),
        (origin.answers("/broken.png", Page::status(500)), "500"),
        (nobody.url("/picture.png"), "cannot be reached"),
        ("ftp://nowhere.invalid/picture.png".into(), "scheme is ftp"),
        ("no url".into(), "cannot be fetched"),
    ] {
        let file = place.outside("out.png");
        let said = place.run(&["get", &url, "-o", file.to_str().unwrap()]).await.complained();
        assert!(said.contains(&url) && said.contains(reason), "{said}");
        assert!(!file.exists(), "no file is made where there is nothing to write");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_written_or_read_is_named() {
    let (origin, place) = (Origin::start().await, Place::new());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let nowhere = place.outside("no/such/directory/out.png");
    let said = place.run(&["get", &url, "-o", nowhere.to_str().unwrap()]).await.complained();
    assert!(said.contains("cannot write") && said.contains(nowhere.to_str().unwrap()), "{said}");
    let said = place.run(&["put", NOWHERE, nowhere.to_str().unwrap()]).await.complained();
    assert!(said.contains("cannot read") && said.contains(nowhere.to_str().unwrap()), "{said}");
    let said = place.run(&["put", NOWHERE, place.outside("").to_str().unwrap()]).await.complained();
    assert!(said.contains("not a regular file"), "{said}");
}

#[tokio::test]
async fn what_cannot_be_put_is_refused_with_the_reason() {
    let place = Place::new();
    for (arguments, input, reason) in [
        (&["put", "no url", "-"][..], png(1), "no url is not a URL"),
        (&["put", NOWHERE, "-"], Vec::new(), "is empty"),
        (&["put", NOWHERE, "-", "--max-body-mb", "1"], noise(1, (1 << 20) + 1), "the limit is 1048576"),
        (&["put", NOWHERE, "-", "--max-size-mb", "1"], noise(1, 3 << 19), "larger than the whole budget of 1048576 bytes"),
    ] {
        let said = place.run_with_input(arguments, &input).await.complained();
        assert!(said.contains(reason), "{said}");
    }
    assert!(!place.directory().exists() || !place.holds(NOWHERE));
}

#[tokio::test]
async fn a_directory_that_a_service_has_is_left_to_it() {
    let place = Place::new();
    let service = place.serve().await;
    assert_eq!(service.put(NOWHERE, "image/png", png(1)).await.status, 201);
    let file = place.file("file.png", &png(2));
    for arguments in
        [&["get", NOWHERE][..], &["put", NOWHERE, file.to_str().unwrap()], &["rm", NOWHERE], &["ls"], &["ls", "--json"], &["stats"]]
    {
        let said = place.run(arguments).await.complained();
        assert!(said.contains("in use by another media-cache") && said.contains("ask it over HTTP"), "{said}");
        assert!(said.contains(place.directory().to_str().unwrap()), "{said}");
    }
    assert_eq!(service.media(NOWHERE).await.is("hit").body, png(1));
    service.stop().await;
}

#[tokio::test]
async fn every_command_explains_itself() {
    let place = Place::new();
    for command in COMMANDS {
        let said = place.run(&[command, "--help"]).await.said();
        assert!(said.contains(&format!("Usage: media-cache {command}")), "{said}");
        assert!(said.contains("--dir <DIR>"), "{said}");
    }
    assert!(!place.directory().exists(), "help touches nothing");
}

#[tokio::test]
async fn the_program_lists_its_commands_and_its_version() {
    let run = async |argument: &str| {
        let output = soon(Command::new(env!("CARGO_BIN_EXE_media-cache")).arg(argument).output()).await.unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    let help = run("--help").await;
    for command in COMMANDS {
        assert!(help.lines().any(|line| line.trim_start().starts_with(&format!("{command} "))), "{help}");
    }
    assert_eq!(run("--version").await, format!("media-cache {}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn who_reads_only_the_first_line_of_a_listing_is_served() {
    let place = Place::new();
    // More than fits into a pipe.
    for number in 0..1500 {
        let url = format!("https://nowhere.invalid/{number}/{}.png", "x".repeat(100));
        std::fs::create_dir_all(place.directory()).unwrap();
        std::fs::write(place.media_file(&url), "x").unwrap();
        let sidecar = serde_json::json!({ "url": url, "size": 1, "ts": number });
        std::fs::write(place.sidecar_file(&url), sidecar.to_string()).unwrap();
    }
    let mut ls = Command::new(env!("CARGO_BIN_EXE_media-cache"));
    ls.args(["ls", "--dir"]).arg(place.directory()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut ls = ls.kill_on_drop(true).spawn().unwrap();
    drop(ls.stdout.take());
    let output = soon(ls.wait_with_output()).await.unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{}", String::from_utf8_lossy(&output.stderr));
}
