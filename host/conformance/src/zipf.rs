//! Zipf's law, which describes the popularity of objects on the web.

use crate::random::Random;

/// A Zipf distribution of objects: the n-th is requested `n^exponent` times less often than the first.
#[derive(Clone, Debug)]
pub(crate) struct Zipf {
    /// The cumulative probability of the objects up to each one.
    cumulative: Vec<f64>,
}

impl Zipf {
    pub fn new(objects: u64, exponent: f64) -> Self {
        let mut sum = 0.0;
        let mut cumulative: Vec<f64> = Vec::new();
        for rank in 1..=objects {
            sum += (rank as f64).powf(-exponent);
            cumulative.push(sum);
        }
        cumulative.iter_mut().for_each(|share| *share /= sum);
        Self { cumulative }
    }

    /// The next object, counted from 0.
    pub fn pick(&self, random: &mut Random) -> u64 {
        let at = random.unit();
        self.cumulative.partition_point(|share| *share <= at) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_object_is_picked_most_often() {
        let (zipf, mut random) = (Zipf::new(100, 1.0), Random::new(1));
        let mut picked = [0; 100];
        (0..10_000).for_each(|_| picked[zipf.pick(&mut random) as usize] += 1);
        // 1 / (1 + 1/2 + ... + 1/100) is 0.193.
        assert!((1800..2060).contains(&picked[0]) && picked[9] < picked[0] / 5, "{picked:?}");
    }
}
