//! Traces of requests, as an OpenTelemetry collector receives them.

use futures::future::join;
use http::Method;
use media_cache_test_support::command::{run, run_in};
use media_cache_test_support::fed_origin::FedOrigin;
use media_cache_test_support::http_client::{media_path, send};
use media_cache_test_support::http_origin::{ClosedPort, HttpOrigin, Page};
use media_cache_test_support::images::{gif, png};
use media_cache_test_support::otlp_collector::{OtlpCollector, Span};
use media_cache_test_support::random::noise;
use media_cache_test_support::raw_client::RawClient;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::{Service, write_secret};
use media_cache_test_support::sha256::sha256;
use media_cache_test_support::soon::soon;

use crate::origin_headers::reporting_origin;

/// The placeholder for every secret.
const SECRET: &str = "s3cr3t";

/// The trace and the span of a client, and the header that names them.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

/// A service that sends its spans soon.
async fn traced(dir: &ServiceDirectory, collector: &OtlpCollector, arguments: &[&str]) -> Service {
    with_variables(dir, &[], &[&["--otlp-endpoint", &collector.endpoint()], arguments].concat()).await
}

async fn with_variables(dir: &ServiceDirectory, variables: &[(&str, String)], arguments: &[&str]) -> Service {
    let soon = ("OTEL_BSP_SCHEDULE_DELAY", "20".to_owned());
    let variables = [&[soon], variables].concat();
    Service::start_with_variables(&dir.cache(), &variables, &[&["--listen", "127.0.0.1:0"], arguments].concat()).await
}

const ALL: &[&str] = &["--trace-ratio", "1"];

/// The value of a metric.
async fn metric(service: &Service, name: &str) -> u64 {
    let metrics = String::from_utf8(service.get("/metrics").await.body.to_vec()).unwrap();
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

/// The number of spans with an outcome, according to the metrics.
async fn counted(service: &Service, outcome: &str) -> u64 {
    metric(service, &format!("media_cache_spans_total{{outcome=\"{outcome}\"}}")).await
}

#[tokio::test]
async fn miss_has_spans_for_the_request_the_lookup_and_the_download() {
    let (origin, dir, collector) = (HttpOrigin::start().await, ServiceDirectory::create(), OtlpCollector::start().await);
    let service = traced(&dir, &collector, &[ALL, &["--log-format", "json"]].concat()).await;
    let url = origin.serves("/a.png", "image/png", png(1));
    service.media(&url).await.is("miss");
    let request = collector.span("GET /media").await;
    let (lookup, wait, download) =
        (collector.span("lookup").await, collector.span("wait for permit").await, collector.span("GET").await);
    assert_eq!((request.kind.as_str(), request.parent.as_str(), request.status.as_str()), ("Server", "", "Unset"));
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/media"),
        ("http.response.status_code", "200"),
        ("http.response.body.size", &png(1).len().to_string()),
        ("media_cache.outcome", "miss"),
        ("media_cache.host", "127.0.0.1"),
        ("media_cache.key", &sha256(&url)[..16]),
    ] {
        assert_eq!(request.attribute(name), value, "{name}");
    }
    assert_eq!((&lookup.parent, lookup.attribute("media_cache.source")), (&request.id, "origin"));
    assert_eq!(lookup.attribute("media_cache.coalesced"), "");
    assert_eq!((&wait.parent, &download.parent), (&lookup.id, &lookup.id));
    assert_eq!((download.kind.as_str(), download.attribute("server.address")), ("Client", "127.0.0.1"));
    assert_eq!(download.attribute("server.port"), origin.port().to_string());
    assert_eq!(download.attribute("http.response.status_code"), "200");
    assert_eq!(download.attribute("http.response.body.size"), png(1).len().to_string());
    assert!(lookup.is_during(&request) && download.is_during(&lookup), "{request:?} {lookup:?} {download:?}");
    assert!(wait.time.1 <= download.time.0);
    let spans = collector.spans();
    assert_eq!(spans.len(), 4, "{spans:?}");
    assert!(spans.iter().all(|span| span.trace == request.trace));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!((request.resource["service.name"].as_str(), request.resource["service.version"].as_str()), ("media-cache", version));
    service.wait_for_log(&format!("\"trace_id\":\"{}\"", request.trace)).await;
    soon(async { while counted(&service, "sent").await < 4 {} }).await;
    assert_eq!((counted(&service, "failed").await, counted(&service, "dropped").await), (0, 0));
}

