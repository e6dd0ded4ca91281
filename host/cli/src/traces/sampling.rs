//! Which requests are traced.

use anyhow::bail;
use opentelemetry_sdk::trace::Sampler;

use crate::traces::endpoint::variable;

/// The fraction of requests that are traced by default. Recording a span takes almost as long as serving a hit.
const DEFAULT: f64 = 0.01;

/// A fraction of requests, from text.
///
/// # Errors
/// Says what it must be.
pub fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| "it must be a number from 0 to 1".into())
}

/// The sampler for this ratio, or else that in the environment.
///
/// # Errors
/// Returns an error with a message for the user.
pub fn sampler(configured: Option<f64>) -> anyhow::Result<Sampler> {
    let by_parent = |root| Sampler::ParentBased(Box::new(root));
    if let Some(ratio) = configured {
        return Ok(by_parent(Sampler::TraceIdRatioBased(ratio)));
    }
    let Some(name) = variable("OTEL_TRACES_SAMPLER") else { return Ok(by_parent(Sampler::TraceIdRatioBased(DEFAULT))) };
    let by_ratio = || match variable("OTEL_TRACES_SAMPLER_ARG").as_deref().map(ratio) {
        Some(Ok(ratio)) => Ok(Sampler::TraceIdRatioBased(ratio)),
        Some(Err(why)) => bail!("OTEL_TRACES_SAMPLER_ARG is invalid: {why}"),
        None => Ok(Sampler::TraceIdRatioBased(1.0)),
    };
    Ok(match name.as_str() {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => by_ratio()?,
        "parentbased_always_on" => by_parent(Sampler::AlwaysOn),
        "parentbased_always_off" => by_parent(Sampler::AlwaysOff),
        "parentbased_traceidratio" => by_parent(by_ratio()?),
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
        for (text, expected) in [("0", 0.0), ("0.25", 0.25), ("1", 1.0), ("1e-3", 0.001)] {
            assert_eq!(ratio(text), Ok(expected));
        }
        for text in ["", "-0.1", "1.1", "NaN", "inf", "5%"] {
            assert!(ratio(text).is_err(), "{text}");
        }
    }
}
