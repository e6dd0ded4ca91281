//! Commands in pipelines: the reader of their output may stop early, and their input may be a pipe.

use std::process::{Command, Stdio};

use media_cache_test_support::binary::{binary, binary_path, remove_settings};
use media_cache_test_support::command::finish;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{png, poster};
use media_cache_test_support::random::noise;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::write_secret;
use media_cache_test_support::soon::soon;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

/// Runs a command whose standard output is not read, and returns its exit code and its standard error.
async fn run_unread(mut command: Command) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer);
    // Does not use `output`, which replaces standard output.
    let child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
    let output = soon(child.wait_with_output()).await.unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn every_command_succeeds_silently_with_a_closed_output_pipe() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/poster.png", "image/png", poster(1));
    let key = dir.path("key");
    write_secret(&key, "correct horse battery staple");
    let trace = dir.write("trace.csv", b"1,a,1\n2,a,1\n");
    let (key, trace, file) = (key.to_str().unwrap(), trace.to_str().unwrap(), dir.write("a.png", &png(1)));
    let service_dir = ServiceDirectory::create();
    let service = service_dir.serve().await;
    let server = format!("http://{}", service.address());
    let cache = dir.cache();
    let cache = ["--dir", cache.to_str().unwrap()];
    let remote = ["--server", &server, "--token-file", service.token_file()];
    for (arguments, more) in [
        (&["get", &url, "--allow-address", "127.0.0.0/8"][..], &cache[..]),
        (&["put", NOWHERE, file.to_str().unwrap()], &cache),
        (&["ls"], &cache),
        (&["ls", "--json"], &cache),
        (&["rm", NOWHERE, "--json"], &cache),
        (&["stats"], &cache),
        (&["config", "show"], &cache),
        (&["config", "check"], &cache),
        (&["policy", "show"], &remote),
        (&["policy", "list", "--json"], &remote),
        (&["policy", "swap", "sieve"], &remote),
        (&["sign", NOWHERE, "--signing-key-file", key], &[]),
        (&["simulate", trace, "--policy", "lru"], &[]),
        (&["--help"], &[]),
        (&["serve", "--help"], &[]),
        (&["--version"], &[]),
    ] {
        let (code, said) = run_unread(binary([arguments, more].concat())).await;
        let said: Vec<&str> = said.lines().filter(|line| !line.ends_with("downloaded")).collect();
        assert_eq!((code, said), (Some(0), vec![]), "{arguments:?}");
    }
    service.stop().await;
}

#[tokio::test]
async fn policy_test_with_a_closed_output_pipe_fails_silently() {
    assert_eq!(run_unread(binary(["policy", "test", "lru"])).await, (Some(1), String::new()));
}

#[tokio::test]
async fn service_keeps_serving_with_a_closed_log_pipe() {
    let dir = ServiceDirectory::create();
    let file = dir.path("address");
    let mut command = Command::new("sh");
    let script = "exec \"$0\" serve --listen localhost:0 --dir \"$1\" >\"$2\"";
    command.args(["-c", script]).arg(binary_path()).arg(dir.cache()).arg(&file).stdin(Stdio::null()).stdout(Stdio::null());
    remove_settings(&mut command);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stderr(writer);
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
    let address = loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if let Some(address) = text.strip_prefix("listening on ").and_then(|rest| rest.strip_suffix('\n')) {
            break address.to_owned();
        }
        assert!(child.try_wait().unwrap().is_none(), "the service ended");
        tokio::task::yield_now().await;
    };
    assert!(address.starts_with("http://127.0.0.1:"), "{address}");
    for _ in 0..3 {
        let answer = media_cache_test_support::http_client::http_client().get(format!("{address}/nowhere")).send().await.unwrap();
        assert_eq!(answer.status(), 404, "a request that is logged");
    }
    child.kill().await.unwrap();
}

#[tokio::test]
async fn put_accepts_a_pipe_in_place_of_a_file() {
    let dir = ServiceDirectory::create();
    for (name, bytes) in [("small.png", png(1)), ("large.png", poster(1))] {
        let url = format!("https://nowhere.invalid/{name}");
        let source = dir.write(name, &bytes);
        let mut command = Command::new("bash");
        let script = "exec \"$0\" put \"$1\" <(cat \"$2\") --dir \"$3\"";
        command.args(["-c", script]).arg(binary_path()).arg(&url).arg(source).arg(dir.cache());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        remove_settings(&mut command);
        let said = finish(command, &[]).await.succeeded_text();
        assert!(said.starts_with("stored: ") && said.contains("image/png"), "{said}");
        assert!(std::fs::read(dir.media_file(&url)).unwrap() == bytes);
    }
}

#[tokio::test]
async fn put_reads_a_pipe_only_up_to_the_limit() {
    let dir = ServiceDirectory::create();
    let said = dir.run(&["put", NOWHERE, "/dev/zero", "--max-body-mb", "1"]).await.failed();
    assert!(said.contains("/dev/zero is too large: the limit is 1048576 bytes"), "{said}");
    let said = dir.run_with_input(&["put", NOWHERE, "-", "--max-body-mb", "1"], &noise(1, 3 << 20)).await.failed();
    assert!(said.contains("the limit is 1048576 bytes"), "{said}");
}