#[tokio::test]
async fn hit_has_a_span_with_or_without_the_hit_lane() {
    let (origin, dir, collector) = (HttpOrigin::start().await, ServiceDirectory::create(), OtlpCollector::start().await);
    let service = traced(&dir, &collector, &[]).await;
    let url = origin.serves("/a.png", "image/png", png(1));
    service.media(&url).await.is("miss");
    let sampled = || service.media_request(Method::GET, &url).header("traceparent", traceparent("01"));
    // Any header that the lane does not know makes it leave the request to the router.
    send(sampled().header("x-unknown", "1")).await.is("hit");
    let by_router = collector.span("GET /media").await;
    let in_place = "media_cache_hit_lane_responses_total";
    let before = metric(&service, in_place).await;
    assert_eq!(send(sampled().header("range", "bytes=0-9").header("x-request-id", "from-client")).await.status, 206);
    assert_eq!(metric(&service, in_place).await, before + 1);
    let [_, by_lane] = &collector.wait_for("GET /media", 2).await[..] else { panic!("{:?}", collector.spans()) };
    for hit in [&by_router, by_lane] {
        assert_eq!((hit.trace.as_str(), hit.parent.as_str(), hit.attribute("media_cache.outcome")), (TRACE, PARENT, "hit-memory"));
        assert_eq!((hit.attribute("media_cache.key"), hit.attribute("media_cache.host")), (&sha256(&url)[..16], "127.0.0.1"));
    }
    let sent = |span: &Span| ["http.response.status_code", "http.response.body.size"].map(|name| span.attribute(name).to_owned());
    assert_eq!(sent(&by_router), ["200".into(), png(1).len().to_string()]);
    assert_eq!(sent(by_lane), ["206", "10"]);
    assert_eq!(by_lane.attribute("media_cache.request_id"), "from-client");
    let lookup = collector.span("lookup").await;
    assert_eq!((lookup.parent, lookup.attributes["media_cache.source"].as_str()), (by_router.id, "memory"));
}

#[tokio::test]
async fn client_decides_with_traceparent_whether_a_request_is_traced() {
    let (origin, dir, collector) = (HttpOrigin::start().await, ServiceDirectory::create(), OtlpCollector::start().await);
    let service = traced(&dir, &collector, ALL).await;
    let url = origin.serves("/a.png", "image/png", png(1));
    let request = |flags: &str| send(service.media_request(Method::GET, &url).header("traceparent", traceparent(flags)));
    request("00").await.is("miss");
    request("00").await.is("hit");
    send(service.media_request(Method::GET, &url).header("traceparent", "invalid")).await.is("hit");
    request("01").await.is("hit");
    let [untraced, traced] = &collector.wait_for("GET /media", 2).await[..] else { panic!("{:?}", collector.spans()) };
    assert!(untraced.parent.is_empty() && untraced.trace != TRACE, "an invalid header is ignored: {untraced:?}");
    assert_eq!((traced.trace.as_str(), traced.parent.as_str()), (TRACE, PARENT));
    service.stop().await;
    assert_eq!(collector.spans().len(), 2, "{:?}", collector.spans());
}

#[tokio::test]
async fn request_that_is_not_traced_has_no_spans_of_its_parts() {
    let (origin, dir, collector) = (HttpOrigin::start().await, ServiceDirectory::create(), OtlpCollector::start().await);
    let service = traced(&dir, &collector, &["--trace-ratio", "0", "--log-format", "json"]).await;
    service.media(&origin.serves("/a.png", "image/png", png(1))).await.is("miss");
    service.media(&origin.serves("/a.gif", "image/gif", gif(&[10, 20]))).await.is("miss");
    service.wait_for_log("\"outcome\":\"miss\"").await;
    assert!(!service.log().iter().any(|line| line.contains("trace_id")), "{:?}", service.log());
    service.stop().await;
    assert!(collector.headers().is_empty(), "{:?}", collector.spans());
}

