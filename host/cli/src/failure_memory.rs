//! How long failed downloads are remembered.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use media_cache::{Builder, FailureKind, defaults};

/// The longest valid time, in seconds: nearly fifty days.
const LONGEST: u32 = u32::MAX / 1000;

/// How long failures are remembered, for commands that run long enough to request a URL twice.
#[derive(Args)]
#[command(next_help_heading = "Downloads")]
pub struct FailureMemory {
    /// How many seconds failed downloads are remembered, by kind, such as `not-found=60`; `all=0` to remember none
    #[arg(long, value_name = "KIND=SECONDS", value_delimiter = ',')]
    failure_memory: Vec<Remembered>,
    /// The maximum time for which an origin's `Retry-After` is respected, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = defaults::MAX_RETRY_AFTER_SECONDS, value_parser = clap::value_parser!(u32).range(..=i64::from(LONGEST)))]
    max_retry_after_seconds: u32,
}

/// A kind of failure, or all kinds, and how long it is remembered.
#[derive(Clone, Debug, PartialEq)]
struct Remembered {
    kind: Option<FailureKind>,
    time: Duration,
}

impl FailureMemory {
    /// Sets the times, in the order in which they were given.
    pub fn configure(&self, builder: Builder) -> Builder {
        let builder = builder.max_retry_after(Duration::from_secs(self.max_retry_after_seconds.into()));
        self.failure_memory.iter().fold(builder, |builder, remembered| match remembered.kind {
            Some(kind) => builder.failure_memory_of(kind, remembered.time),
            None => builder.failure_memory(remembered.time),
        })
    }
}

impl FromStr for Remembered {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, seconds) = text.split_once('=').ok_or("give a kind of failure and seconds, such as `not-found=60`")?;
        let kind = match kind {
            "all" => None,
            kind => Some(kind.parse::<FailureKind>().map_err(|error| format!("{error}, all"))?),
        };
        if kind == Some(FailureKind::Overloaded) {
            return Err("`overloaded` says nothing about a URL, and is never remembered".into());
        }
        match seconds.parse::<u32>() {
            Ok(seconds) if seconds <= LONGEST => Ok(Self { kind, time: Duration::from_secs(seconds.into()) }),
            _ => Err(format!("`{seconds}` is not a whole number of seconds up to {LONGEST}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ttls_parse_by_failure_kind_and_errors_name_the_invalid_part() {
        let seconds = Duration::from_secs;
        assert_eq!("gone=7".parse(), Ok(Remembered { kind: Some(FailureKind::Gone), time: seconds(7) }));
        assert_eq!("all=0".parse(), Ok(Remembered { kind: None, time: seconds(0) }));
        for (text, why) in [
            ("gone", "give a kind of failure and seconds"),
            ("missing=5", "unknown kind of failure `missing`; use one of invalid-url, "),
            ("gone=", "`` is not a whole number of seconds up to 4294967"),
            ("gone=1.5", "`1.5` is not a whole number"),
            ("gone=-1", "`-1` is not a whole number"),
            ("gone=4294968", "`4294968` is not a whole number"),
            ("overloaded=5", "never remembered"),
        ] {
            let said = text.parse::<Remembered>().unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
