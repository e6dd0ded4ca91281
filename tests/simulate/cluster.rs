//! Replays through several nodes with a tier behind them.

use std::collections::BTreeMap;
use std::fs::File;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use media_cache::policy::PolicySpec;
use media_cache_simulator::{
    Balancer, Cluster, ClusterOutcome, ClusterPlan, Counts, Job, Maglev, ObjectRequest, Outcome, Served, Trace, fingerprint, run,
    run_cluster,
};
use media_cache_test_support::workspace::workspace_path;
use proptest::prelude::*;

use crate::balancers::{Rendezvous, Ring};
use crate::cluster_reference::ReferenceCluster;
use crate::counts::{engine, start};
use crate::generated::{csv, requests};
use crate::process::MEDIA;

/// More than any trace contains.
const UNLIMITED: u64 = 1 << 50;

fn plan(nodes: u32, tier: Option<u64>, lose_at: Option<u8>, add_at: Option<u8>) -> ClusterPlan {
    ClusterPlan::new(NonZeroU32::new(nodes).unwrap(), tier, lose_at, add_at).unwrap()
}

fn read(requests: &[(u64, u64)]) -> Trace {
    Trace::read(csv(requests).as_bytes()).unwrap()
}

fn jobs(policies: &[&str], capacities: &[u64]) -> Vec<Job> {
    let job = |capacity: u64, policy: &&str| Job { choice: PolicySpec::built_in(policy).choose(engine()).unwrap(), capacity };
    capacities.iter().flat_map(|capacity| policies.iter().map(move |policy| job(*capacity, policy))).collect()
}

fn replay(trace: &Trace, jobs: &[Job], plan: &ClusterPlan) -> Vec<ClusterOutcome> {
    run_cluster(engine(), trace, jobs, plan, NonZeroUsize::MIN, &|_replayed| {}).unwrap()
}

fn replay_lru(trace: &Trace, capacity: u64, plan: &ClusterPlan) -> ClusterOutcome {
    replay(trace, &jobs(&["lru"], &[capacity]), plan).remove(0)
}

#[test]
fn one_node_without_a_tier_has_the_counts_of_a_single_cache() {
    let (trace, jobs) = (read(&requests(8000, 1)), jobs(&media_cache::embedded::policy_names(), &[3001, 65_537, 1 << 40]));
    let single = run(engine(), &trace, &jobs, NonZeroUsize::MIN, &|_replayed| {}).unwrap();
    let outcomes = replay(&trace, &jobs, &plan(1, None, None, None));
    assert_eq!(outcomes.len(), single.len());
    for (Outcome { policy, capacity, counts, options, .. }, outcome) in single.iter().zip(outcomes) {
        assert_eq!((&outcome.total.policy, &outcome.total.options, outcome.total.capacity), (policy, options, *capacity));
        assert_eq!(outcome.total.counts, *counts, "{policy} at {capacity}");
        assert_eq!(outcome.nodes.iter().map(|node| node.counts).collect::<Vec<_>>(), [*counts]);
        assert_eq!((outcome.counts.origins.requests, outcome.counts.origins.bytes), (counts.object_misses, counts.missed_bytes));
    }
}

/// A plan with up to five nodes, with a tier or without one, and with changes or without them.
fn plans() -> impl Strategy<Value = ClusterPlan> {
    let change = || prop::option::of(1u8..=99);
    let plan = |(nodes, tier, lose_at, add_at)| ClusterPlan::new(NonZeroU32::new(nodes).unwrap(), tier, lose_at, add_at).ok();
    let tier = prop::option::of(prop_oneof![1u64..200, 1u64..4000, Just(UNLIMITED)]);
    (1u32..=5, tier, change(), change()).prop_filter_map("the only node cannot be lost", plan)
}

/// Up to 400 requests for up to 40 objects whose sizes change.
fn traces() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0u64..40, 1u64..100), 1..=400)
}

