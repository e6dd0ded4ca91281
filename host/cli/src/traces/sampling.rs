//! Which requests are traced.

use std::str::FromStr;

use anyhow::bail;
use opentelemetry_sdk::trace::Sampler;

use crate::traces::endpoint::variable;

/// The fraction of requests that are traced by default. Recording a span takes almost as long as serving a hit.
const DEFAULT: f64 = 0.01;

/// A fraction of requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio(f64);

impl FromStr for Ratio {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.map(Self).ok_or_else(|| "it must be a number from 0 to 1".into())
    }
}

/// The sampler for this ratio, or else that in the environment.
///
/// # Errors
/// Returns an error with a message for the user.
pub fn sampler(ratio: Option<Ratio>) -> anyhow::Result<Sampler> {
    let by_parent = |root| Sampler::ParentBased(Box::new(root));
    if let Some(Ratio(ratio)) = ratio {
        return Ok(by_parent(Sampler::TraceIdRatioBased(ratio)));
    }
    let Some(name) = variable("OTEL_TRACES_SAMPLER") else { return Ok(by_parent(Sampler::TraceIdRatioBased(DEFAULT))) };
    let ratio = || match variable("OTEL_TRACES_SAMPLER_ARG").as_deref().map(Ratio::from_str) {
        Some(Ok(Ratio(ratio))) => Ok(Sampler::TraceIdRatioBased(ratio)),
        Some(Err(why)) => bail!("OTEL_TRACES_SAMPLER_ARG is invalid: {why}"),
        None => Ok(Sampler::TraceIdRatioBased(1.0)),
    };
    Ok(match name.as_str() {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => ratio()?,
        "parentbased_always_on" => by_parent(Sampler::AlwaysOn),
        "parentbased_always_off" => by_parent(Sampler::AlwaysOff),
        "parentbased_traceidratio" => by_parent(ratio()?),
        other => bail!(
            "OTEL_TRACES_SAMPLER is {other}, but must be always_on, always_off, traceidratio, or one of these after parentbased_"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratio_is_a_number_from_0_to_1() {
        for (text, ratio) in [("0", 0.0), ("0.25", 0.25), ("1", 1.0), ("1e-3", 0.001)] {
            assert_eq!(text.parse(), Ok(Ratio(ratio)));
        }
        for text in ["", "-0.1", "1.1", "NaN", "inf", "5%"] {
            assert!(text.parse::<Ratio>().is_err(), "{text}");
        }
    }
}
