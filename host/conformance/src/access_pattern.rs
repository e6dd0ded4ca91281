//! Access patterns, and the requests they generate.

use crate::random::Random;
use crate::zipf::Zipf;

/// The number of the first new object.
const FIRST_NEW: u64 = 1 << 40;
/// Requests in a scan.
const SCAN: u64 = 100;

/// Which objects are requested.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum AccessPattern {
    /// This many objects, with popularity by Zipf's law with this exponent.
    Zipf(u64, f64),
    /// The same with an exponent of 0.9, and occasional scans of objects that are never requested again.
    ZipfWithScans(u64),
    /// Cycles through this many objects.
    Loop(u64),
    /// New objects; one in four is soon requested again.
    Churn,
    /// New objects that are never requested again.
    OneTime,
}

/// Generates the requests of a pattern. They do not depend on the answers of a policy.
pub(crate) struct RequestGenerator {
    pattern: AccessPattern,
    random: Random,
    zipf: Zipf,
    requests: u64,
    last_new: u64,
    scan_left: u64,
}

impl RequestGenerator {
    pub fn new(pattern: AccessPattern, seed: u64) -> Self {
        let zipf = match pattern {
            AccessPattern::Zipf(objects, exponent) => Zipf::new(objects, exponent),
            AccessPattern::ZipfWithScans(objects) => Zipf::new(objects, 0.9),
            AccessPattern::Loop(_) | AccessPattern::Churn | AccessPattern::OneTime => Zipf::new(0, 0.0),
        };
        Self { pattern, random: Random::new(!seed), zipf, requests: 0, last_new: FIRST_NEW, scan_left: 0 }
    }

    /// The object of the next request.
    pub fn next(&mut self) -> u64 {
        self.requests += 1;
        match self.pattern {
            AccessPattern::Zipf(..) => self.zipf.pick(&mut self.random),
            AccessPattern::ZipfWithScans(_) => {
                if self.scan_left == 0 && self.random.once_in(300) {
                    self.scan_left = SCAN;
                }
                if self.scan_left == 0 {
                    return self.zipf.pick(&mut self.random);
                }
                self.scan_left -= 1;
                self.new_object()
            }
            AccessPattern::Loop(objects) => self.requests % objects,
            AccessPattern::Churn if self.last_new > FIRST_NEW && self.random.once_in(5) => {
                self.last_new - self.random.below((self.last_new - FIRST_NEW).min(4))
            }
            AccessPattern::Churn | AccessPattern::OneTime => self.new_object(),
        }
    }

    fn new_object(&mut self) -> u64 {
        self.last_new += 1;
        self.last_new
    }
}
