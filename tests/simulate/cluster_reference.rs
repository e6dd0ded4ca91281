//! A cluster of LRU nodes in its simplest form: maps and lists that are searched linearly.

use std::collections::BTreeMap;

use media_cache_simulator::{Balancer, ClusterCounts, Counts, Maglev, fingerprint};

/// Keys with their sizes, the least recently used first, in at most `capacity` bytes.
struct LruList {
    capacity: u64,
    objects: Vec<(u64, u64)>,
}

impl LruList {
    fn renew(&mut self, key: u64) -> bool {
        let position = self.objects.iter().position(|(stored, _)| *stored == key);
        position.map(|position| self.objects.remove(position)).map(|object| self.objects.push(object)).is_some()
    }

    fn bytes(&self) -> u64 {
        self.objects.iter().map(|(_, size)| size).sum()
    }

    /// Stores an object if it fits. Returns how many others were removed, or `None` if it was not stored.
    fn insert(&mut self, key: u64, size: u64) -> Option<u64> {
        let before = self.objects.len();
        if size > self.capacity {
            return None;
        }
        while self.bytes() + size > self.capacity {
            self.objects.remove(0);
        }
        self.objects.push((key, size));
        Some((before + 1 - self.objects.len()) as u64)
    }
}

/// A cluster, whose counts are public.
pub struct ReferenceCluster {
    capacity: u64,
    running: BTreeMap<u32, LruList>,
    /// The numbers of the running nodes, and the balancer for them.
    numbers: Vec<u32>,
    balancer: Maglev,
    tier: Option<LruList>,
    /// The counts of each node, including those that were lost.
    pub nodes: BTreeMap<u32, Counts>,
    pub counts: ClusterCounts,
    pub tier_peak_bytes: u64,
}

impl ReferenceCluster {
    pub fn new(nodes: u32, capacity: u64, tier: Option<u64>) -> Self {
        let tier = tier.map(|capacity| LruList { capacity, objects: Vec::new() });
        let (running, numbers, counts) = (BTreeMap::new(), Vec::from_iter(1..=nodes), ClusterCounts::default());
        let balancer = Maglev::new(&numbers);
        let mut cluster = Self { capacity, running, numbers, balancer, tier, nodes: BTreeMap::new(), counts, tier_peak_bytes: 0 };
        (1..=nodes).for_each(|number| cluster.start(number));
        cluster
    }

    fn start(&mut self, number: u32) {
        self.running.insert(number, LruList { capacity: self.capacity, objects: Vec::new() });
        self.nodes.insert(number, Counts::default());
    }

    pub fn add(&mut self, number: u32) {
        self.start(number);
        self.balance();
    }

    pub fn lose(&mut self, number: u32) {
        self.running.remove(&number);
        self.balance();
    }

    fn balance(&mut self) {
        self.numbers = self.running.keys().copied().collect();
        self.balancer = Maglev::new(&self.numbers);
    }

    pub fn request(&mut self, key: u64, size: u64) {
        let number = self.numbers[self.balancer.position(fingerprint(key.to_string().as_bytes()))];
        let node = self.running.get_mut(&number).unwrap();
        let is_hit = node.renew(key);
        let evicted = if is_hit { None } else { node.insert(key, size) };
        for counts in [self.nodes.get_mut(&number).unwrap(), &mut self.counts.nodes] {
            counts.requests += 1;
            counts.requested_bytes += size;
            if !is_hit {
                counts.object_misses += 1;
                counts.missed_bytes += size;
            }
            if let Some(evicted) = evicted {
                counts.bytes_written += size;
                counts.evictions += evicted;
            }
        }
        let is_in_tier = self.tier.as_mut().is_some_and(|tier| tier.renew(key));
        if is_hit {
            return;
        }
        if self.tier.is_some() {
            self.counts.tier.lookups += 1;
        }
        if is_in_tier {
            self.counts.tier.hits += 1;
            self.counts.tier.bytes_read += size;
            return;
        }
        self.counts.origins.requests += 1;
        self.counts.origins.bytes += size;
        if let Some(tier) = &mut self.tier {
            if tier.insert(key, size).is_some() {
                self.counts.tier.bytes_written += size;
            }
            self.tier_peak_bytes = self.tier_peak_bytes.max(tier.bytes());
        }
    }
}
