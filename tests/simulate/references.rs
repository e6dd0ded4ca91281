//! Reference policies in their simplest form: lists that are searched linearly.

/// A reference policy, which also stores the objects.
pub trait Reference {
    /// Records a request. Returns whether the object is stored.
    fn hit(&mut self, key: u64) -> bool;

    /// Handles a miss of an object that is not larger than the capacity. Returns how many others were evicted, and whether the object was
    /// stored.
    fn miss(&mut self, key: u64, size: u64) -> (u64, bool);
}

/// A stored object.
#[derive(Clone, Copy)]
struct Object {
    key: u64,
    size: u64,
}

fn sum(objects: &[Object]) -> u64 {
    objects.iter().map(|object| object.size).sum()
}

/// The coldest object comes first.
pub struct Lru {
    pub capacity: u64,
    order: Vec<Object>,
}

impl Lru {
    pub fn new(capacity: u64) -> Self {
        Self { capacity, order: Vec::new() }
    }
}

impl Reference for Lru {
    fn hit(&mut self, key: u64) -> bool {
        let at = self.order.iter().position(|object| object.key == key);
        at.is_some_and(|at| {
            let object = self.order.remove(at);
            self.order.push(object);
            true
        })
    }

    fn miss(&mut self, key: u64, size: u64) -> (u64, bool) {
        let mut evicted = 0;
        while sum(&self.order) + size > self.capacity {
            self.order.remove(0);
            evicted += 1;
        }
        self.order.push(Object { key, size });
        (evicted, true)
    }
}

/// The tail, which is the oldest object, comes first.
pub struct Sieve {
    capacity: u64,
    order: Vec<Object>,
    /// Keys whose bit is set.
    asked_for: Vec<u64>,
    /// The key that the hand is at.
    hand: Option<u64>,
}

impl Sieve {
    pub fn new(capacity: u64) -> Self {
        Self { capacity, order: Vec::new(), asked_for: Vec::new(), hand: None }
    }

    fn evict(&mut self) {
        let mut at = self.hand.and_then(|hand| self.order.iter().position(|object| object.key == hand)).unwrap_or(0);
        while let Some(bit) = self.asked_for.iter().position(|key| *key == self.order[at].key) {
            self.asked_for.remove(bit);
            at = (at + 1) % self.order.len();
        }
        self.order.remove(at);
        self.hand = self.order.get(at).map(|newer| newer.key);
    }
}

impl Reference for Sieve {
    fn hit(&mut self, key: u64) -> bool {
        let hit = self.order.iter().any(|object| object.key == key);
        if hit && !self.asked_for.contains(&key) {
            self.asked_for.push(key);
        }
        hit
    }

    fn miss(&mut self, key: u64, size: u64) -> (u64, bool) {
        let mut evicted = 0;
        while sum(&self.order) + size > self.capacity {
            self.evict();
            evicted += 1;
        }
        self.order.push(Object { key, size });
        (evicted, true)
    }
}

/// Objects in no particular order.
pub struct Gdsf {
    capacity: u64,
    kept: Vec<Ranked>,
    clock: f64,
    accesses: u64,
}

struct Ranked {
    object: Object,
    frequency: u64,
    priority: f64,
    access: u64,
}

impl Gdsf {
    pub fn new(capacity: u64) -> Self {
        Self { capacity, kept: Vec::new(), clock: 0.0, accesses: 0 }
    }
}

impl Reference for Gdsf {
    fn hit(&mut self, key: u64) -> bool {
        self.accesses += 1;
        let (clock, access) = (self.clock, self.accesses);
        let ranked = self.kept.iter_mut().find(|ranked| ranked.object.key == key);
        ranked.is_some_and(|ranked| {
            ranked.frequency += 1;
            ranked.priority = clock + ranked.frequency as f64 * 1e6 / ranked.object.size as f64;
            ranked.access = access;
            true
        })
    }

    fn miss(&mut self, key: u64, size: u64) -> (u64, bool) {
        let priority = self.clock + 1e6 / size as f64;
        self.kept.push(Ranked { object: Object { key, size }, frequency: 1, priority, access: self.accesses });
        let mut evicted = 0;
        let mut stored = true;
        while self.kept.iter().map(|ranked| ranked.object.size).sum::<u64>() > self.capacity {
            let rank = |at: &usize| (self.kept[*at].priority, self.kept[*at].access);
            let least = (0..self.kept.len()).min_by(|a, b| rank(a).partial_cmp(&rank(b)).unwrap()).unwrap();
            let popped = self.kept.remove(least);
            self.clock = popped.priority;
            if popped.object.key == key {
                stored = false;
            } else {
                evicted += 1;
            }
        }
        (evicted, stored)
    }
}

/// The oldest objects come first.
pub struct S3Fifo {
    capacity: u64,
    small: Vec<(Object, u64)>,
    main: Vec<(Object, u64)>,
    ghosts: Vec<Object>,
    has_evicted: bool,
}

impl S3Fifo {
    pub fn new(capacity: u64) -> Self {
        Self { capacity, small: Vec::new(), main: Vec::new(), ghosts: Vec::new(), has_evicted: false }
    }

    fn sum(queue: &[(Object, u64)]) -> u64 {
        queue.iter().map(|(object, _)| object.size).sum()
    }

    fn evict(&mut self) {
        self.has_evicted = true;
        let main_share = self.capacity - self.capacity / 10;
        let from_main = Self::sum(&self.main) > main_share;
        while !from_main && !self.small.is_empty() {
            let (object, frequency) = self.small.remove(0);
            if frequency < 2 {
                return self.remember(object);
            }
            self.main.push((object, 0));
        }
        loop {
            let (object, frequency) = self.main.remove(0);
            match frequency.min(3) {
                0 => return,
                some => self.main.push((object, some - 1)),
            }
        }
    }

    fn remember(&mut self, object: Object) {
        let capacity = self.capacity * 9 / 10;
        if object.size > capacity {
            return;
        }
        while sum(&self.ghosts) + object.size > capacity {
            self.ghosts.remove(0);
        }
        self.ghosts.push(object);
    }
}

impl Reference for S3Fifo {
    fn hit(&mut self, key: u64) -> bool {
        let found = self.small.iter_mut().chain(&mut self.main).find(|(object, _)| object.key == key);
        found.is_some_and(|(_, frequency)| {
            *frequency = (*frequency + 1).min(3);
            true
        })
    }

    fn miss(&mut self, key: u64, size: u64) -> (u64, bool) {
        let small_share = self.capacity / 10;
        let ghost = self.ghosts.iter().position(|ghost| ghost.key == key);
        ghost.map(|at| self.ghosts.remove(at));
        if size > small_share || (size == small_share && ghost.is_none()) {
            return (0, false);
        }
        let mut evicted = 0;
        while Self::sum(&self.small) + Self::sum(&self.main) + size > self.capacity {
            self.evict();
            evicted += 1;
        }
        let small_is_full = !self.has_evicted && Self::sum(&self.small) >= small_share;
        let queue = if ghost.is_some() || small_is_full { &mut self.main } else { &mut self.small };
        queue.push((Object { key, size }, 0));
        (evicted, true)
    }
}
