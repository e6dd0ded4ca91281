//! The documented queries, the dashboard and the alerts, run by a real Prometheus: every query matches series of the service, and every
//! alert fires for its own incident and for no other.

use media_cache_test_support::certificates::{FIRST, serve_tls};
use media_cache_test_support::command::CommandOutput;
use media_cache_test_support::http_origin::{ClosedPort, HttpOrigin, Page};
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::workspace::{workspace_file, workspace_path};
use serde_json::{Value, json};

use crate::alerts::{RULES, alerts};
use crate::grafana;
use crate::promtool::promtool;

/// The labels that Prometheus adds to the series of a target.
const TARGET: &str = r#"job="media-cache",instance="127.0.0.1:8080""#;

/// The number of samples in a series: one a minute, for two hours.
const SAMPLES: u32 = 120;

/// Series that differ from normal operation: the start of their name, a label, a start value, and a step per minute.
type Change = (&'static str, &'static str, f64, f64);

/// Incidents: the only alert that fires, and the series that differ from normal operation.
const INCIDENTS: [(&str, &[Change]); 21] = [
    ("MediaCacheNotReady", &[("media_cache_ready", "", 0.0, 0.0)]),
    ("MediaCacheNotReady", &[("up", "", 0.0, 0.0), ("media_cache_", "", f64::NAN, 0.0), ("process_", "", f64::NAN, 0.0)]),
    ("MediaCacheDegraded", &[("media_cache_health", "state=\"degraded\"", 1.0, 0.0)]),
    ("MediaCacheComponentRestarts", &[("media_cache_component_restarts_total", "", 0.0, 1.0)]),
    ("MediaCachePolicyDisabled", &[("media_cache_policy_fallbacks_total", "", 0.0, 1.0)]),
    ("MediaCacheDiskFails", &[("media_cache_store_failures_total", "", 0.0, 1.0)]),
    ("MediaCacheDownloadsFail", &[("media_cache_downloads_total", "outcome=\"unreachable\"", 0.0, 60.0)]),
    ("MediaCacheDownloadsFail", &[("media_cache_downloads_total", "outcome=\"origin-status\"", 0.0, 60.0)]),
    ("MediaCacheLogLinesLost", &[("media_cache_log_lines_lost_total", "reason=\"write-failed\"", 0.0, 1.0)]),
    ("MediaCacheFileDescriptors", &[("process_open_fds", "", 900.0, 0.0), ("process_max_fds", "", 1024.0, 0.0)]),
    ("MediaCacheDamaged", &[("media_cache_damaged_total", "", 0.0, 1.0)]),
    ("MediaCacheDamaged", &[("media_cache_integrity_checks_total", "outcome=\"damaged\"", 0.0, 1.0)]),
    ("MediaCacheDamaged", &[("media_cache_integrity_checks_total", "outcome=\"unreadable\"", 0.0, 1.0)]),
    ("MediaCacheOverBudget", &[("media_cache_other_disk_bytes", "", 1e12, 0.0)]),
    (
        "MediaCacheErrors",
        &[
            ("media_cache_requests_total", "outcome=\"hit-disk\"", 0.0, 90.0),
            ("media_cache_requests_total", "outcome=\"overloaded\"", 0.0, 1.0),
        ],
    ),
    ("MediaCacheDownloadsRejected", &[("media_cache_wait_queue_rejections_total", "", 0.0, 1.0)]),
    ("MediaCacheConnectionsRefused", &[("media_cache_connections_refused_total", "reason=\"limit\"", 0.0, 1.0)]),
    ("MediaCacheCertificateExpires", &[("media_cache_tls_certificate_expiry_seconds", "", 86400.0, 0.0)]),
    ("MediaCacheTierUnavailable", &[("media_cache_tier_available", "operation=\"write\"", 0.0, 0.0)]),
    ("MediaCacheRestarts", &[("process_start_time_seconds", "", 0.0, 60.0)]),
    (
        "MediaCacheEvictsEarly",
        &[("media_cache_entries", "", 3600.0, 0.0), ("media_cache_evictions_total", "tier=\"disk\"", 0.0, 60.0)],
    ),
];

/// A series of the service: its name with its labels, its value, and whether it is a counter.
struct Series {
    name: String,
    value: f64,
    counts: bool,
}

