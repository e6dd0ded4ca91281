//! The configurations, checked by the programs that read them.

use media_cache_test_support::balancer::BalancerKind;

fn check(kind: BalancerKind) {
    if media_cache_test_skip::unless_installed(kind.program()) {
        return;
    }
    let output = kind.check();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    let warnings: Vec<_> = said.lines().filter(|line| line.to_ascii_lowercase().contains("warn")).collect();
    assert_eq!(warnings, Vec::<&str>::new(), "{said}");
}

#[test]
fn nginx_accepts_its_configuration() {
    check(BalancerKind::Nginx);
}

#[test]
fn haproxy_accepts_its_configuration() {
    check(BalancerKind::Haproxy);
}

#[test]
fn envoy_accepts_its_configuration() {
    check(BalancerKind::Envoy);
}

/// A node reports its own timeouts only if the balancer waits longer.
#[test]
fn balancers_wait_longer_than_a_node_may_take() {
    let limits = include_str!("../../docs/operations.md");
    assert!(limits.contains("`--gif-max-seconds` (390 s by default)"), "the longest time of a node has changed");
    for (kind, timeout) in [
        (BalancerKind::Nginx, "proxy_read_timeout 400s;"),
        (BalancerKind::Haproxy, "timeout server 400s"),
        (BalancerKind::Envoy, "idle_timeout: 400s"),
    ] {
        assert!(kind.shipped().contains(timeout), "{timeout}");
    }
}
