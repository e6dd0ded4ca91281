//! What an operator wants to minimise.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use crate::counts::Counts;
use media_cache_trace::Trace;

/// What an operator wants to minimise: missed requests, missed bytes, the time that clients wait for misses, or a weighted sum of them.
///
/// `requests`, `bytes` and `wait` minimise one of the three. A weighted sum names the amounts that count equally:
/// `requests=1,bytes=20KB,wait=50ms` means that one missed request counts as much as 20 KB of missed bytes, or as 50 ms of waiting.
///
/// ```
/// use media_cache_simulator::Objective;
///
/// let objective: Objective = "requests=1,bytes=20KB".parse()?;
/// assert_eq!(objective.value(3.0, 40_000.0, 0.0), 5.0);
/// assert_eq!(Objective::BYTES.value(3.0, 40_000.0, 0.0), 40_000.0);
/// # Ok::<(), media_cache_simulator::ObjectiveError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Objective {
    /// The number of missed requests that adds 1 to the value. `None` if they do not count.
    requests: Option<NonZeroU64>,
    /// The same for missed bytes.
    bytes: Option<NonZeroU64>,
    /// The same for milliseconds of waiting.
    wait: Option<NonZeroU64>,
}

/// Why a text is not an objective.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectiveError {
    /// There is no weight with this name.
    #[error("{0:?} is not an objective: give requests, bytes or wait, or weights such as requests=1,bytes=20KB,wait=50ms")]
    Unknown(String),
    /// A weight is given twice.
    #[error("the objective names {0} twice")]
    Twice(&'static str),
    /// A weight of several has no amount.
    #[error("{0} needs an amount if the objective has several weights, such as requests=1,bytes=20KB,wait=50ms")]
    WithoutAmount(&'static str),
    /// Not a number of requests.
    #[error("{0:?} is not a valid amount of requests: give a whole number, at least 1, such as requests=1")]
    Requests(String),
    /// Not a number of bytes.
    #[error(
        "{0:?} is not a valid amount of bytes: give a number with a unit, at least 1 B, such as bytes=20KB (B, KB, MB, KiB, MiB)"
    )]
    Bytes(String),
    /// Not a time.
    #[error("{0:?} is not a valid amount of waiting: give a number with a unit, at least 1 ms, such as wait=50ms (ms, s)")]
    Wait(String),
}

/// The objective counts waiting, but no request of the trace has a cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the objective counts waiting, but the trace has no costs, which are the fourth field of a line")]
pub struct NoCosts;

/// Units with their factors. The first is the base unit.
type Units = &'static [(&'static str, u64)];

const NO_UNITS: Units = &[("", 1)];
const BYTE_UNITS: Units = &[("B", 1), ("KB", 1000), ("MB", 1_000_000), ("KiB", 1 << 10), ("MiB", 1 << 20)];
const TIME_UNITS: Units = &[("ms", 1), ("s", 1000)];

/// One of anything.
const ONE: Option<NonZeroU64> = Some(NonZeroU64::MIN);

impl Objective {
    /// Minimise missed requests.
    pub const REQUESTS: Self = Self { requests: ONE, bytes: None, wait: None };
    /// Minimise missed bytes.
    pub const BYTES: Self = Self { requests: None, bytes: ONE, wait: None };
    /// Minimise the time, in milliseconds, that clients wait for misses.
    pub const WAIT: Self = Self { requests: None, bytes: None, wait: ONE };

    /// The value of the objective; lower is better. It is linear: the value of a sum is the sum of the values. `missed_wait` is the
    /// time, in milliseconds, that clients waited for the misses.
    #[must_use]
    pub fn value(&self, misses: f64, missed_bytes: f64, missed_wait: f64) -> f64 {
        let share = |lost: f64, amount: Option<NonZeroU64>| amount.map_or(0.0, |amount| lost / amount.get() as f64);
        share(misses, self.requests) + share(missed_bytes, self.bytes) + share(missed_wait, self.wait)
    }

