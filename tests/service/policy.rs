//! The policy of a running service: shown, replaced and rolled back, over HTTP and with commands.

use http::Method;
use media_cache::embedded;
use media_cache_test_support::command::{CommandOutput, run};
use media_cache_test_support::http_client::{HttpResponse, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::old_contract::of_version_0_1;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::sha256::sha256;
use serde_json::{Value, json};

/// The service's description of its policy.
async fn policy(service: &Service) -> Value {
    let answer = service.get("/policy").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    answer.json()
}

async fn put_policy(service: &Service, query: &str, component: &[u8]) -> HttpResponse {
    send(service.request(Method::PUT, &format!("/policy{query}")).body(component.to_vec())).await
}

async fn roll_back(service: &Service) -> HttpResponse {
    send(service.request(Method::POST, "/policy/rollback")).await
}

/// `media-cache policy`, for a service.
async fn command(service: &Service, arguments: &[&str]) -> CommandOutput {
    let server = format!("http://{}", service.address());
    let arguments = [&["policy"], arguments, &["--server", &server, "--token-file", service.token_file()]].concat();
    run(&arguments).await
}

fn lru() -> &'static [u8] {
    embedded::policy(embedded::LRU).unwrap()
}

#[tokio::test]
async fn policy_endpoint_and_command_show_the_policy_in_use() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    service.media(&origin.serves("/a.png", "image/png", png(1))).await.is("miss");
    let policy = policy(&service).await;
    assert_eq!((&policy["name"], &policy["origin"], &policy["options"]), (&json!("lru"), &json!("lru"), &json!({})));
    assert_eq!(policy["digest"], sha256(lru()));
    assert!(policy["calls"].as_u64() > Some(0) && policy["memory_bytes"].as_u64() > Some(0), "{policy}");
    for nothing in ["last_fault", "previous", "swap"] {
        assert_eq!(policy[nothing], Value::Null, "{nothing}");
    }
    let shown = command(&service, &["show"]).await.succeeded_text();
    assert!(shown.contains("lru 0.1.0") && shown.contains(policy["digest"].as_str().unwrap()), "{shown}");
}

#[tokio::test]
async fn policies_endpoint_and_command_list_the_built_in_policies() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--policy", "gdsf:beta=0.5"]).await;
    let listed = service.get("/policies").await.json();
    let names: Vec<&str> = listed["policies"].as_array().unwrap().iter().map(|policy| policy["name"].as_str().unwrap()).collect();
    assert_eq!(names, embedded::policy_names());
    assert_eq!(policy(&service).await["options"], json!({ "beta": "0.5", "cost": "1" }));
    let said = command(&service, &["list"]).await.succeeded_text();
    let marked: Vec<&str> = said.lines().filter(|line| line.starts_with("* ")).collect();
    assert!(marked.len() == 1 && marked[0].starts_with("* gdsf") && said.contains("beta=0"), "{said}");
}

#[tokio::test]
async fn policy_is_swapped_by_name_with_options_and_rolled_back() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let picture = origin.serves("/a.png", "image/png", png(1));
    let service = dir.serve().await;
    service.media(&picture).await.is("miss");
    let put = put_policy(&service, "?name=gdsf&beta=0.75", b"").await;
    assert_eq!(put.status, 200, "{}", put.text());
    let gdsf = put.json();
    assert_eq!((&gdsf["name"], &gdsf["options"]), (&json!("gdsf"), &json!({ "beta": "0.75", "cost": "1" })));
    assert_eq!((&gdsf["swaps"], &gdsf["previous"]), (&json!(1), &json!("lru")));
    service.media(&picture).await.is("hit");
    assert_eq!(put_policy(&service, "?name=gdsf&beta=0.75", b"").await.json()["previous"], "lru", "the same swap again");
    let back = roll_back(&service).await.json();
    assert_eq!((&back["name"], &back["swaps"], &back["previous"]), (&json!("lru"), &json!(3), &json!("gdsf:beta=0.75")));
    let again = roll_back(&service).await.json();
    assert_eq!(
        (&again["name"], &again["options"]),
        (&json!("gdsf"), &json!({ "beta": "0.75", "cost": "1" })),
        "the options are restored, too"
    );
    service.media(&picture).await.is("hit");
    assert_eq!(origin.total_requests(), 1);
}