/// Replays requests through the reference.
fn reference(requests: &[(u64, u64)], capacity: u64, plan: &ClusterPlan) -> ReferenceCluster {
    let mut cluster = ReferenceCluster::new(plan.nodes(), capacity, plan.tier());
    let (lost, added) = (plan.lost(requests.len()), plan.added(requests.len()));
    for (position, (key, size)) in requests.iter().enumerate() {
        for (number, _) in added.iter().filter(|(_, after)| *after == position) {
            cluster.add(*number);
        }
        for (number, _) in lost.iter().filter(|(_, after)| *after == position) {
            cluster.lose(*number);
        }
        cluster.request(*key, *size);
    }
    cluster
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn cluster_of_lru_nodes_has_the_counts_of_a_simple_reference(requests in traces(), capacity in 1u64..2000, plan in plans()) {
        let outcome = replay_lru(&read(&requests), capacity, &plan);
        let reference = reference(&requests, capacity, &plan);
        prop_assert_eq!(outcome.counts, reference.counts);
        prop_assert_eq!(outcome.tier_peak_bytes, reference.tier_peak_bytes);
        let nodes: BTreeMap<u32, Counts> = outcome.nodes.iter().map(|node| (node.number, node.counts)).collect();
        prop_assert_eq!(nodes, reference.nodes);
    }

    #[test]
    fn every_request_is_served_by_a_node_the_tier_or_an_origin(
        requests in traces(), capacity in 1u64..2000, plan in plans(), policy in prop::sample::select(media_cache::embedded::policy_names()),
    ) {
        let trace = read(&requests);
        let outcome = replay(&trace, &jobs(&[policy], &[capacity]), &plan).remove(0);
        let (nodes, tier, origins) = (outcome.counts.nodes, outcome.counts.tier, outcome.counts.origins);
        prop_assert_eq!((nodes.requests, nodes.requested_bytes), (requests.len() as u64, trace.bytes()));
        prop_assert_eq!(nodes.object_misses, tier.hits + origins.requests);
        prop_assert_eq!(nodes.missed_bytes, tier.bytes_read + origins.bytes);
        prop_assert_eq!(tier.lookups, if plan.tier().is_some() { nodes.object_misses } else { 0 });
        prop_assert!(tier.bytes_written <= origins.bytes && outcome.tier_peak_bytes <= plan.tier().unwrap_or(0));
        prop_assert_eq!(outcome.nodes.iter().map(|node| node.counts).sum::<Counts>(), nodes);
        prop_assert_eq!(outcome.phases.iter().map(|phase| phase.counts.nodes).sum::<Counts>(), nodes);
        prop_assert_eq!(outcome.phases.iter().map(|phase| phase.counts.origins.bytes).sum::<u64>(), origins.bytes);
        prop_assert_eq!(outcome.phases.iter().map(|phase| phase.counts.tier.bytes_read).sum::<u64>(), tier.bytes_read);
        for phase in &outcome.phases {
            prop_assert_eq!(phase.counts.nodes.requests, (phase.to - phase.from) as u64);
        }
    }

    #[test]
    fn unlimited_tier_sends_one_request_for_each_object_to_the_origins(requests in traces(), capacity in 1u64..2000, nodes in 1u32..6) {
        let trace = read(&requests);
        let outcome = replay_lru(&trace, capacity, &plan(nodes, Some(UNLIMITED), Some(60).filter(|_| nodes > 1), Some(30)));
        let mut sizes = BTreeMap::new();
        for (key, size) in &requests {
            sizes.entry(*key).or_insert(*size);
        }
        prop_assert_eq!(outcome.counts.origins.requests, trace.objects() as u64);
        prop_assert_eq!(outcome.tier_peak_bytes, sizes.values().sum::<u64>());
    }
}

#[test]
fn number_of_threads_does_not_change_the_outcomes() {
    let (trace, jobs) = (read(&requests(5000, 3)), jobs(&["lru", "s3-fifo", "gdsf"], &[3001, 30_011]));
    let plan = plan(3, Some(50_000), Some(40), Some(70));
    let counts = |threads: usize| {
        let outcomes = run_cluster(engine(), &trace, &jobs, &plan, NonZeroUsize::new(threads).unwrap(), &|_replayed| {}).unwrap();
        outcomes.into_iter().map(|outcome| (outcome.counts, outcome.nodes, outcome.phases)).collect::<Vec<_>>()
    };
    let first = counts(1);
    assert_eq!(first.len(), 6);
    assert!(first == counts(1) && first == counts(4));
}

