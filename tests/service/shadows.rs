//! Shadow policies of a service, and `--policy auto`.

use media_cache_test_support::command::run;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::random::{Random, noise};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::soon::soon;
use serde_json::Value;

const POLICIES: [&str; 3] = ["lru", "s3-fifo", "gdsf:beta=0.5"];

/// A PNG with about this many bytes.
fn image(number: u64, size: usize) -> Vec<u8> {
    [png(number), noise(number, size)].concat()
}

async fn shadows(service: &Service) -> Value {
    let response = service.get("/shadows").await;
    assert_eq!(response.status, 200);
    response.json()
}

/// The report once the shadows have simulated this many requests.
async fn shadows_after(service: &Service, requests: u64) -> Value {
    soon(async {
        loop {
            let report = shadows(service).await;
            if report["shadows"][0]["points"][0]["total"]["requests"] == requests {
                return report;
            }
        }
    })
    .await
}

#[tokio::test]
async fn shadows_count_what_simulate_counts_for_the_recorded_trace() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let trace = dir.path("trace.csv");
    let mut arguments = vec!["--max-size-mb", "1", "--record-trace", trace.to_str().unwrap()];
    POLICIES.iter().for_each(|policy| arguments.extend(["--shadow", policy]));
    let service = dir.serve_with(&arguments).await;
    let urls: Vec<String> = (0..80u64)
        .map(|number| origin.serves(&format!("/{number}.png"), "image/png", image(number, (number * number * 7) as usize)))
        .collect();
    let mut random = Random(3);
    let requests = 600;
    for _ in 1..requests {
        // Lower numbers are more popular.
        let number = random.below(80) * random.below(80) / 80;
        service.media(&urls[number as usize]).await;
    }
    // Hits are reported with the next miss.
    service.media(&origin.serves("/last.png", "image/png", image(99, 10))).await.is("miss");
    let report = shadows_after(&service, requests).await;
    assert_eq!((&report["sampling"]["rate"], &report["live"]["policy"]), (&1.0.into(), &"lru".into()));
    service.stop().await;

    let capacities: Vec<String> =
        report["capacities"].as_array().unwrap().iter().map(|capacity| capacity["bytes"].to_string()).collect();
    let (capacities, trace) = (capacities.join(","), trace.to_str().unwrap());
    let mut arguments = vec!["simulate", "--json", "--capacity", &capacities];
    POLICIES.iter().for_each(|policy| arguments.extend(["--policy", policy]));
    arguments.push(trace);
    let rows: Vec<Value> = serde_json::from_str(&run(&arguments).await.succeeded_text()).unwrap();
    assert_eq!(rows.len(), 15);
    for shadow in report["shadows"].as_array().unwrap() {
        let name = shadow["policy"].as_str().unwrap().split(':').next().unwrap();
        for point in shadow["points"].as_array().unwrap() {
            let is_same = |row: &&Value| row["policy"] == name && row["capacity"] == point["capacity_bytes"];
            let row = rows.iter().find(is_same).unwrap();
            let total = &point["total"];
            for (of_shadow, of_row) in [
                ("misses", "object_misses"),
                ("missed_bytes", "missed_bytes"),
                ("evictions", "evictions"),
                ("bytes_written", "bytes_written"),
            ] {
                assert_eq!(total[of_shadow], row[of_row], "{of_shadow} of {name} at {}: {total} {row}", point["factor"]);
            }
        }
        assert!(shadow["points"][0]["total"]["evictions"].as_u64() > Some(0));
    }
}

#[tokio::test]
async fn put_entries_and_entries_from_an_earlier_run_are_known_to_shadows() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--shadow", "lru"]).await;
    let url = origin.serves("/a.png", "image/png", image(1, 100));
    service.media(&url).await.is("miss");
    service.put("https://example.com/b.png", "image/png", png(2)).await;
    service.stop().await;
    let service = dir.serve_with(&["--shadow", "lru"]).await;
    service.media(&url).await.is("hit");
    service.media("https://example.com/b.png").await.is("hit");
    service.media(&origin.serves("/c.png", "image/png", png(3))).await.is("miss");
    let report = shadows_after(&service, 3).await;
    let total = &report["shadows"][0]["points"][2]["total"];
    assert_eq!((&total["misses"], &total["entries"]), (&1.into(), &3.into()), "{total}");
    service.stop().await;
}

#[tokio::test]
async fn service_without_shadows_says_so() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--shadow", "none"]).await;
    assert_eq!(service.get("/shadows").await.code(), "no-shadows");
    service.stop().await;
    let service = dir.serve().await;
    let report = shadows(&service).await;
    let policies: Vec<&str> =
        report["shadows"].as_array().unwrap().iter().map(|shadow| shadow["policy"].as_str().unwrap()).collect();
    assert_eq!(policies, ["lru", "sieve", "s3-fifo", "gdsf:beta=0.5", "w-tinylfu", "hazard"]);
    assert_eq!((&report["span"], &report["advice"], &report["auto"]), (&Value::Null, &Value::Null, &Value::Null));
    service.stop().await;
}

#[tokio::test]
async fn unusable_shadow_is_refused_at_the_start_with_its_name() {
    let dir = ServiceDirectory::create();
    for (arguments, expected) in [
        (&["--shadow", "lur"][..], "--shadow lur"),
        (&["--shadow", "gdsf:beta=2"], "--shadow gdsf:beta=2"),
        (&["--shadow", "lru", "--shadow", "none"], "--shadow none"),
        (&["--policy", "auto", "--shadow", "none"], "--policy auto needs shadow policies"),
    ] {
        let output = dir.run(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat()).await;
        let message = output.failed();
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn policy_auto_switches_and_the_choice_is_remembered_until_another_policy_is_configured() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let auto = ["--policy", "auto", "--max-size-mb", "1", "--shadow", "lru", "--shadow", "gdsf", "--shadow-window-seconds", "1"];
    let service = dir.serve_with(&auto).await;
    let small: Vec<String> =
        (0..60).map(|number| origin.serves(&format!("/{number}.png"), "image/png", image(number, 1000))).collect();
    let large: Vec<String> =
        (100..110).map(|number| origin.serves(&format!("/{number}.png"), "image/png", image(number, 200_000))).collect();
    let mut number = 0;
    // LRU keeps the large images instead of the small ones, which are all that GDSF misses.
    let mut report = Value::Null;
    while report["auto"]["switches"].as_array().is_none_or(Vec::is_empty) {
        assert!(number < 100_000, "{report}");
        for _ in 0..70 {
            let url = if number % 6 == 0 { &large[number / 6 % 10] } else { &small[number % 60] };
            service.media(url).await;
            number += 1;
        }
        report = shadows(&service).await;
    }
    assert_eq!((&report["auto"]["switches"][0]["from"], &report["auto"]["switches"][0]["to"]), (&"lru".into(), &"gdsf".into()));
    service.wait_for_log("switched the policy from lru to gdsf").await;
    assert_eq!(service.get("/policy").await.json()["name"], "gdsf");
    service.stop().await;

    // The choice is remembered, as one by hand is.
    let service = dir.serve_with(&auto).await;
    assert_eq!(service.get("/policy").await.json()["name"], "gdsf");
    service.stop().await;
    let service = dir.serve_with(&["--policy", "lru", "--max-size-mb", "1"]).await;
    assert_eq!(service.get("/policy").await.json()["name"], "lru", "another policy is configured");
    service.stop().await;
}
