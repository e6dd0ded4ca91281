//! What is asked for, and under which circumstances: everything that a run of the model is made from.

use std::fmt;

use super::random::{Random, Zipf, mix, unit};

/// What everything on disk is a multiple of, in bytes.
pub(super) const BLOCK: u64 = 4096;
/// Objects from here on are asked for once.
const ONCE: u64 = 1 << 40;

/// A ranking, what it is told, and how.
#[derive(Clone, Debug)]
pub(super) struct Sequence {
    pub seed: u64,
    pub tier: Tier,
    pub shape: Shape,
    pub turns: u64,
    /// Events that are collected before they are handed over without a decision.
    pub batch: usize,
    pub clock: Clock,
    pub happenings: Happenings,
}

/// Which tier it is: the unit, and the capacity in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    /// Memory: everything is of size 1.
    Items(u64),
    /// Memory, with ids as they are there: those of the disk tier, where many more entries reside.
    SparseItems(u64),
    /// Disk: blocks, and a few objects are much larger than most.
    Blocks(u64),
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// A few of so many objects most of the time.
    Zipf(u64, f64),
    /// The same, and from time to time a hundred objects that nobody asks for again.
    Scans(u64),
    /// So many objects, one after the other, again and again.
    Loop(u64),
    /// Always something new; one in four is asked for once more soon.
    Churn,
    /// Always something new, and never again.
    Once,
}

/// What time it is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    Runs,
    StandsStill,
    GoesBack,
}

/// What happens besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Happenings {
    /// Entries are restored at the start, and now and then.
    pub restores: bool,
    /// Entries are removed for reasons of their own.
    pub removals: bool,
    /// Victims stay, and candidates are not stored.
    pub refusals: bool,
    /// `evict` is called now and then.
    pub evictions: bool,
}

/// Where a shape has come to.
pub(super) struct Walk {
    shape: Shape,
    /// Its own: the same is asked for, whatever the answers are.
    random: Random,
    zipf: Zipf,
    asked: u64,
    new: u64,
    scan: u64,
}

impl Tier {
    pub fn capacity(self) -> u64 {
        match self {
            Self::Items(items) | Self::SparseItems(items) => items,
            Self::Blocks(blocks) => blocks * BLOCK,
        }
    }

    /// How many entries fit into so much room at most.
    pub fn most_entries(self, room: u64) -> u64 {
        match self {
            Self::Items(_) | Self::SparseItems(_) => room,
            Self::Blocks(_) => room / BLOCK,
        }
    }

    /// How large an object is: always the same. On a small disk, one in 200 takes up the whole capacity.
    pub fn size_of(self, object: u64) -> u64 {
        let Self::Blocks(blocks) = self else { return 1 };
        let number = mix(object ^ 0x5eed);
        if number.is_multiple_of(200) && blocks <= 4096 {
            return blocks * BLOCK;
        }
        // Pareto with an index of 1.1: most take up a block or two, and large ones hold most of the bytes.
        let size = (1.0 - unit(number)).powf(-1.0 / 1.1) as u64;
        size.clamp(1, (blocks / 3).max(1)) * BLOCK
    }

    /// Whether it would be odd to refuse an object of this size while there is room.
    pub fn is_small(self, size: u64) -> bool {
        match self {
            Self::Items(_) | Self::SparseItems(_) => true,
            Self::Blocks(_) => size <= self.capacity() / 20,
        }
    }
}

impl Walk {
    pub fn new(shape: Shape, seed: u64) -> Self {
        let zipf = match shape {
            Shape::Zipf(objects, exponent) => Zipf::new(objects, exponent),
            Shape::Scans(objects) => Zipf::new(objects, 0.9),
            Shape::Loop(_) | Shape::Churn | Shape::Once => Zipf::new(0, 0.0),
        };
        Self { shape, random: Random::new(!seed), zipf, asked: 0, new: ONCE, scan: 0 }
    }

    /// The next object that is asked for.
    pub fn next(&mut self) -> u64 {
        self.asked += 1;
        match self.shape {
            Shape::Zipf(..) => self.zipf.pick(&mut self.random),
            Shape::Scans(_) => {
                if self.scan == 0 && self.random.once_in(300) {
                    self.scan = 100;
                }
                if self.scan == 0 {
                    return self.zipf.pick(&mut self.random);
                }
                self.scan -= 1;
                self.something_new()
            }
            Shape::Loop(objects) => self.asked % objects,
            Shape::Churn if self.new > ONCE && self.random.once_in(5) => self.new - self.random.below((self.new - ONCE).min(4)),
            Shape::Churn | Shape::Once => self.something_new(),
        }
    }

    fn something_new(&mut self) -> u64 {
        self.new += 1;
        self.new
    }
}

impl Clock {
    /// The time after `now`, in milliseconds.
    pub fn after(self, now: u64, random: &mut Random) -> u64 {
        match self {
            Self::Runs => now + random.below(2000),
            Self::StandsStill => now,
            Self::GoesBack if random.once_in(50) => now.saturating_sub(random.below(3_600_000)),
            Self::GoesBack => now + random.below(2000),
        }
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape {
            Shape::Zipf(objects, exponent) => write!(f, "{objects} objects by Zipf's law ({exponent})")?,
            Shape::Scans(objects) => write!(f, "{objects} objects by Zipf's law, with scans")?,
            Shape::Loop(objects) => write!(f, "{objects} objects in a loop")?,
            Shape::Churn => write!(f, "always new objects, some of them twice")?,
            Shape::Once => write!(f, "always new objects")?,
        }
        match self.tier {
            Tier::Items(items) => write!(f, " in {items} items")?,
            Tier::SparseItems(items) => write!(f, " in {items} items with scattered ids")?,
            Tier::Blocks(_) => write!(f, " in {} bytes", self.tier.capacity())?,
        }
        let Happenings { restores, removals, refusals, evictions } = self.happenings;
        let besides = [(restores, "restores"), (removals, "removals"), (refusals, "refusals"), (evictions, "evictions")];
        let besides: Vec<&str> = besides.iter().filter(|(happens, _)| *happens).map(|(_, what)| *what).collect();
        if !besides.is_empty() {
            write!(f, ", with {}", besides.join(" and "))?;
        }
        let clock = match self.clock {
            Clock::Runs => "",
            Clock::StandsStill => ", while time stands still",
            Clock::GoesBack => ", while time goes back now and then",
        };
        write!(f, "{clock}, {} at a time, seed {}", self.batch, self.seed)
    }
}