    /// The value for the misses of a replay.
    #[must_use]
    pub fn of(&self, counts: &Counts) -> f64 {
        self.value(counts.object_misses as f64, counts.missed_bytes as f64, counts.missed_wait as f64)
    }

    /// Checks that a trace has what the objective needs.
    ///
    /// # Errors
    /// If the objective counts waiting, but no request has a cost.
    pub fn check(&self, trace: &Trace) -> Result<(), NoCosts> {
        let is_known = !self.counts_wait() || trace.requests().iter().any(|request| request.cost > 0);
        if is_known { Ok(()) } else { Err(NoCosts) }
    }

    /// Whether the waiting of clients counts. It is known only if the costs of fetches are.
    #[must_use]
    pub fn counts_wait(&self) -> bool {
        self.wait.is_some()
    }

    /// The names of all weights with their units and amounts.
    fn weights(&self) -> [(&'static str, Units, Option<NonZeroU64>); 3] {
        [("requests", NO_UNITS, self.requests), ("bytes", BYTE_UNITS, self.bytes), ("wait", TIME_UNITS, self.wait)]
    }
}

impl Default for Objective {
    /// [`Objective::REQUESTS`].
    fn default() -> Self {
        Self::REQUESTS
    }
}

impl FromStr for Objective {
    type Err = ObjectiveError;

    fn from_str(text: &str) -> Result<Self, ObjectiveError> {
        let mut objective = Self { requests: None, bytes: None, wait: None };
        let is_sum = text.contains(',');
        for weight in text.split(',') {
            let (name, amount) = weight.split_once('=').map_or((weight, None), |(name, amount)| (name, Some(amount)));
            let (known, slot, units, invalid): (_, _, _, fn(String) -> ObjectiveError) = match name.trim() {
                "requests" => ("requests", &mut objective.requests, NO_UNITS, ObjectiveError::Requests),
                "bytes" => ("bytes", &mut objective.bytes, BYTE_UNITS, ObjectiveError::Bytes),
                "wait" => ("wait", &mut objective.wait, TIME_UNITS, ObjectiveError::Wait),
                other => return Err(ObjectiveError::Unknown(other.into())),
            };
            let amount = match amount {
                Some(amount) => parse_amount(amount.trim(), units).ok_or_else(|| invalid(amount.trim().into()))?,
                None if is_sum => return Err(ObjectiveError::WithoutAmount(known)),
                None => NonZeroU64::MIN,
            };
            if slot.replace(amount).is_some() {
                return Err(ObjectiveError::Twice(known));
            }
        }
        Ok(objective)
    }
}

impl fmt::Display for Objective {
    /// The shortest text that is parsed as this objective.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weights = self.weights();
        let given = || weights.iter().filter_map(|(name, units, amount)| Some((name, units, (*amount)?)));
        if let (Some((name, _, NonZeroU64::MIN)), 1) = (given().next(), given().count()) {
            return f.write_str(name);
        }
        for (at, (name, units, amount)) in given().enumerate() {
            let separator = if at == 0 { "" } else { "," };
            let (number, unit) = shortest(amount.get(), units);
            write!(f, "{separator}{name}={number}{unit}")?;
        }
        Ok(())
    }
}

/// Parses a number and a unit, in upper or lower case. The amount is at least 1, and exact or rounded to a whole number.
fn parse_amount(text: &str, units: Units) -> Option<NonZeroU64> {
    /// All whole numbers up to this one are exact as `f64`.
    const MAX: f64 = (1u64 << 53) as f64;
    let is_digit = |c: char| c.is_ascii_digit() || c == '.';
    let (number, unit) = text.split_at(text.find(|c| !is_digit(c)).unwrap_or(text.len()));
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()))?;
    if units.len() == 1 && number.contains('.') {
        return None;
    }
    let amount = number.parse::<f64>().ok()? * *factor as f64;
    (1.0..=MAX).contains(&amount).then(|| NonZeroU64::new(amount.round() as u64))?
}