#[tokio::test]
async fn uploaded_policy_component_becomes_active() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--policy", "sieve"]).await;
    let put = put_policy(&service, "", lru()).await;
    assert_eq!(put.status, 200, "{}", put.text());
    let policy = policy(&service).await;
    assert_eq!((&policy["name"], &policy["origin"]), (&json!("lru"), &json!("the uploaded policy")));
    assert_eq!(policy["digest"], sha256(lru()));
}

#[tokio::test]
async fn refused_policy_swap_reports_the_reason_and_changes_nothing() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    for (query, body, status, words) in [
        ("?name=nothing", &b""[..], 404, "there is no built-in policy \"nothing\"; the built-in policies are lru"),
        ("", b"", 400, "use ?name="),
        ("?name=", b"", 404, "no built-in policy"),
        ("?name=lru&name=lru", b"", 400, "twice"),
        ("?name=lru", b"bytes", 400, "both a name and a body"),
        ("?name=lru&colour=red", b"", 422, "lru has no option \"colour\""),
        ("?name=gdsf&beta=7", b"", 422, "from 0 to 1"),
        ("", b"bytes", 422, "is not WebAssembly"),
        ("", b"\0asm\x01\0\0\0", 422, "core module"),
        ("", b"\0asm\x0d\0\x01\0", 422, "eviction-policy"),
        ("", embedded::CACHE, 422, "eviction-policy"),
    ] {
        let problem = put_policy(&service, query, body).await.problem(status);
        assert!(problem.contains(words), "{query}: {problem}");
    }
    assert!(roll_back(&service).await.problem(409).contains("no previous policy to restore"));
    let policy = policy(&service).await;
    assert_eq!((&policy["name"], &policy["swaps"], &policy["fallbacks"]), (&json!("lru"), &json!(0), &json!(0)));
    let names = std::fs::read_dir(dir.cache()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.contains("policy")).count(), 0, "no record of it is kept");
}

#[tokio::test]
async fn policy_commands_swap_and_roll_back() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    assert_eq!(command(&service, &["swap", "sieve"]).await.succeeded_text(), "sieve 0.1.0 is active\n");
    let file = dir.write("mine.wasm", lru());
    assert_eq!(command(&service, &["swap", file.to_str().unwrap()]).await.succeeded_text(), "lru 0.1.0 is active\n");
    assert_eq!(command(&service, &["rollback"]).await.succeeded_text(), "sieve 0.1.0 is active\n");
    let shown: Value = serde_json::from_str(&command(&service, &["show", "--json"]).await.succeeded_text()).unwrap();
    assert_eq!((&shown["name"], &shown["swaps"]), (&json!("sieve"), &json!(3)));
    let refused = command(&service, &["swap", "gdsf:beta=x"]).await.failed();
    assert!(refused.contains("beta is \"x\""), "{refused}");
    let address = service.address();
    service.stop().await;
    let refused = run(&["policy", "show", "--server", &format!("http://{address}")]).await.failed();
    assert!(refused.contains("no service can be reached at") && refused.contains("--server"), "{refused}");
}

#[tokio::test]
async fn selected_built_in_policy_survives_a_restart() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    assert_eq!(put_policy(&service, "?name=gdsf&beta=1", b"").await.status, 200);
    service.stop().await;
    let service = dir.serve().await;
    let chosen = policy(&service).await;
    assert_eq!((&chosen["name"], &chosen["options"]), (&json!("gdsf"), &json!({ "beta": "1", "cost": "1" })));
    service.stop().await;
    let service = dir.serve_with(&["--policy", "sieve"]).await;
    assert_eq!(policy(&service).await["name"], "sieve", "--policy takes precedence over the remembered policy");
}

