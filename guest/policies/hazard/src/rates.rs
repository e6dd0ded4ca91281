//! Request rates that are learned while the cache runs, and the arithmetic for them. The header of the policy explains the model.
//!
//! Only operations that IEEE 754 defines exactly are used, so every platform computes the same rates.

use std::f32::consts::LN_2;

/// Classes of sizes, in octaves.
const SIZES: usize = 64;
/// Classes of frequencies, in octaves.
const FREQUENCIES: usize = 16;
/// Classes of intervals: 0 for an entry that was requested once, then one per factor of 4.
const INTERVALS: usize = 16;
/// Classes of ages, in half octaves.
const AGES: usize = 64;

/// The initial slope of a rate per half octave of age: a rate that decays as age^-0.8.
const AGE_SLOPE: f32 = -0.4;

/// The classes of an entry that stay the same between two requests for it. As a number, they name a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classes(pub u16);

impl Classes {
    /// The classes of an entry with this size, this faded count of requests, and this interval between the latest two.
    pub fn new(size: u64, count: f32, interval: Option<u64>) -> Self {
        let frequency = octave(count as u64).min(FREQUENCIES as u32 - 1);
        let interval = interval.map_or(0, |interval| (1 + octave(interval) / 2).min(INTERVALS as u32 - 1));
        Self(((octave(size) * FREQUENCIES as u32 + frequency) * INTERVALS as u32 + interval) as u16)
    }

    /// The same classes for another size.
    pub fn with_size(self, size: u64) -> Self {
        Self(self.0 % (FREQUENCIES * INTERVALS) as u16 + octave(size) as u16 * (FREQUENCIES * INTERVALS) as u16)
    }

    /// The harmonic mean of the sizes in this octave, if their distribution is that of Pareto with index 1.
    pub fn typical_size(self) -> f32 {
        (1u64 << (usize::from(self.0) / (FREQUENCIES * INTERVALS) % SIZES)) as f32 * (4.0 / 3.0)
    }

    /// The cell of the table A.
    fn by_interval(self) -> usize {
        let (size, interval) = (usize::from(self.0) / (FREQUENCIES * INTERVALS), usize::from(self.0) % INTERVALS);
        (size * INTERVALS + interval) % (SIZES * INTERVALS)
    }

    /// The cell of the table B.
    fn by_age(self, age: u64) -> usize {
        usize::from(self.0) / INTERVALS % FREQUENCIES * AGES + half_octave(age)
    }
}

/// Binary logarithms of relative request rates, as the sum of a cell of each of two tables.
pub struct Rates {
    /// A: by size and interval.
    intervals: Vec<f32>,
    /// B: by frequency and age.
    ages: Vec<f32>,
}

impl Rates {
    /// The initial rates: proportional to the frequency, and decaying with age.
    pub fn new() -> Self {
        let initial = |cell: usize| (cell / AGES) as f32 + AGE_SLOPE * (cell % AGES) as f32;
        Self { intervals: vec![0.0; SIZES * INTERVALS], ages: (0..FREQUENCIES * AGES).map(initial).collect() }
    }

    /// The logarithm of the rate of an entry that was last requested `age` requests ago.
    pub fn log_rate(&self, classes: Classes, age: u64) -> f32 {
        self.intervals[classes.by_interval()] + self.ages[classes.by_age(age)]
    }

    /// Learns that the first of these entries was requested, and not one of the others: one step of gradient ascent on the logarithm of
    /// its share of the rates.
    pub fn learn(&mut self, at_risk: &[(Classes, u64)], step: f32) {
        let logs = at_risk.iter().map(|(classes, age)| self.log_rate(*classes, *age));
        let greatest = logs.clone().fold(f32::MIN, f32::max);
        let mut rates = [0.0; 3];
        rates.iter_mut().zip(logs).for_each(|(rate, log)| *rate = exp2(log - greatest));
        let total: f32 = rates.iter().sum();
        for (at, ((classes, age), rate)) in at_risk.iter().zip(rates).enumerate() {
            let error = if at == 0 { 1.0 } else { 0.0 } - rate / total;
            self.intervals[classes.by_interval()] += step * error;
            self.ages[classes.by_age(*age)] += step * error;
        }
    }
}

/// The binary logarithm of a number, rounded down; 0 for 0.
fn octave(number: u64) -> u32 {
    (number | 1).ilog2()
}

/// Twice the binary logarithm of a number, rounded down; 0 for 0.
fn half_octave(number: u64) -> usize {
    let octave = octave(number);
    // The square root of 2, times 2^63.
    let is_upper = number << (63 - octave) >= 0xb504_f333_f9de_6485;
    (2 * octave as usize + usize::from(is_upper)).min(AGES - 1)
}