/// All code blocks in `language` in the documents that contain `word`.
fn documented(language: &str, word: &str) -> Vec<String> {
    let documents = std::fs::read_dir(workspace_path("docs")).unwrap().map(|file| file.unwrap().path());
    let mut blocks = Vec::new();
    let pages = documents.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    for document in pages.chain([workspace_path("README.md")]) {
        let text = std::fs::read_to_string(document).unwrap();
        let fence = format!("```{language}\n");
        let fenced = text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
        blocks.extend(fenced.filter(|block| block.contains(word)));
    }
    assert!(!blocks.is_empty(), "no {language} with {word:?} in the documents");
    blocks
}

/// The documented queries.
fn queries() -> Vec<String> {
    let blocks = documented("promql", "");
    let without_comments = |query: &str| query.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    blocks.iter().flat_map(|block| block.split("\n\n").map(without_comments)).collect()
}

/// The series of a service after a hit, misses and failed downloads.
async fn scraped() -> Vec<Series> {
    let (origin, dir, closed) = (HttpOrigin::start().await, ServiceDirectory::create(), ClosedPort::reserve());
    let tier = tempfile::tempdir().unwrap();
    let service = serve_tls(&dir, FIRST, &["--tier", &format!("file://{}", tier.path().display())]).await;
    let url = origin.serves("/a.png", "image/png", png(1));
    service.media(&url).await.is("miss");
    service.media(&url).await.is("hit");
    service.media(&closed.url("/b.png")).await.problem(502);
    service.media(&origin.answers("/c.png", Page::status(418))).await.problem(502);
    service.media("http://10.1.2.3/d.png").await.problem(403);
    let text = String::from_utf8(service.get("/metrics").await.body.to_vec()).unwrap();
    // Prometheus adds the first. A request that the service itself failed to answer would add the second.
    let up = Series { name: format!("up{{{TARGET}}}"), value: 1.0, counts: false };
    let overloaded = format!("media_cache_requests_total{{route=\"/media\",method=\"GET\",outcome=\"overloaded\",{TARGET}}}");
    let overloaded = Series { name: overloaded, value: 0.0, counts: true };
    let (mut series, mut counts) = (vec![up, overloaded], false);
    for line in text.lines().filter(|line| !line.starts_with("# HELP ")) {
        if line.starts_with("# TYPE ") {
            counts = !line.ends_with(" gauge");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let name = match name.strip_suffix('}') {
            Some(name) => format!("{name},{TARGET}}}"),
            None => format!("{name}{{{TARGET}}}"),
        };
        series.push(Series { name, value: value.parse().unwrap(), counts });
    }
    series
}

/// A series that grows by `step` with each sample. It has no samples if it starts with NaN.
fn samples(series: &str, start: f64, step: f64) -> Value {
    let values = if start.is_nan() { format!("_x{SAMPLES}") } else { format!("{start}+{step}x{SAMPLES}") };
    json!({ "series": series, "values": values })
}

/// A test that evaluates expressions at the last sample. Each returns one sample with the value 1 and these labels, or nothing.
fn case(series: Vec<Value>, expected: &[(String, Option<String>)]) -> Value {
    let expected = expected.iter().map(|(expression, labels)| {
        let samples: Vec<Value> = labels.iter().map(|labels| json!({ "labels": labels, "value": 1 })).collect();
        json!({ "expr": expression, "eval_time": format!("{SAMPLES}m"), "exp_samples": samples })
    });
    json!({ "interval": "1m", "input_series": series, "promql_expr_test": expected.collect::<Vec<_>>() })
}

/// Runs tests with the documented rules.
async fn run(cases: Vec<Value>) -> CommandOutput {
    let dir = ServiceDirectory::create();
    dir.write("rules.yml", workspace_file(RULES).as_bytes());
    let tests = json!({ "rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": cases });
    promtool(&["test", "rules"], &dir.write("tests.yml", tests.to_string().as_bytes())).await
}

#[tokio::test]
async fn documented_configuration_is_valid() {
    if media_cache_test_skip::unless_installed("promtool") {
        return;
    }
    let dir = ServiceDirectory::create();
    for block in documented("yaml", "scrape_configs:") {
        promtool(&["check", "config", "--syntax-only"], &dir.write("documented.yml", block.as_bytes())).await.succeeded();
    }
}

#[tokio::test]
async fn every_documented_query_matches_metrics_of_the_service() {
    if media_cache_test_skip::unless_installed("promtool") {
        return;
    }
    let series = scraped().await;
    // Every counter grows.
    let series = series.iter().map(|series| samples(&series.name, series.value, f64::from(u8::from(series.counts))));
    // `group` turns everything that a query returns into one sample with the value 1.
    let expected: Vec<_> = queries().into_iter().map(|query| (format!("group(({query}) > 0)"), Some("{}".to_owned()))).collect();
    assert!(expected.len() > 5);
    run(vec![case(series.collect(), &expected)]).await.succeeded();
}

#[tokio::test]
async fn query_that_matches_no_series_fails_the_check() {
    if media_cache_test_skip::unless_installed("promtool") {
        return;
    }
    let unmatched = [("group((media_cache_entries / media_cache_evictions_total) > 0)".to_owned(), Some("{}".to_owned()))];
    let series = scraped().await.iter().map(|series| samples(&series.name, series.value, 1.0)).collect();
    let output = run(vec![case(series, &unmatched)]).await;
    assert!(
        output.stderr.contains("media_cache_evictions_total") || output.text().contains("media_cache_evictions_total"),
        "{output:?}"
    );
    assert_ne!(output.code, Some(0));
}

#[tokio::test]
async fn every_documented_alert_fires_only_for_its_incident() {
    if media_cache_test_skip::unless_installed("promtool") {
        return;
    }
    let scraped = scraped().await;
    for alert in alerts() {
        assert!(INCIDENTS.iter().any(|(name, _)| *name == alert), "nothing makes {alert} fire");
    }
    // `group` turns all series of an alert into one sample with the value 1.
    let firing = |name: Option<&str>| {
        let expression = "group by (alertname) (ALERTS{alertstate=\"firing\"})".to_owned();
        [(expression, name.map(|name| format!("{{alertname=\"{name}\"}}")))]
    };
    // In normal operation downloads succeed, and no other counter grows.
    let usual = |series: &Series| {
        let step = if series.name.contains("outcome=\"success\"") { 10.0 } else { 0.0 };
        samples(&series.name, series.value, step)
    };
    let mut cases = vec![case(scraped.iter().map(usual).collect(), &firing(None))];
    for (alert, changes) in INCIDENTS {
        let is_changed = |series: &Series, name: &str, label: &str| series.name.starts_with(name) && series.name.contains(label);
        for (name, label, ..) in changes {
            assert!(scraped.iter().any(|series| is_changed(series, name, label)), "there is no {name} with {label}");
        }
        let series = scraped.iter().map(|series| match changes.iter().find(|(name, label, ..)| is_changed(series, name, label)) {
            Some((_, _, start, step)) => samples(&series.name, *start, *step),
            None => usual(series),
        });
        cases.push(case(series.collect(), &firing(Some(alert))));
    }
    run(cases).await.succeeded();
}

#[tokio::test]
async fn every_query_of_the_dashboard_matches_metrics_of_the_service() {
    if media_cache_test_skip::unless_installed("promtool") {
        return;
    }
    let series = scraped().await;
    let series = series.iter().map(|series| samples(&series.name, series.value, f64::from(u8::from(series.counts))));
    // Gauges may be 0, and nothing was started or swapped in the last minute.
    let queries = grafana::queries().into_iter().filter(|(title, _)| !["Starts", "Policy swaps"].contains(&title.as_str()));
    let expected: Vec<_> = queries.map(|(_, query)| (format!("group({query})"), Some("{}".to_owned()))).collect();
    run(vec![case(series.collect(), &expected)]).await.succeeded();
}

#[test]
fn rules_name_existing_outcomes() {
    let (rules, page) = (workspace_file(RULES), workspace_file("docs/http.md"));
    let mut names = 0;
    for outcomes in rules.split("_total{outcome=~\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        // The outcomes of the integrity check are not those of requests.
        for name in outcomes.split('|').filter(|name| !["damaged", "unreadable"].contains(name)) {
            assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/http.md");
            names += 1;
        }
    }
    assert!(names > 5);
}