#[tokio::test]
async fn coalesced_request_is_linked_to_the_one_that_downloads() {
    let (origin, dir, collector) = (HttpOrigin::start().await, ServiceDirectory::create(), OtlpCollector::start().await);
    let service = traced(&dir, &collector, ALL).await;
    let url = origin.serves("/a.gif", "image/gif", gif(&[10, 20]));
    let latch = origin.hold("/a.gif");
    let second = async {
        latch.reached().await;
        let opening = async {
            soon(async { while service.stats().await["downloads"]["coalesced"] != 1 {} }).await;
            latch.open();
        };
        join(service.media(&url), opening).await.0
    };
    let (first, second) = join(service.media(&url), second).await;
    assert_eq!((first.is("miss").status, second.is("miss").status), (200, 200));
    let [leader, follower] = &collector.wait_for("lookup", 2).await[..] else { panic!("{:?}", collector.spans()) };
    let (download, conversion) = (collector.span("GET").await, collector.span("convert").await);
    assert_eq!((&download.parent, &conversion.parent), (&leader.id, &leader.id));
    assert!(download.time.1 <= conversion.time.0 && conversion.is_during(leader), "{download:?} {conversion:?} {leader:?}");
    assert_eq!(conversion.attribute("media_cache.original.size"), gif(&[10, 20]).len().to_string());
    assert_ne!(leader.trace, follower.trace);
    assert_eq!((leader.attribute("media_cache.coalesced"), follower.attribute("media_cache.coalesced")), ("", "true"));
    assert_eq!((&leader.links, &follower.links), (&vec![], &vec![leader.id.clone()]));
}

#[tokio::test]
async fn failure_of_the_origin_is_the_status_of_the_spans() {
    let (origin, dir, collector) = (HttpOrigin::start().await, ServiceDirectory::create(), OtlpCollector::start().await);
    let service = traced(&dir, &collector, &[ALL, &["--retries", "1"]].concat()).await;
    service.media(&origin.answers("/a.png", Page::status(502))).await.problem(502);
    let request = collector.span("GET /media").await;
    let downloads = collector.wait_for("GET", 2).await;
    let lookup = collector.span("lookup").await;
    let state = |span: &Span| (span.status.clone(), span.attribute("error.type").to_owned());
    assert_eq!(state(&request), ("Error".into(), request.attribute("media_cache.outcome").into()));
    assert_eq!(state(&lookup), ("Error".into(), "origin-status".into()));
    for download in &downloads {
        assert_eq!((state(download), &download.parent), (("Error".into(), "502".into()), &lookup.id), "each attempt has a span");
    }
    // A wrong request is the client's error, and not the service's.
    service.get("/media?url=nonsense").await.problem(400);
    let [_, refused] = &collector.wait_for("GET /media", 2).await[..] else { panic!("{:?}", collector.spans()) };
    assert_eq!((refused.status.as_str(), refused.attribute("http.response.status_code")), ("Unset", "400"));
    let closed = ClosedPort::reserve();
    service.media(&closed.url("/a.png")).await;
    let failed = collector.wait_for("GET", 4).await;
    assert_eq!(state(&failed[3]), ("Error".into(), "unreachable".into()));
}

