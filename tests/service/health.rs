//! The reported health of a service, and how it starts if files in its directory are unusable.

use std::fs;
use std::path::Path;

use http::Method;
use media_cache_test_support::http_client::send;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::soon::soon;

/// Waits until `/readyz` responds with a status. No event signals that.
async fn ready_with(service: &Service, status: u16) -> serde_json::Value {
    let poll = async {
        loop {
            let response = service.get("/readyz").await;
            if response.status == status {
                return response.json();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    soon(poll).await
}

fn make_pipe(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
}

#[tokio::test]
async fn service_whose_directory_is_removed_is_not_ready_until_it_is_recreated() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/a.png", "image/png", png(1));
    let service = dir.serve().await;
    assert_eq!(ready_with(&service, 200).await["state"], "storing");
    fs::remove_dir_all(dir.cache()).unwrap();
    // The first reason may be the index log, which cannot be written.
    let gone = async {
        loop {
            let problem = ready_with(&service, 503).await;
            if problem["reason"].as_str().is_some_and(|reason| reason.contains("is gone")) {
                return problem;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let problem = soon(gone).await;
    assert_eq!((&problem["code"], &problem["state"]), (&"degraded".into(), &"degraded".into()), "{problem}");
    assert!(problem["since"].as_f64().unwrap() > 1.7e9, "{problem}");
    assert_eq!(service.get("/healthz").await.status, 200);
    service.media(&url).await.is("miss");
    service.wait_for_log("the cache is degraded; media is served but not stored").await;
    let stats = service.stats().await;
    assert_eq!(stats["health"]["state"], "degraded");
    let metrics = String::from_utf8(service.get("/metrics").await.body.to_vec()).unwrap();
    for line in ["media_cache_health{state=\"storing\"} 0", "media_cache_health{state=\"degraded\"} 1"] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }

    fs::create_dir(dir.cache()).unwrap();
    ready_with(&service, 200).await;
    service.wait_for_log("media is stored again").await;
    service.media(&url).await.is("miss");
    service.media(&url).await.is("hit");
    assert!(dir.holds(&url));
    let degraded = service.stats().await["health"]["degraded_seconds"].as_f64().unwrap();
    assert!(degraded > 0.0);
    service.stop().await;
}

#[tokio::test]
async fn start_fails_with_an_error_if_a_required_file_is_a_pipe() {
    let dir = ServiceDirectory::create();
    fs::create_dir(dir.cache()).unwrap();
    let lock = dir.cache().join("media-cache.lock");
    make_pipe(&lock);
    let said = dir.run(&["serve", "--listen", "127.0.0.1:0"]).await.failed();
    assert!(said.contains("media-cache.lock") && said.contains("a pipe and not a regular file"), "{said}");
    fs::remove_file(lock).unwrap();
    let pipe = dir.path("pipe");
    make_pipe(&pipe);
    let pipe = pipe.to_str().unwrap();
    let said = dir.run(&["serve", "--policy", pipe]).await.failed_with(2);
    assert!(said.contains("it is neither a file nor one of"), "{said}");
    let starts = ["--signing-key-file", "--config"].map(|option| {
        let dir = &dir;
        async move { dir.run(&["serve", "--listen", "127.0.0.1:0", option, pipe]).await }
    });
    for finished in futures::future::join_all(starts).await {
        assert_ne!(finished.code, Some(0));
        assert!(finished.stderr.contains("did not end within 5 s"), "{finished:?}");
    }
}

#[tokio::test]
async fn damaged_record_of_the_selected_policy_is_reported_and_does_not_prevent_the_start() {
    let damages: [fn(&Path); 4] = [
        |path| fs::create_dir(path).unwrap(),
        |path| std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        make_pipe,
        |path| fs::write(path, "{").unwrap(),
    ];
    for name in [".media-cache/policy.json", "media-cache.policy.json"] {
        for damage in damages {
            let dir = ServiceDirectory::create();
            fs::create_dir_all(dir.cache().join(".media-cache")).unwrap();
            damage(&dir.cache().join(name));
            let service = dir.serve().await;
            assert_eq!(service.put("https://nowhere.invalid/a.png", "image/png", png(1)).await.status, 201);
            service.wait_for_log("ignoring the previously selected policy").await;
            let log = service.log();
            assert!(log.iter().any(|line| line.contains("ignoring the previously") && line.contains(name)), "{log:?}");
            assert_eq!(send(service.request(Method::GET, "/policy")).await.json()["name"], "lru");
            service.stop().await;
        }
    }
}