#[test]
fn progress_adds_up_to_the_planned_requests() {
    let trace = read(&requests(5000, 3));
    for plan in [plan(3, None, None, None), plan(2, Some(9000), Some(40), Some(70))] {
        let replayed = AtomicU64::new(0);
        let progress = |done| {
            replayed.fetch_add(done, Relaxed);
        };
        run_cluster(engine(), &trace, &jobs(&["lru"], &[3001, 9000]), &plan, NonZeroUsize::MIN, &progress).unwrap();
        assert_eq!(replayed.into_inner(), 2 * plan.replayed_requests(&trace));
    }
}

/// The node of each of many keys.
fn nodes_of_keys<B: Balancer>(numbers: &[u32]) -> Vec<u32> {
    let balancer = B::new(numbers);
    (0..50_000u32).map(|key| numbers[balancer.position(fingerprint(&key.to_le_bytes()))]).collect()
}

/// The shares of keys that move to a new node, and between the other nodes, when the node is added. `tolerance` is the greatest relative
/// difference from an equal share.
fn check_moves<B: Balancer>(nodes: u32, tolerance: f64, most_others: f64) {
    let (before, after) = (nodes_of_keys::<B>(&Vec::from_iter(1..=nodes)), nodes_of_keys::<B>(&Vec::from_iter(1..=nodes + 1)));
    let share = |count: usize| count as f64 / before.len() as f64;
    let moved = |to_new: bool| {
        let is_counted = |(one, other): &(&u32, &u32)| one != other && (**other == nodes + 1) == to_new;
        share(before.iter().zip(&after).filter(is_counted).count())
    };
    let (to_new, others, fair) = (moved(true), moved(false), 1.0 / f64::from(nodes + 1));
    assert!((to_new / fair - 1.0).abs() <= tolerance, "{to_new} of the keys move to node {}", nodes + 1);
    assert!(others <= most_others, "{others} of the keys move between the first {nodes} nodes");
}

#[test]
fn added_node_takes_over_its_share_of_the_keys_and_few_others_move() {
    for nodes in [1, 2, 3, 5, 10, 30] {
        check_moves::<Maglev>(nodes, 0.1, 0.007);
        check_moves::<Rendezvous>(nodes, 0.1, 0.0);
        check_moves::<Ring>(nodes, 0.3, 0.0);
    }
}

#[test]
fn keys_of_a_lost_node_are_spread_over_the_others() {
    let (before, after) = (nodes_of_keys::<Maglev>(&[1, 2, 3, 4]), nodes_of_keys::<Maglev>(&[1, 2, 4]));
    let others = before.iter().zip(&after).filter(|(before, after)| **before != 3 && before != after).count();
    assert!(others < before.len() / 100, "{others} of the other keys move");
    for node in [1, 2, 4] {
        let taken = before.iter().zip(&after).filter(|(before, after)| **before == 3 && **after == node).count();
        assert!((3900..4400).contains(&taken), "node {node} takes {taken} keys");
    }
}

/// The object and byte miss ratios of three nodes, before and after a fourth one is added, on the trace in the repository.
fn miss_ratios<B: Balancer>(trace: &Trace) -> [f64; 4] {
    const CAPACITY: u64 = 512 << 20;
    let mut cluster = Cluster::<_, B>::new((0..3).map(|_| start("lru", CAPACITY)).collect(), CAPACITY, None);
    let mut ratios = Vec::new();
    let mut before = cluster.counts();
    for half in trace.requests().chunks(trace.requests().len() / 2) {
        for request in half {
            cluster.request(&ObjectRequest::of(request, trace.fingerprint(request.object))).unwrap();
        }
        let counts = cluster.counts().since(&before).nodes;
        ratios.extend([counts.object_miss_ratio(), counts.byte_miss_ratio()]);
        before = cluster.counts();
        cluster.add(start("lru", CAPACITY));
    }
    ratios.try_into().unwrap()
}