#[tokio::test]
async fn spans_contain_no_secrets() {
    let (origin, dir, collector) = (HttpOrigin::start().await, ServiceDirectory::create(), OtlpCollector::start().await);
    let key = dir.path("key");
    write_secret(&key, &SECRET.repeat(6));
    let key = key.to_str().unwrap();
    let service = traced(&dir, &collector, &[ALL, &["--signing-key-file", key, "--log-urls", "path"]].concat()).await;
    let url = origin.serves(&format!("/public.gif?token={SECRET}"), "image/gif", gif(&[10, 20]));
    let signed = run(&["sign", "--digest", "--signing-key-file", key, &url]).await.succeeded_text();
    let path = signed.trim();
    for _ in 0..2 {
        let request = service.anonymous_request(Method::GET, path).header("cookie", SECRET).header("user-agent", SECRET);
        assert_eq!(send(request).await.status, 200);
    }
    service.get(&format!("{}&signature={SECRET}", media_path(&url))).await.problem(403);
    service.media(&url.replace("http://", &format!("http://me:{SECRET}@"))).await;
    service.get(&format!("/{SECRET}?{SECRET}")).await.problem(404);
    service.delete(&url).await;
    let request = collector.wait_for("GET /media", 4).await.remove(0);
    assert!(request.attribute("media_cache.url").ends_with("/public.gif"), "{request:?}");
    collector.span("convert").await;
    let unknown = collector.spans().into_iter().find(|span| span.attribute("http.response.status_code") == "404").unwrap();
    assert_eq!((unknown.name.as_str(), unknown.kind.as_str(), unknown.attribute("http.route")), ("GET", "Server", ""));
    let signature = path.split('/').nth(2).unwrap().to_owned();
    service.stop().await;
    let text = collector.text();
    assert!(text.contains("public.gif") && !text.contains(SECRET), "{:#?}", collector.spans());
    assert!(!signature.is_empty() && !text.contains(&signature), "{signature}");
}

#[tokio::test]
async fn origin_does_not_learn_of_the_trace() {
    let ((port, mut requests), dir, collector) =
        (reporting_origin().await, ServiceDirectory::create(), OtlpCollector::start().await);
    let service = traced(&dir, &collector, &[]).await;
    let url = format!("http://127.0.0.1:{port}/a.txt");
    let request = service.media_request(Method::GET, &url).header("traceparent", traceparent("01"));
    send(request.header("tracestate", "a=b").header("baggage", "c=d")).await.is("miss");
    collector.span("GET").await;
    let sent = requests.recv().await.unwrap();
    assert!(["traceparent", "tracestate", "baggage"].iter().all(|name| !sent.contains_key(*name)), "{sent:?}");
}

#[tokio::test]
async fn requests_are_served_while_the_collector_fails_and_it_is_reported_once() {
    let (origin, dir, collector) = (HttpOrigin::start().await, ServiceDirectory::create(), OtlpCollector::start().await);
    collector.refuse(400);
    let service = traced(&dir, &collector, ALL).await;
    let url = origin.serves("/a.png", "image/png", png(1));
    service.media(&url).await.is("miss");
    for requests in 1..=3 {
        service.media(&url).await.is("hit");
        collector.wait_for_requests(requests).await;
    }
    service.wait_for_log("cannot send spans to the collector at").await;
    soon(async { while counted(&service, "failed").await < 6 {} }).await;
    collector.accept();
    service.media(&url).await.is("hit");
    service.wait_for_log("accepts spans again").await;
    assert_eq!(counted(&service, "dropped").await, 0);
    let lines: Vec<String> = service.log().into_iter().filter(|line| line.contains("cannot send spans")).collect();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.contains(&collector.endpoint()) && line.contains("it responded with 400"), "{line}");
}

#[tokio::test]
async fn unreachable_collector_does_not_delay_requests_or_the_end() {
    let (origin, dir, closed) = (HttpOrigin::start().await, ServiceDirectory::create(), ClosedPort::reserve());
    let endpoint = closed.url("");
    let service = with_variables(&dir, &[], &["--trace-ratio", "1", "--otlp-endpoint", &endpoint]).await;
    let url = origin.serves("/a.png", "image/png", png(1));
    service.media(&url).await.is("miss");
    service.wait_for_log("cannot send spans to the collector at").await;
    assert!(service.log().iter().any(|line| line.contains("cannot send spans") && line.contains("refused")), "{:?}", service.log());
    service.media(&url).await.is("hit");
    service.stop().await;
}

