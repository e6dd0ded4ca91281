//! The cache component of a running service: shown, replaced and rolled back, over HTTP and with commands.

use http::Method;
use media_cache::embedded;
use media_cache_test_components::cache_with_fault;
use media_cache_test_support::command::{CommandOutput, run};
use media_cache_test_support::http_client::{HttpResponse, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::old_contract::of_version_0_1;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::sha256::sha256;
use serde_json::{Value, json};

use crate::scrape::Scrape;

/// The built-in cache with another version.
fn of_version(version: &str) -> Vec<u8> {
    let section = [&[7], &b"version"[..], version.as_bytes()].concat();
    [embedded::CACHE, &[0, section.len() as u8], &section].concat()
}

/// The service's description of its component.
async fn component(service: &Service) -> Value {
    let answer = service.get("/component").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    answer.json()
}

async fn put_component(service: &Service, query: &str, component: &[u8]) -> HttpResponse {
    send(service.request(Method::PUT, &format!("/component{query}")).body(component.to_vec())).await
}

async fn roll_back(service: &Service) -> HttpResponse {
    send(service.request(Method::POST, "/component/rollback")).await
}

/// `media-cache component`, for a service.
async fn command(service: &Service, arguments: &[&str]) -> CommandOutput {
    let server = format!("http://{}", service.address());
    let arguments = [&["component"], arguments, &["--server", &server, "--token-file", service.token_file()]].concat();
    run(&arguments).await
}

#[tokio::test]
async fn component_is_replaced_and_rolled_back() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let picture = origin.serves("/a.png", "image/png", png(1));
    let service = dir.serve().await;
    service.media(&picture).await.is("miss");
    let built_in = component(&service).await;
    assert_eq!((&built_in["name"], &built_in["origin"]), (&json!("media-cache-component"), &json!("the built-in cache")));
    assert_eq!(
        (&built_in["previous"], &built_in["swap"], &built_in["digest"]),
        (&Value::Null, &Value::Null, &json!(sha256(embedded::CACHE)))
    );

    let other = of_version("9.9.9");
    let put = put_component(&service, "", &other).await;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(put.json(), component(&service).await);
    assert_eq!(
        (&put.json()["version"], &put.json()["digest"], &put.json()["swaps"]),
        (&json!("9.9.9"), &json!(sha256(&other)), &json!(1))
    );
    assert_eq!(put.json()["previous"]["origin"], "the built-in cache");
    service.media(&picture).await.is("hit");
    service.wait_for_log("with media-cache-component 9.9.9 (the uploaded cache component)").await;

    let back = roll_back(&service).await.json();
    assert_eq!((&back["origin"], &back["previous"]["version"]), (&json!("the built-in cache"), &json!("9.9.9")));
    assert_eq!(roll_back(&service).await.json()["version"], "9.9.9");
    assert_eq!(put_component(&service, "?name=built-in", b"").await.json()["swaps"], 4);
    service.media(&picture).await.is("hit");
    let stats = service.get("/stats").await.json();
    assert_eq!((&stats["media_cache"]["hits"], &stats["media_cache"]["misses"]), (&json!(2), &json!(1)));
    assert_eq!((&stats["component"]["swaps"], &stats["component"]["restarts"]), (&json!(4), &json!(0)));
    assert_eq!(origin.total_requests(), 1);
    let scrape = Scrape::of(&service).await;
    let failures = scrape.sum("media_cache_component_swap_failures_total", &[]);
    assert_eq!((scrape.sum("media_cache_component_swaps_total", &[]), failures), (4.0, 0.0));
}

#[tokio::test]
async fn component_swap_that_fails_changes_nothing() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let picture = origin.serves("/a.png", "image/png", png(1));
    let service = dir.serve().await;
    service.media(&picture).await.is("miss");
    let (old, fails, traps) = (of_version_0_1(embedded::CACHE), cache_with_fault(5), cache_with_fault(4));
    for (query, body, status, code, words) in [
        ("", &b""[..], 400, "bad-request", "send a component as the body"),
        ("?name=built-in", b"bytes", 400, "bad-request", "both a name and a body"),
        ("?name=other", b"", 400, "bad-request", "name=other"),
        ("", b"bytes", 422, "unfit-component", "is not WebAssembly"),
        ("", b"\0asm\x01\0\0\0", 422, "unfit-component", "core module"),
        ("", embedded::policy("lru").unwrap(), 422, "unfit-component", "the world `media-cache`"),
        ("", &old, 422, "unfit-component", "this host accepts media-cache:policy 0.2 and media-cache:cache 0.2"),
        ("", &fails, 422, "faulty-component", "a fault that a test switched on"),
        ("", &traps, 422, "faulty-component", "could not take over"),
    ] {
        let answer = put_component(&service, query, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{query}: {}", answer.text());
        assert!(answer.text().contains(words), "{query}: {}", answer.text());
        service.media(&picture).await.is("hit");
    }
    assert!(roll_back(&service).await.problem(409).contains("no previous cache component to restore"));
    let component = component(&service).await;
    assert_eq!(
        (&component["origin"], &component["swaps"], &component["failed_swaps"]),
        (&json!("the built-in cache"), &json!(0), &json!(2))
    );
    assert!(!dir.cache().join(".media-cache/component.json").exists(), "no record of it is kept");
}