#[tokio::test]
async fn uploaded_policy_survives_a_restart_and_a_damaged_one_is_reported() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--policy", "sieve"]).await;
    assert_eq!(put_policy(&service, "", lru()).await.status, 200);
    service.kill().await;
    let service = dir.serve_with(&["--policy", "sieve"]).await;
    assert_eq!(policy(&service).await["digest"], sha256(lru()));
    service.stop().await;
    let uploads = std::fs::read_dir(dir.cache().join(".media-cache/policies")).unwrap();
    uploads.for_each(|file| std::fs::write(file.unwrap().path(), "no component").unwrap());
    let service = dir.serve_with(&["--policy", "sieve"]).await;
    assert_eq!(policy(&service).await["name"], "sieve", "the configured one");
    service.wait_for_log("using sieve instead").await;
}

#[tokio::test]
async fn a_policy_of_another_contract_version_is_rejected_with_both_versions_named() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--policy", "sieve"]).await;
    let named = "media-cache:policy/eviction@0.1.0; this host accepts media-cache:policy 0.2";
    let problem = put_policy(&service, "", &of_version_0_1(lru())).await;
    let detail = problem.problem(422);
    assert!(detail.contains(named), "{detail}");
    assert_eq!(policy(&service).await["name"], "sieve");

    // A policy that was remembered before an update.
    assert_eq!(put_policy(&service, "", lru()).await.status, 200);
    service.stop().await;
    let uploads = std::fs::read_dir(dir.cache().join(".media-cache/policies")).unwrap();
    uploads.for_each(|file| std::fs::write(file.unwrap().path(), of_version_0_1(lru())).unwrap());
    let service = dir.serve_with(&["--policy", "sieve"]).await;
    assert_eq!(policy(&service).await["name"], "sieve", "the configured one");
    service.wait_for_log(named).await;
}

#[tokio::test]
async fn policy_swap_is_logged_with_both_policies() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--policy", "sieve"]).await;
    assert_eq!(put_policy(&service, "?name=gdsf&beta=1", b"").await.status, 200);
    service.wait_for_log("replaced the policy sieve 0.1.0 (sieve) with gdsf 0.1.0 (gdsf:beta=1)").await;
    assert_eq!(put_policy(&service, "", lru()).await.status, 200);
    service.wait_for_log("replaced the policy gdsf 0.1.0 (gdsf:beta=1) with lru 0.1.0 (the uploaded policy)").await;
    service.stop().await;
}

#[tokio::test]
async fn requests_are_recorded_as_a_trace_without_their_urls() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let [a, b] = ["/a.png", "/b.png"].map(|path| origin.serves(path, "image/png", png(1)));
    let trace = dir.path("trace.csv");
    let service = dir.serve_with(&["--record-trace", trace.to_str().unwrap()]).await;
    service.media(&a).await.is("miss");
    service.media(&b).await.is("miss");
    service.media(&a).await.is("hit");
    service.media(&origin.url("/missing.png")).await.problem(404);
    service.stop().await;
    let trace = std::fs::read_to_string(trace).unwrap();
    let lines: Vec<Vec<&str>> = trace.lines().map(|line| line.split(',').collect()).collect();
    let keys: Vec<&str> = lines.iter().map(|line| line[1]).collect();
    let hash = |url: &str| sha256(url.as_bytes())[..16].to_owned();
    assert_eq!(keys, [hash(&a), hash(&b), hash(&a)]);
    let entry = dir.listed().await[0].clone();
    assert!(lines.iter().all(|line| entry["disk_size"] == line[2].parse::<u64>().unwrap()), "{trace}{entry}");
    // The cost of the hit is that of the fetch, which the entry keeps.
    let is_complete = |line: &Vec<&str>| line[3].parse::<u32>().is_ok_and(|cost| cost > 0) && line[4..] == ["", "image"];
    assert!(lines.iter().all(is_complete), "{trace}");
}