#[tokio::test]
async fn slow_collector_costs_spans_and_nothing_else() {
    let (origin, dir, collector) = (HttpOrigin::start().await, ServiceDirectory::create(), OtlpCollector::start().await);
    collector.hang();
    let queue = ("OTEL_BSP_MAX_QUEUE_SIZE", "8".to_owned());
    let endpoint = collector.endpoint();
    let service = with_variables(&dir, &[queue], &["--trace-ratio", "1", "--otlp-endpoint", &endpoint]).await;
    let url = origin.serves("/a.png", "image/png", png(1));
    service.media(&url).await.is("miss");
    collector.wait_for_requests(1).await;
    for _ in 0..20 {
        service.media(&url).await.is("hit");
    }
    service.wait_for_log("so some are dropped").await;
    soon(async { while counted(&service, "dropped").await < 12 {} }).await;
    let begun = std::time::Instant::now();
    let lines = service.log().into_iter().filter(|line| line.contains("so some are dropped")).count();
    assert_eq!(lines, 1);
    service.stop().await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "the end waits only for a limited time");
}

#[tokio::test]
async fn remaining_spans_are_sent_before_the_service_ends() {
    let (origin, dir, collector) = (HttpOrigin::start().await, ServiceDirectory::create(), OtlpCollector::start().await);
    let delay = ("OTEL_BSP_SCHEDULE_DELAY", "3600000".to_owned());
    let endpoint = collector.endpoint();
    let service = with_variables(&dir, &[delay], &["--trace-ratio", "1", "--otlp-endpoint", &endpoint]).await;
    service.media(&origin.serves("/a.png", "image/png", png(1))).await.is("miss");
    assert!(collector.spans().is_empty());
    service.stop().await;
    collector.span("GET /media").await;
}

#[tokio::test]
async fn variables_of_opentelemetry_apply() {
    let (origin, dir, collector) = (HttpOrigin::start().await, ServiceDirectory::create(), OtlpCollector::start().await);
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a".into()),
        ("OTEL_SERVICE_NAME", "avatars".into()),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test".into()),
        ("OTEL_TRACES_SAMPLER", "always_on".into()),
    ];
    let service = with_variables(&dir, &variables, &["--otlp-endpoint", "environment"]).await;
    let url = origin.serves("/a.png", "image/png", png(1));
    send(service.media_request(Method::GET, &url).header("traceparent", traceparent("00"))).await.is("miss");
    let request = collector.span("GET /media").await;
    assert_eq!((request.trace.as_str(), request.parent.as_str()), (TRACE, PARENT), "always_on does not depend on the client");
    assert_eq!(request.resource["service.name"], "avatars");
    assert_eq!(request.resource["deployment.environment.name"], "test");
    assert_eq!(collector.headers()[0]["x-tenant"], "a");
}

#[tokio::test]
async fn variables_alone_trace_nothing() {
    let (origin, dir, collector) = (HttpOrigin::start().await, ServiceDirectory::create(), OtlpCollector::start().await);
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()), ("OTEL_TRACES_SAMPLER", "always_on".into())];
    let service = with_variables(&dir, &variables, &[]).await;
    service.media(&origin.serves("/a.png", "image/png", png(1))).await.is("miss");
    let metrics = String::from_utf8(service.get("/metrics").await.body.to_vec()).unwrap();
    assert!(metrics.contains("media_cache_requests_total") && !metrics.contains("media_cache_spans"), "{metrics}");
    service.stop().await;
    assert!(collector.headers().is_empty());
}

#[tokio::test]
async fn variables_of_opentelemetry_turn_tracing_off() {
    let (origin, collector) = (HttpOrigin::start().await, OtlpCollector::start().await);
    let endpoint = collector.endpoint();
    for (name, value) in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
        let dir = ServiceDirectory::create();
        let arguments = ["--otlp-endpoint", &endpoint, "--trace-ratio", "1"];
        let service = with_variables(&dir, &[(name, value.into())], &arguments).await;
        service.wait_for_log(&format!("traces are off: {name}={value}")).await;
        service.media(&origin.serves("/a.png", "image/png", png(1))).await.is("miss");
        service.stop().await;
    }
    assert!(collector.headers().is_empty());
}