#[tokio::test]
async fn component_commands_swap_and_roll_back() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let file = dir.write("mine.wasm", &of_version("9.9.9"));
    let swapped = command(&service, &["swap", file.to_str().unwrap()]).await.succeeded_text();
    assert_eq!(swapped, "media-cache-component 9.9.9 is active\n");
    let shown = command(&service, &["show"]).await.succeeded_text();
    assert!(shown.contains("media-cache-component 9.9.9") && shown.contains("(the built-in cache)"), "{shown}");
    command(&service, &["rollback"]).await.succeeded_text();
    let shown: Value = serde_json::from_str(&command(&service, &["show", "--json"]).await.succeeded_text()).unwrap();
    assert_eq!((&shown["origin"], &shown["swaps"]), (&json!("the built-in cache"), &json!(2)));
    command(&service, &["swap", "built-in"]).await.succeeded_text();
    let file = dir.write("text.wasm", b"text");
    let refused = command(&service, &["swap", file.to_str().unwrap()]).await.failed();
    assert!(refused.contains("is not WebAssembly"), "{refused}");
    let policy = dir.write("policy.wasm", embedded::policy("lru").unwrap());
    let refused = command(&service, &["swap", policy.to_str().unwrap()]).await.failed();
    assert!(refused.contains("the world `media-cache`"), "{refused}");
}

#[tokio::test]
async fn uploaded_component_survives_restarts_until_another_one_is_configured() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let picture = origin.serves("/a.png", "image/png", png(1));
    let service = dir.serve().await;
    service.media(&picture).await.is("miss");
    assert_eq!(put_component(&service, "", &of_version("9.9.9")).await.status, 200);
    service.kill().await;
    let service = dir.serve().await;
    assert_eq!(component(&service).await["version"], "9.9.9");
    service.media(&picture).await.is("hit");
    service.stop().await;

    let file = dir.write("mine.wasm", &of_version("7.7.7"));
    let configured = ["--component", file.to_str().unwrap()];
    let service = dir.serve_with(&configured).await;
    assert_eq!(component(&service).await["version"], "7.7.7", "--component takes precedence over the remembered component");
    assert_eq!(put_component(&service, "", &of_version("8.8.8")).await.status, 200);
    service.stop().await;
    let uploads = std::fs::read_dir(dir.cache().join(".media-cache/components")).unwrap();
    uploads.for_each(|file| std::fs::write(file.unwrap().path(), "no component").unwrap());
    let service = dir.serve_with(&configured).await;
    assert_eq!(component(&service).await["version"], "7.7.7", "the configured one");
    service.wait_for_log("which was chosen during a previous run; using ").await;
    service.stop().await;
    let service = dir.serve().await;
    assert_eq!(component(&service).await["origin"], "the built-in cache");
    service.media(&picture).await.is("hit");
    assert_eq!(origin.total_requests(), 1);
}

#[tokio::test]
async fn uploaded_component_that_no_longer_starts_is_replaced_but_still_remembered() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let picture = origin.serves("/a.png", "image/png", png(1));
    let service = dir.serve().await;
    service.media(&picture).await.is("miss");
    // It can take over from another component, but traps if there is none.
    let traps = cache_with_fault(6);
    assert_eq!(put_component(&service, "", &traps).await.status, 200);
    service.stop().await;
    let remembered = dir.cache().join(".media-cache/component.json");
    let before = std::fs::read(&remembered).unwrap();
    for _ in 0..2 {
        let service = dir.serve().await;
        service.wait_for_log("(the built-in cache) until it is replaced").await;
        service.media(&picture).await.is("hit");
        let shown = component(&service).await;
        assert_eq!((&shown["origin"], &shown["swaps"]), (&json!("the built-in cache"), &json!(0)));
        assert_eq!(shown["fallback_from"]["digest"], sha256(&traps));
        let shown = command(&service, &["show"]).await.succeeded_text();
        assert!(shown.contains("failed to start") && shown.contains(&format!("{}.wasm", sha256(&traps))), "{shown}");
        service.stop().await;
        assert_eq!(std::fs::read(&remembered).unwrap(), before);
    }
    let service = dir.serve().await;
    // The directory may still be loading.
    let put = loop {
        let put = put_component(&service, "?name=built-in", b"").await;
        if put.status != 503 {
            break put;
        }
    };
    assert_eq!((put.status, &put.json()["fallback_from"]), (200, &Value::Null), "{}", put.text());
    assert_ne!(std::fs::read(&remembered).unwrap(), before);
}
