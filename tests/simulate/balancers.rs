//! Other ways of consistent hashing, in their simplest form.

use media_cache_simulator::{Balancer, fingerprint};

fn hash(text: &str) -> u64 {
    fingerprint(text.as_bytes())
}

/// Rendezvous hashing: each key belongs to the node with the highest hash of key and node.
pub struct Rendezvous(Vec<u32>);

impl Balancer for Rendezvous {
    fn new(nodes: &[u32]) -> Self {
        Self(nodes.to_vec())
    }

    fn position(&self, fingerprint: u64) -> usize {
        (0..self.0.len()).max_by_key(|position| hash(&format!("{fingerprint} on node {}", self.0[*position]))).unwrap()
    }
}

/// A ring with 160 points for each node, as in nginx: each key belongs to the node with the next point.
pub struct Ring(Vec<(u64, usize)>);

impl Balancer for Ring {
    fn new(nodes: &[u32]) -> Self {
        let point = |position: usize, point: u32| (hash(&format!("point {point} of node {}", nodes[position])), position);
        let mut points: Vec<_> =
            (0..nodes.len()).flat_map(|position| (0..160).map(move |number| point(position, number))).collect();
        points.sort_unstable();
        Self(points)
    }

    fn position(&self, fingerprint: u64) -> usize {
        let next = self.0.partition_point(|(point, _)| *point < fingerprint);
        self.0.get(next).unwrap_or(&self.0[0]).1
    }
}