#[tokio::test]
async fn collector_that_hangs_does_not_exceed_the_limit_of_the_shutdown() {
    let (origin, dir, collector) = (HttpOrigin::start().await, ServiceDirectory::create(), OtlpCollector::start().await);
    collector.hang();
    let limits = ["--grace-seconds", "0", "--shutdown-limit-seconds", "2"];
    let service = traced(&dir, &collector, &[ALL, &limits].concat()).await;
    service.media(&origin.serves("/a.png", "image/png", png(1))).await.is("miss");
    collector.wait_for_requests(1).await;
    service.stop().await;
}

#[tokio::test]
async fn response_that_is_cut_off_has_an_error_type() {
    let (origin, dir, collector) = (FedOrigin::start().await, ServiceDirectory::create(), OtlpCollector::start().await);
    let service = traced(&dir, &collector, &[ALL, &["--max-memory-items", "0"]].concat()).await;
    let picture = [b"\x89PNG\r\n\x1a\n".as_slice(), &noise(1, 8 << 20)].concat();
    origin.cut_off(&service, "image/png", &picture).await;
    let end = |span: &Span| (span.attribute("error.type").to_owned(), span.status.clone());
    let unreadable = collector.span("GET /media").await;
    assert_eq!((end(&unreadable), unreadable.attribute("http.response.status_code")), (("failed".into(), "Error".into()), "200"));
    let url = "https://nowhere.invalid/a.png";
    assert_eq!(service.put(url, "image/png", picture).await.status, 201);
    // With the hit lane and without it.
    for header in ["", "X-Unknown: 1\r\n"] {
        let mut client = RawClient::connect_with_small_buffer(&service).await;
        client.send(format!("GET {} HTTP/1.1\r\nHost: x\r\n{header}\r\n", media_path(url))).await;
        assert!(client.read_bytes(15).await.starts_with("HTTP/1.1 200 OK"));
    }
    for abandoned in &collector.wait_for("GET /media", 3).await[1..] {
        assert_eq!(end(abandoned), ("abandoned".into(), "Unset".into()));
    }
    for method in [Method::HEAD, Method::GET] {
        send(service.media_request(method.clone(), url)).await.is("hit");
        send(service.media_request(method, url).header("x-unknown", "1")).await.is("hit");
    }
    for complete in [collector.wait_for("HEAD /media", 2).await, collector.wait_for("GET /media", 5).await.split_off(3)].concat() {
        assert_eq!(end(&complete), (String::new(), "Unset".into()), "{complete:?}");
    }
}

#[tokio::test]
async fn unusable_endpoint_or_sampler_is_reported_before_the_service_starts() {
    let dir = ServiceDirectory::create();
    for (option, value, words) in [
        ("--otlp-endpoint", "localhost:4318", "it must be a URL such as http://127.0.0.1:4318"),
        ("--otlp-endpoint", "http://127.0.0.1:4318/?a", "without a query"),
        ("--trace-ratio", "2", "it must be a number from 0 to 1"),
    ] {
        for command in [&["serve"][..], &["config", "check"]] {
            let failed = dir.run(&[command, &[option, value]].concat()).await;
            assert!(failed.failed_with(2).contains(words), "{command:?} {option} {value}");
        }
    }
    for command in [&["serve"][..], &["config", "check"]] {
        let failed = dir.run(&[command, ALL].concat()).await;
        assert!(failed.failed().contains("--trace-ratio has no effect without --otlp-endpoint"), "{command:?}");
    }
    for (name, value) in [
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://localhost:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
    ] {
        for command in [&["serve"][..], &["config", "check"]] {
            let arguments = [command, &["--otlp-endpoint", "environment", "--dir", "cache"]].concat();
            let failed = run_in(&dir.path(""), &[(name, value)], &arguments).await;
            assert!(failed.failed().contains(name), "{command:?} {name}={value}");
        }
    }
}
