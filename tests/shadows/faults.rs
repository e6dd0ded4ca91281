//! A shadow is as powerless as a policy: one with a fault is dropped and named, and the others are not affected.

use media_cache::policy::PolicyOrigin;
use media_cache_shadows::ShadowState;
use media_cache_test_components as hostile;

use crate::live::{ENGINE, Live, options};

#[test]
fn shadow_that_traps_loops_or_exhausts_its_memory_is_dropped_and_named() {
    let mut options = options(&["lru"]);
    let faulty = [
        ("traps", hostile::TRAPS),
        ("loops", hostile::LOOPS),
        ("allocates", hostile::ALLOCATES),
        ("names millions", hostile::NAMES_MILLIONS),
        ("traps in create", hostile::LOOPS_IN_CREATE),
    ];
    for (_, component) in faulty {
        options.policies.push(ENGINE.compile(PolicyOrigin::Upload, component).unwrap().into());
    }
    let mut live = Live::new("lru", 100_000, options);
    for object in 0..3000 {
        live.request(object * object % 997, 1000);
        live.process();
    }
    let report = live.report();
    assert!(report.enabled);
    assert_eq!(report.shadows[0].state, ShadowState::Counting);
    assert_eq!(report.shadows[0].points[2].total.misses, live.counts().object_misses);
    for (shadow, (name, _)) in report.shadows[1..].iter().zip(faulty) {
        assert_eq!((shadow.state, shadow.memory_bytes), (ShadowState::Dropped, 0), "{name}");
        assert!(shadow.why.as_ref().is_some_and(|why| !why.is_empty()), "{name}");
    }
}

#[test]
fn shadows_report_that_all_were_dropped() {
    let mut options = options(&[]);
    options.policies.push(ENGINE.compile(PolicyOrigin::Upload, hostile::TRAPS).unwrap().into());
    let mut live = Live::new("lru", 100_000, options);
    (0..3000).for_each(|object| _ = live.request(object, 1000));
    live.process();
    let report = live.report();
    assert!(!report.enabled && report.why_not.unwrap().contains("dropped"));
}

#[test]
fn answers_with_unknown_ids_are_replaced_by_least_recently_used_entries() {
    let mut options = options(&["lru"]);
    options.policies.push(ENGINE.compile(PolicyOrigin::Upload, hostile::NAMES_STRANGERS).unwrap().into());
    let mut live = Live::new("lru", 100_000, options);
    (0..5000).for_each(|object| _ = live.request(object * object % 997, 1000));
    live.process();
    let report = live.report();
    let [lru, strangers] = &report.shadows[..] else { panic!("not two shadows") };
    assert_ne!(strangers.state, ShadowState::Dropped);
    assert!(strangers.points[2].total.entries <= lru.points[2].total.entries);
}
