//! How a load balancer assigns keys to nodes.

use media_cache_trace::fingerprint;

/// Assigns keys to nodes by consistent hashing.
pub trait Balancer {
    /// A balancer for these nodes, of which there must be at least one. An assignment depends on nothing else.
    fn new(nodes: &[u32]) -> Self;

    /// The position of the node for a key in the list of nodes. Fingerprints are uniformly distributed.
    fn position(&self, fingerprint: u64) -> usize;
}

/// Maglev hashing, as in Envoy (Eisenbud et al., [Maglev: A Fast and Reliable Software Network Load
/// Balancer](https://www.usenix.org/conference/nsdi16/technical-sessions/presentation/eisenbud), NSDI 2016, section 3.4).
///
/// Each node has a permutation of all slots of a table. The nodes take turns; in each turn, a node takes the first slot of its permutation
/// that is still free. All nodes thus have equally many slots, give or take one. If a node is added or lost, few slots move between the other
/// nodes.
pub struct Maglev {
    /// The position of the node for each slot.
    slots: Vec<u32>,
}

/// The number of slots: a prime, so that every step from slot to slot reaches all of them. It is Envoy's default.
const SLOTS: u32 = 65_537;

/// The permutation of the slots for a node: a start, and a step from one slot to the next.
struct Permutation {
    slot: u32,
    step: u32,
}

impl Permutation {
    fn of(node: u32) -> Self {
        let hash = |purpose: &str| fingerprint(format!("node {node}, {purpose}").as_bytes());
        let below = |purpose, end: u32| (hash(purpose) % u64::from(end)) as u32;
        Self { slot: below("start", SLOTS), step: below("step", SLOTS - 1) + 1 }
    }
}

impl Iterator for Permutation {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let slot = self.slot;
        self.slot = (slot + self.step) % SLOTS;
        Some(slot)
    }
}

impl Balancer for Maglev {
    fn new(nodes: &[u32]) -> Self {
        const FREE: u32 = u32::MAX;
        let mut slots = vec![FREE; SLOTS as usize];
        let mut permutations: Vec<Permutation> = nodes.iter().map(|node| Permutation::of(*node)).collect();
        for turn in 0..slots.len() {
            let position = turn % nodes.len();
            if let Some(slot) = permutations[position].find(|slot| slots[*slot as usize] == FREE) {
                slots[slot as usize] = position as u32;
            }
        }
        Self { slots }
    }

    fn position(&self, fingerprint: u64) -> usize {
        self.slots[(fingerprint % u64::from(SLOTS)) as usize] as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(nodes: &[u32]) -> Vec<usize> {
        let maglev = Maglev::new(nodes);
        (0..nodes.len()).map(|position| maglev.slots.iter().filter(|slot| **slot as usize == position).count()).collect()
    }

    #[test]
    fn slots_are_shared_equally() {
        for nodes in [1, 2, 3, 7, 100, 500] {
            let shares = shares(&(1..=nodes).collect::<Vec<_>>());
            let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
            assert_eq!(shares.iter().sum::<usize>(), SLOTS as usize);
            assert!(most - least <= 1, "{nodes} nodes have {least} to {most} slots");
        }
    }

    #[test]
    fn assignment_depends_on_the_number_of_a_node_and_not_on_its_position() {
        let (all, rest) = (Maglev::new(&[1, 2, 3]), Maglev::new(&[2, 3]));
        let kept = |slot: &usize| all.slots[*slot] != 0 && all.slots[*slot] == rest.slots[*slot] + 1;
        let kept = (0..SLOTS as usize).filter(kept).count();
        assert!(kept as f64 > 0.99 * f64::from(SLOTS) * 2.0 / 3.0, "{kept}");
    }
}