/// 2 to the power of a number that is not positive. The relative error is below 1e-5.
pub fn exp2(exponent: f32) -> f32 {
    if exponent < -126.0 {
        return 0.0;
    }
    let whole = (exponent - 0.5) as i32;
    // In [-0.5, 0.5], where the series of the exponential function converges fast.
    let part = exponent - whole as f32;
    let power =
        1.0 + part * (LN_2 + part * (0.240_226_5 + part * (0.055_504_11 + part * (0.009_618_129 + part * 0.001_333_355_8))));
    power * f32::from_bits(((whole + 127) as u32) << 23)
}

/// The binary logarithm of a positive number. The error is below 1e-4.
pub fn log2(number: f32) -> f32 {
    let bits = number.to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    // In [1, 2). The series of the area hyperbolic tangent converges fast.
    let mantissa = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000);
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    exponent as f32 + ratio * (2.885_39 + square * (0.961_796_7 + square * (0.577_078 + square * 0.412_198_6)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approximations_are_close_and_continuous() {
        for step in -12_600..=0 {
            let exponent = step as f32 / 100.0;
            let exact = f64::from(exponent).exp2();
            assert!((f64::from(exp2(exponent)) / exact - 1.0).abs() < 1e-5, "2^{exponent}");
        }
        assert_eq!((exp2(0.0), exp2(-1.0), exp2(-3.0), exp2(-127.0), exp2(f32::NEG_INFINITY)), (1.0, 0.5, 0.125, 0.0, 0.0));
        for step in 1..100_000u32 {
            let number = step as f32 * step as f32 / 1000.0;
            assert!((f64::from(log2(number)) - f64::from(number).log2()).abs() < 1e-4, "log2 {number}");
        }
        assert_eq!((log2(1.0), log2(0.25), log2(4096.0)), (0.0, -2.0, 12.0));
    }

    #[test]
    fn classes_are_octaves_of_the_size_and_the_count_and_factors_of_four_of_the_interval() {
        let parts = |classes: Classes| (classes.0 / 256, classes.0 / 16 % 16, classes.0 % 16);
        assert_eq!(parts(Classes::new(0, 1.0, None)), (0, 0, 0));
        assert_eq!(parts(Classes::new(4095, 1.99, Some(3))), (11, 0, 1));
        assert_eq!(parts(Classes::new(4096, 2.0, Some(4))), (12, 1, 2));
        assert_eq!(parts(Classes::new(u64::MAX, 1e9, Some(u64::MAX))), (63, 15, 15));
        let half_octaves = [0, 1, 2, 3, 4, 5, 6, 8, 11, 12, 16].map(half_octave);
        assert_eq!(half_octaves, [0, 0, 2, 3, 4, 4, 5, 6, 6, 7, 8]);
        assert_eq!((half_octave(1 << 31), half_octave(1 << 32), half_octave(u64::MAX)), (62, 63, 63));
    }

    #[test]
    fn a_rate_grows_with_the_requests_for_its_class_and_shrinks_when_others_are_requested() {
        let (requested, other) = (Classes::new(100, 1.0, None), Classes::new(9000, 1.0, None));
        let mut rates = Rates::new();
        assert_eq!(rates.log_rate(requested, 10), rates.log_rate(other, 10));
        rates.learn(&[(requested, 10), (other, 10)], 0.1);
        // Both had half of the rates. The cell of the frequency and the age is the same for both, and stays as it was.
        let change = rates.log_rate(requested, 10) - Rates::new().log_rate(requested, 10);
        let difference = rates.log_rate(requested, 10) - rates.log_rate(other, 10);
        assert!((change - 0.05).abs() < 1e-6 && (difference - 0.1).abs() < 1e-6, "{change} {difference}");
        // The requests for each converge to three to one.
        for _ in 0..2000 {
            (0..3).for_each(|_| rates.learn(&[(requested, 10), (other, 10)], 0.05));
            rates.learn(&[(other, 10), (requested, 10)], 0.05);
        }
        let ratio = f64::from(rates.log_rate(requested, 10) - rates.log_rate(other, 10)).exp2();
        assert!((2.5..3.5).contains(&ratio), "{ratio}");
    }

    #[test]
    fn an_entry_alone_at_risk_teaches_nothing() {
        let mut rates = Rates::new();
        rates.learn(&[(Classes::new(1, 1.0, None), 5)], 0.15);
        assert_eq!(rates.intervals, Rates::new().intervals);
        assert_eq!(rates.ages, Rates::new().ages);
    }
}
