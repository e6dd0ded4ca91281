//! Uploaded policies that are expensive to compile, and uploads that clients abandon.

use std::time::SystemTime;

use http::Method;
use media_cache::embedded;
use media_cache_test_support::http_client::{ADMIN_TOKEN, HttpResponse, send};
use media_cache_test_support::random::noise;
use media_cache_test_support::raw_client::RawClient;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::soon::eventually;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

fn lru() -> &'static [u8] {
    embedded::policy(embedded::LRU).unwrap()
}

async fn put_policy(service: &Service, component: Vec<u8>) -> HttpResponse {
    send(service.request(Method::PUT, "/policy").body(component)).await
}

/// The number of unnamed files that a service has open. Waits until its cache is loaded, because loading uses such files, too.
async fn unnamed_files_once_loaded(service: &Service) -> usize {
    service.stats().await;
    service.unnamed_files()
}

/// A number in WebAssembly's binary encoding.
fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn section(id: u8, contents: &[u8]) -> Vec<u8> {
    [&[id], &number(contents.len())[..], contents].concat()
}

/// The LRU policy with an additional, unused module that has this many functions of this many steps.
fn costly(functions: usize, steps: usize) -> Vec<u8> {
    // (func (param i32 i32) (result i32) ...), and in each step: local.get 0, local.get 1, i32.mul, local.tee 0, local.set 1.
    let step = [0x20, 0, 0x20, 1, 0x6c, 0x22, 0, 0x21, 1];
    let body = [&[0], &step.repeat(steps)[..], &[0x20, 1, 0x0b]].concat();
    let types = section(1, b"\x01\x60\x02\x7f\x7f\x01\x7f");
    let declared = section(3, &[number(functions), vec![0; functions]].concat());
    let code = section(10, &[number(functions), [number(body.len()), body].concat().repeat(functions)].concat());
    let module = [b"\0asm\x01\0\0\0", &types[..], &declared, &code].concat();
    [lru(), &section(1, &module)].concat()
}

#[tokio::test]
async fn policy_that_is_too_costly_to_compile_is_refused_with_the_limit() {
    let dir = ServiceDirectory::create();
    for (options, limit) in [
        (["--policy-compile-cpu-seconds", "1"], "it takes more processor time than 1 s (--policy-compile-cpu-seconds)"),
        (["--policy-compile-seconds", "1"], "it takes longer than 1 s (--policy-compile-seconds)"),
        (["--policy-compile-memory-mb", "256"], "it takes more memory than 256 MiB (--policy-compile-memory-mb)"),
    ] {
        let service = dir.serve_with(&options).await;
        let refused = put_policy(&service, costly(50_000, 100)).await;
        let detail = refused.problem(422);
        assert!(detail.contains("the uploaded policy is too costly to compile") && detail.contains(limit), "{detail}");
        assert_eq!(refused.code(), "costly-policy");
        eventually(|| service.children().is_empty()).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn policy_compiled_in_a_child_process_becomes_active() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--policy", "sieve"]).await;
    // A component that no test has uploaded before, since compiled ones are kept.
    let started = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos().to_string();
    let new = [costly(10, 10), section(0, &[&number(started.len())[..], started.as_bytes()].concat())].concat();
    let put = put_policy(&service, new).await;
    assert_eq!((put.status, &put.json()["name"]), (200, &"lru".into()), "{}", put.text());
    let invalid = [lru(), &section(1, b"\0asm\x01\0\0\0\x0a\x01\x07")].concat();
    assert_eq!(put_policy(&service, invalid).await.code(), "unfit-policy");
    let too_many = put_policy(&service, costly(100_001, 0)).await;
    assert!(too_many.problem(422).contains("it has more than 100000 functions"), "{}", too_many.text());
    assert_eq!(service.put(NOWHERE, "image/png", noise(1, 100)).await.status, 201, "the policy is active");
}

#[tokio::test]
async fn client_that_disconnects_ends_the_compilation_of_its_policy() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let files = unnamed_files_once_loaded(&service).await;
    let component = costly(50_000, 100);
    let mut client = RawClient::connect(&service).await;
    let length = component.len();
    client
        .send(format!("PUT /policy HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\nContent-Length: {length}\r\n\r\n"))
        .await;
    client.send(component).await;
    eventually(|| !service.children().is_empty()).await;
    drop(client);
    eventually(|| service.children().is_empty() && service.unnamed_files() == files).await;
    assert_eq!(put_policy(&service, lru().to_vec()).await.status, 200, "the next upload does not have to wait");
}

#[tokio::test]
async fn client_that_disconnects_during_an_upload_leaves_nothing_behind() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let none = unnamed_files_once_loaded(&service).await;
    for path in ["policy".to_owned(), format!("media?url={NOWHERE}")] {
        let mut client = RawClient::connect(&service).await;
        let head = format!("PUT /{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n");
        client.send(format!("{head}Content-Length: 20000000\r\n\r\n")).await;
        client.send(noise(1, 10 << 20)).await;
        eventually(|| service.unnamed_files() > none).await;
        drop(client);
        eventually(|| service.unnamed_files() == none).await;
    }
    assert!(!dir.holds(NOWHERE) && service.children().is_empty());
    assert_eq!(service.stats().await["media_cache"]["total_entries"], 0);
}

#[tokio::test]
async fn memory_of_many_incomplete_heads_is_released() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    assert_eq!(service.get("/healthz").await.status, 200);
    let before = service.resident_kib();
    let head = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Padding: {}", "x".repeat(30_000));
    let mut clients = Vec::new();
    for _ in 0..1000 {
        let mut client = RawClient::connect(&service).await;
        client.send(&head).await;
        clients.push(client);
    }
    eventually(|| service.resident_kib() > before + (40 << 10)).await;
    drop(clients);
    eventually(|| service.resident_kib() < before + (20 << 10)).await;
}
