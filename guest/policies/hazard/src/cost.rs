//! What a miss costs.

use media_cache_policy_sdk::Options;

use crate::rates::log2;

/// The cost of a miss, up to a factor that is the same for all.
pub struct Cost {
    /// Whether it is the measured time of the fetch.
    is_time: bool,
    /// The weight of the size.
    mix: f32,
    /// Of all requests.
    sizes: Mean,
    /// Of all fetches whose time is known.
    times: Mean,
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: f64,
    /// 1 / mean, 0 as long as there is none.
    reciprocal: f32,
}

impl Cost {
    pub fn new(options: &Options) -> Result<Self, String> {
        let mix = options.number("mix", 0.0..=1000.0)? as f32;
        let is_time = options.choice("cost", &["mix", "time"])? == 1;
        if is_time && mix != 1.0 {
            return Err(format!("mix is {mix}; it has no effect with cost=time, so leave out one of them"));
        }
        Ok(Self { is_time, mix, sizes: Mean::default(), times: Mean::default() })
    }

    /// Records a request for an entry of this size.
    pub fn add_size(&mut self, size: u64) {
        self.sizes.add(size as f64);
    }

    /// Records the time of a fetch; 0 if it is unknown.
    pub fn add_time(&mut self, fetch_ms: u32) {
        if fetch_ms > 0 {
            self.times.add(fetch_ms.into());
        }
    }

    /// What classes of sizes are made of: the size, or if the cost is the time, size / time, in units of 2^-20 bytes per millisecond.
    pub fn weight(&self, size: u64, fetch_ms: u32) -> u64 {
        if !self.is_time {
            return size;
        }
        let time = if fetch_ms > 0 { fetch_ms.into() } else { (self.times.sum / self.times.count.max(1.0)) as u64 };
        u64::try_from((u128::from(size) << 20) / u128::from(time.max(1))).unwrap_or(u64::MAX)
    }

    /// The binary logarithm of the cost per byte, for a typical weight of a class.
    pub fn log_per_byte(&self, weight: f32) -> f32 {
        if self.is_time { -log2(weight) } else { log2((1.0 + self.mix * weight * self.sizes.reciprocal) / weight) }
    }
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
        self.reciprocal = (self.count / self.sum) as f32;
    }
}