/// An amount in the unit in which it is a whole number with the fewest digits.
fn shortest(amount: u64, units: Units) -> (u64, &'static str) {
    let exact = units.iter().filter(|(_, factor)| amount.is_multiple_of(*factor)).map(|(unit, factor)| (amount / factor, *unit));
    exact.min_by_key(|(number, _)| *number).unwrap_or((amount, units[0].0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Objective {
        text.parse().unwrap()
    }

    fn error(text: &str) -> String {
        text.parse::<Objective>().unwrap_err().to_string()
    }

    #[test]
    fn bare_name_is_an_objective_with_a_single_term() {
        assert_eq!(["requests", "bytes", "wait"].map(parsed), [Objective::REQUESTS, Objective::BYTES, Objective::WAIT]);
        let values = ["requests", "bytes", "wait"].map(|text| parsed(text).value(2.0, 3.0, 5.0));
        assert_eq!(values, [2.0, 3.0, 5.0]);
        assert_eq!(
            ["requests", "bytes=1MB", "wait", "requests=2,wait=1s"].map(|text| parsed(text).counts_wait()),
            [false, false, true, true]
        );
    }

    #[test]
    fn amounts_of_a_sum_count_equally() {
        let objective = parsed("requests=1,bytes=20KB,wait=50ms");
        let values = [(1.0, 0.0, 0.0), (0.0, 20_000.0, 0.0), (0.0, 0.0, 50.0)]
            .map(|(misses, bytes, wait)| objective.value(misses, bytes, wait));
        assert_eq!(values, [1.0; 3]);
        assert_eq!(objective.value(3.0, 10_000.0, 200.0), 7.5);
    }

    #[test]
    fn amounts_have_units_in_any_case_and_are_displayed_in_the_shortest_one() {
        for (text, shown) in [
            ("bytes=20kb", "bytes=20KB"),
            ("bytes=1.5KiB", "bytes=1536B"),
            ("bytes=2048 kib", "bytes=2MiB"),
            ("bytes=1024000b", "bytes=1000KiB"),
            ("wait=1500ms", "wait=1500ms"),
            ("wait=1.5s", "wait=1500ms"),
            ("wait=2000ms", "wait=2s"),
            ("wait=1ms", "wait"),
            (" bytes=1MB, requests = 4", "requests=4,bytes=1MB"),
            ("requests=1,bytes=1B", "requests=1,bytes=1B"),
        ] {
            assert_eq!(parsed(text).to_string(), shown, "{text}");
        }
    }

    #[test]
    fn error_says_what_is_valid() {
        for (text, cause) in
            [("", "\"\""), ("hits", "\"hits\""), ("requests=1,", "\"\""), ("Bytes", "\"Bytes\""), ("requests=1;bytes=2", "")]
        {
            let error = error(text);
            let is_unknown = error.starts_with(&format!("{cause} is not an objective: give requests, bytes or wait, or weights"));
            assert!(is_unknown || error.starts_with("\"1;bytes=2\" is not a valid amount of requests"), "{error}");
        }
        for amount in ["", "0", "-1", "1.5", "1KB", "many", "1e3", "inf", "99999999999999999999"] {
            let error = error(&format!("requests={amount}"));
            assert_eq!(
                error,
                format!("{amount:?} is not a valid amount of requests: give a whole number, at least 1, such as requests=1")
            );
        }
        for amount in ["", "0KB", "0.1B", "5", "20 apples", "1e3B", "1.2.3KB", "20K", "99999999999999999999MB", "."] {
            let error = error(&format!("bytes={amount}"));
            assert!(error.starts_with(&format!("{amount:?} is not a valid amount of bytes: give a number with a unit")), "{error}");
        }
        for amount in ["", "50", "0ms", "1min", "50KB"] {
            let error = error(&format!("wait={amount}"));
            assert!(
                error.starts_with(&format!("{amount:?} is not a valid amount of waiting: give a number with a unit")),
                "{error}"
            );
        }
        assert_eq!(error("bytes=1KB,bytes=2KB"), "the objective names bytes twice");
        assert!(error("requests,bytes=2KB").starts_with("requests needs an amount if the objective has several weights"));
    }
}
