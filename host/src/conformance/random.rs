//! Numbers that look random and are the same every time, so that a failure can be had again.

/// SplitMix64.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 to `bound` - 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A number from 0 to 1, without 1.
    pub fn unit(&mut self) -> f64 {
        unit(self.next())
    }
}

/// All bits of the answer depend on all bits of the number, and no two numbers have the same answer.
pub(super) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The leading bits of a number as a fraction of 1.
pub(super) fn unit(number: u64) -> f64 {
    (number >> 11) as f64 / (1u64 << 53) as f64
}

/// Objects of which the first is asked for most often and the n-th `n^exponent` times more rarely, which is how the web is.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    /// How likely it is that none after this one is meant.
    cumulated: Vec<f64>,
}

impl Zipf {
    pub fn new(objects: u64, exponent: f64) -> Self {
        let mut sum = 0.0;
        let mut cumulated: Vec<f64> = Vec::new();
        for rank in 1..=objects {
            sum += (rank as f64).powf(-exponent);
            cumulated.push(sum);
        }
        cumulated.iter_mut().for_each(|share| *share /= sum);
        Self { cumulated }
    }

    pub fn pick(&self, random: &mut Random) -> u64 {
        let at = random.unit();
        self.cumulated.partition_point(|share| *share <= at) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        let mut random = Random::new(1_234_567);
        assert_eq!(
            [(); 3].map(|()| random.next()),
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn the_first_object_is_asked_for_most_often() {
        let (zipf, mut random) = (Zipf::new(100, 1.0), Random::new(1));
        let mut asked = [0; 100];
        (0..10_000).for_each(|_| asked[zipf.pick(&mut random) as usize] += 1);
        // 1 / (1 + 1/2 + ... + 1/100) is 0.193.
        assert!((1800..2060).contains(&asked[0]) && asked[9] < asked[0] / 5, "{asked:?}");
    }
}
