//! What a load balancer passes on, and what it does not.

use http::Method;
use media_cache_test_support::fed_origin::FedOrigin;
use media_cache_test_support::http_client::{ADMIN_TOKEN, media_path, send};
use media_cache_test_support::images::png;
use media_cache_test_support::raw_client::RawClient;

use crate::fleet::{Fleet, NODES, digest_path, query_path};

crate::with_each_balancer!(
    ranges_conditions_head_and_preflights_are_passed_on,
    body_is_passed_on_as_it_arrives,
    only_requests_for_media_are_passed_on,
);

async fn ranges_conditions_head_and_preflights_are_passed_on(fleet: Fleet) {
    let large: Vec<u8> = png(1).into_iter().chain((0..3_000_000_u32).map(|number| (number % 251) as u8)).collect();
    let path = digest_path(&fleet.origin.serves("/large.png", "image/png", large.clone()), None);
    assert_eq!(fleet.get(&path).await.is("miss").body, large);
    fleet.holders(1).await;
    let whole = fleet.get(&path).await.is("hit");
    assert_eq!(whole.body, large);
    let (length, tag) = (large.len().to_string(), whole.header("etag").to_owned());
    let head = send(fleet.request(Method::HEAD, &path)).await.is("hit");
    assert_eq!((head.header("content-length"), head.header("etag"), head.body.len()), (&*length, &*tag, 0));
    let part = send(fleet.request(Method::GET, &path).header("range", "bytes=1000000-2999999")).await;
    assert_eq!((part.status, &part.body[..]), (206, &large[1_000_000..3_000_000]));
    assert_eq!(part.header("content-range"), format!("bytes 1000000-2999999/{length}"));
    let same = send(fleet.request(Method::GET, &path).header("if-none-match", &tag)).await;
    assert_eq!((same.status, same.header("etag"), same.body.len()), (304, &*tag, 0));
    for name in ["content-security-policy", "x-content-type-options", "cross-origin-resource-policy", "x-request-id"] {
        assert_eq!(whole.headers.get_all(name).iter().count(), 1, "{name}");
    }
    let page = fleet.request(Method::GET, &path).header("origin", "https://example.org");
    assert_eq!(send(page).await.header("access-control-allow-origin"), "*");
    let preflight = fleet.request(Method::OPTIONS, &path).header("origin", "https://example.org");
    let preflight = preflight.header("access-control-request-method", "GET").header("access-control-request-headers", "range");
    let allowed = send(preflight).await;
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (200, "*"));
    assert!(allowed.header("access-control-allow-headers").contains("range"), "{:?}", allowed.headers);
    // Nodes answer hits in the hit lane, which knows all headers that the balancer adds.
    let mut in_lane = 0.0;
    for node in 0..NODES {
        let metrics = fleet.metrics(node).await;
        let line = metrics.lines().find_map(|line| line.strip_prefix("media_cache_hit_lane_responses_total "));
        in_lane += line.unwrap().parse::<f64>().unwrap();
    }
    assert!(in_lane >= 4.0, "{in_lane} responses from the hit lane");
}

async fn body_is_passed_on_as_it_arrives(fleet: Fleet) {
    let slow = FedOrigin::start().await;
    let body = png(7);
    let path = digest_path(&slow.url("/slow.png"), None);
    let mut client = RawClient::connect_to(fleet.address()).await;
    client.send_get(&path).await;
    slow.send_head("image/png", None);
    slow.send(&body[..20]);
    slow.send(vec![0; 10_000]);
    // The origin has not sent the rest, and nothing else makes the test go on.
    let mut received = String::new();
    while !received.contains("PNG") {
        received += &client.read_bytes(1).await;
    }
    slow.send(&body[20..]);
    slow.close();
}

async fn only_requests_for_media_are_passed_on(fleet: Fleet) {
    let counted = async |index: usize| {
        let metrics = fleet.metrics(index).await;
        // Those of balancers and of this test.
        let others =
            |line: &&str| line.starts_with("media_cache_requests_total") && !line.contains("/readyz") && !line.contains("/metrics");
        metrics.lines().filter(others).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>()
    };
    let url = fleet.origin.serves("/a.png", "image/png", png(1));
    let before = [counted(0).await, counted(1).await, counted(2).await];
    for path in [
        "/",
        "/stats",
        "/metrics",
        "/entries",
        "/policy",
        "/dashboard",
        "/dashboard/events",
        "/policy/rollback",
        "/readyz",
        "//stats",
        "/media/../stats",
        "/media/x/..%2f..%2f..%2fstats",
        "/refresh?url=a",
    ] {
        let mut client = RawClient::connect_to(fleet.address()).await;
        client
            .send(format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\nConnection: close\r\n\r\n"))
            .await;
        let answered = client.read_to_end().await;
        assert!(answered.starts_with("HTTP/1.1 40"), "{path}: {answered}");
    }
    for (method, path) in [
        (Method::PUT, media_path(&url)),
        (Method::DELETE, query_path(&url, None)),
        (Method::POST, "/policy/rollback".into()),
        (Method::PUT, "/policy?name=lru".into()),
        (Method::POST, digest_path(&url, None)),
    ] {
        let answer = send(fleet.request(method.clone(), &path).bearer_auth(ADMIN_TOKEN).body("a")).await;
        assert!((400..500).contains(&answer.status), "{method} {path}: {}", answer.status);
    }
    assert_eq!([counted(0).await, counted(1).await, counted(2).await], before);
}