#[test]
fn miss_ratios_depend_little_on_the_kind_of_consistent_hashing() {
    let trace = Trace::read(File::open(workspace_path(MEDIA)).unwrap()).unwrap();
    let maglev = miss_ratios::<Maglev>(&trace);
    for other in [miss_ratios::<Rendezvous>(&trace), miss_ratios::<Ring>(&trace)] {
        for (one, other) in maglev.iter().zip(&other) {
            assert!((one - other).abs() < 0.01, "{maglev:?} and {other:?}");
        }
    }
    assert!(maglev.iter().all(|ratio| (0.2..0.8).contains(ratio)), "{maglev:?}");
}

/// Requests for 500 objects, and then for the same again.
fn twice() -> Trace {
    let once: Vec<(u64, u64)> = (0..500).map(|key| (key, 10)).collect();
    read(&[&once[..], &once[..]].concat())
}

/// The keys in [`twice`] that belong to another node of the second list than of the first one.
fn moved(before: &[u32], after: &[u32]) -> u64 {
    let (first, second) = (Maglev::new(before), Maglev::new(after));
    let fingerprints = (0..500u64).map(|key| fingerprint(key.to_string().as_bytes()));
    fingerprints.filter(|key| before[first.position(*key)] != after[second.position(*key)]).count() as u64
}

#[test]
fn added_node_is_empty_and_fills_from_the_tier() {
    let moved = moved(&[1, 2, 3], &[1, 2, 3, 4]);
    assert!((100..150).contains(&moved), "{moved}");
    for (tier, from_tier, from_origins) in [(None, 0, moved), (Some(UNLIMITED), moved, 0)] {
        let outcome = replay_lru(&twice(), UNLIMITED, &plan(3, tier, None, Some(50)));
        let [before, after] = &outcome.phases[..] else { panic!("{:?}", outcome.phases) };
        assert_eq!((before.nodes, after.nodes, before.unchanged), (3, 4, None));
        assert_eq!((after.counts.tier.hits, after.counts.origins.requests), (from_tier, from_origins));
        assert_eq!(after.unchanged.unwrap().nodes.object_misses, 0);
    }
}

#[test]
fn lost_node_takes_its_contents_with_it() {
    let outcome = replay_lru(&twice(), UNLIMITED, &plan(4, None, Some(50), None));
    let lost: Vec<_> = outcome.nodes.iter().filter(|node| node.is_lost).map(|node| node.number).collect();
    assert_eq!(lost, [4]);
    assert!(outcome.nodes[3].counts.requests > 100);
    assert_eq!(outcome.phases[1].counts.origins.requests, moved(&[1, 2, 3, 4], &[1, 2, 3]));
    assert_eq!(outcome.phases[1].unchanged.unwrap().origins.requests, 0);
}

#[test]
fn cluster_reports_where_each_request_was_served() {
    let mut cluster = Cluster::<_, Maglev>::new(vec![start("lru", 20), start("lru", 20)], 20, Some(25));
    let key = |node: u32| {
        (0..)
            .map(|key: u32| fingerprint(&key.to_le_bytes()))
            .filter(move |key| Maglev::new(&[1, 2]).position(*key) == node as usize - 1)
    };
    let (first, second) = (key(1).next().unwrap(), key(2).next().unwrap());
    let mut serve = |key: u64, size: u64| cluster.request(&ObjectRequest::new(key, size, 0)).unwrap();
    assert_eq!([serve(first, 10), serve(first, 10), serve(second, 15)], [Served::Origin, Served::Node, Served::Origin]);
    // The hit on the node was a use in the tier, so the other object is deleted there.
    assert_eq!([serve(first, 10), serve(second ^ 1 << 63, 15)], [Served::Node, Served::Origin]);
    assert!(cluster.lose(1) && !cluster.lose(2) && !cluster.lose(1));
    assert_eq!(cluster.request(&ObjectRequest::new(first, 10, 0)).unwrap(), Served::Tier);
    assert_eq!(cluster.node_of(first), 2);
}
