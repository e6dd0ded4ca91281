//! The output of a service that starts, and the errors of one that fails to start.

use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;

#[tokio::test]
async fn address_is_printed_to_stdout_and_the_log_to_stderr() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    assert!(service.address().ip().is_loopback() && service.address().port() != 0);
    service.wait_for_log("is loaded").await;
    service.media(&origin.serves("/picture.png", "image/png", png(1))).await.is("miss");
    service.media(&origin.url("/missing.png")).await.problem(404);
    let log = service.log();
    assert!(log.iter().all(|line| !line.contains('\u{1b}')), "no colours for a pipe: {log:?}");
    // Checks the rest of standard output.
    service.stop().await;
}

#[tokio::test]
async fn requests_during_loading_wait_for_the_cache() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    // The first request after the address is known.
    assert_eq!(service.put("https://nowhere.invalid/a.png", "image/png", png(1)).await.status, 201);
}

#[tokio::test]
async fn second_service_on_a_directory_in_use_fails() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    service.stats().await;
    // It fails before it reports that it is listening.
    let said = dir.run(&["serve", "--listen", "127.0.0.1:0"]).await.failed();
    assert!(said.contains("in use by another media-cache"), "{said}");
    assert!(said.contains(dir.cache().to_str().unwrap()), "{said}");
    service.stats().await;
}

#[tokio::test]
async fn start_on_a_port_in_use_fails_and_names_the_address() {
    let (dir, elsewhere) = (ServiceDirectory::create(), ServiceDirectory::create());
    let service = dir.serve().await;
    let address = service.address().to_string();
    let said = elsewhere.run(&["serve", "--listen", &address]).await.failed();
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
}

#[tokio::test]
async fn start_with_an_unusable_directory_fails_and_names_its_path() {
    let dir = ServiceDirectory::create();
    std::fs::write(dir.cache(), "a file where the directory is to be").unwrap();
    let said = dir.run(&["serve", "--listen", "127.0.0.1:0"]).await.failed();
    assert!(said.contains(dir.cache().to_str().unwrap()), "{said}");
}

#[tokio::test]
async fn start_with_an_unusable_policy_fails_before_listening() {
    let dir = ServiceDirectory::create();
    let garbage = dir.write("garbage.wasm", b"this is no component");
    for (policy, words) in [(garbage.to_str().unwrap(), "garbage.wasm"), ("lru:frobnicate=1", "frobnicate")] {
        let said = dir.run(&["serve", "--listen", "127.0.0.1:0", "--policy", policy]).await.failed();
        assert!(said.contains(words), "{said}");
    }
    // It leaves nothing behind: the directory is unlocked, and can be used with another policy.
    dir.serve().await.stats().await;
}

#[tokio::test]
async fn directory_lock_is_released_when_the_service_is_killed() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    service.stats().await;
    service.kill().await;
    dir.run(&["ls"]).await.succeeded();
}

#[tokio::test]
async fn invalid_options_are_refused_before_the_directory_is_created() {
    let dir = ServiceDirectory::create();
    for arguments in [
        &["serve", "--max-size-mb", "0"][..],
        &["serve", "--max-size-mb", "-1"],
        &["serve", "--max-size-mb", "1.5"],
        &["serve", "--listen", "nowhere"],
        &["serve", "--policy", "there is no such file"],
        &["serve", "--transcoder", "magic"],
        &["frobnicate"],
    ] {
        let finished = dir.run(arguments).await;
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert!(finished.stdout.is_empty() && finished.stderr.contains(arguments[arguments.len() - 1]), "{finished:?}");
        assert!(!dir.cache().exists());
    }
}
