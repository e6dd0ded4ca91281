//! Three services behind each of the load balancers that `contrib` has configurations for. The configurations are used as they are shipped,
//! except for the addresses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod configurations;
mod failures;
mod fleet;
mod forwarding;
mod keys;
mod paths;
mod readiness;
#[cfg(feature = "tier")]
mod tier;

/// Defines a test for each load balancer. The tests are functions of a running [`Fleet`](fleet::Fleet).
macro_rules! with_each_balancer {
    ($($test:ident),+ $(,)?) => {
        $crate::with_each_balancer!(@ nginx Nginx: $($test),+);
        $crate::with_each_balancer!(@ haproxy Haproxy: $($test),+);
        $crate::with_each_balancer!(@ envoy Envoy: $($test),+);
    };
    (@ $name:ident $kind:ident: $($test:ident),+) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $test() {
                    let kind = media_cache_test_support::balancer::BalancerKind::$kind;
                    if !media_cache_test_skip::unless_installed(kind.program()) {
                        super::$test($crate::fleet::Fleet::start(kind).await).await;
                    }
                }
            )+
        }
    };
}

use with_each_balancer;
