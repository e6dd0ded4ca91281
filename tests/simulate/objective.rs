//! Properties of objectives and their notation.

use media_cache_simulator::Objective;
use proptest::prelude::*;

/// An amount with a unit, and the same in the base unit.
fn amount(units: &'static [(&'static str, u64)]) -> impl Strategy<Value = (String, u64)> {
    let number = prop_oneof![1..5000u64, 1..1u64 << 30];
    (number, 0..units.len()).prop_map(|(number, at)| (format!("{number}{}", units[at].0), number * units[at].1))
}

/// Text of a weight, and the amount in it, for each of the weights that are present.
fn weights() -> impl Strategy<Value = [Option<(String, u64)>; 3]> {
    const NUMBERS: &[(&str, u64)] = &[("", 1)];
    const BYTES: &[(&str, u64)] = &[("B", 1), ("KB", 1000), ("MB", 1_000_000), ("KiB", 1024), ("MiB", 1024 * 1024), ("kb", 1000)];
    const TIMES: &[(&str, u64)] = &[("ms", 1), ("s", 1000)];
    let weight = |units| prop::option::of(amount(units));
    let all = (weight(NUMBERS), weight(BYTES), weight(TIMES)).prop_map(|(requests, bytes, wait)| [requests, bytes, wait]);
    all.prop_filter("at least one weight", |weights| weights.iter().any(Option::is_some))
}

proptest! {
    #[test]
    fn displayed_objective_is_parsed_as_the_same_one(weights in weights(), order in Just([0, 1, 2]).prop_shuffle()) {
        const NAMES: [&str; 3] = ["requests", "bytes", "wait"];
        let weight = |at: &usize| weights[*at].as_ref().map(|(text, _)| format!("{}={text}", NAMES[*at]));
        let text = order.iter().filter_map(weight).collect::<Vec<_>>().join(",");
        let objective: Objective = text.parse().unwrap();
        let shown = objective.to_string();
        prop_assert_eq!(shown.parse::<Objective>().unwrap(), objective, "{} is shown as {}", text, shown);
        for (at, weight) in weights.iter().enumerate() {
            let mut losses = [0.0; 3];
            losses[at] = weight.as_ref().map_or(7.0, |(_, amount)| 3.0 * *amount as f64);
            let value = objective.value(losses[0], losses[1], losses[2]);
            prop_assert_eq!(value, if weight.is_some() { 3.0 } else { 0.0 }, "{}", text);
        }
    }

    #[test]
    fn value_is_linear(weights in weights(), one in prop::array::uniform3(0..1u64 << 40), other in prop::array::uniform3(0..1u64 << 40)) {
        const NAMES: [&str; 3] = ["requests", "bytes", "wait"];
        let weight = |(name, weight): (&&str, &Option<(String, u64)>)| weight.as_ref().map(|(text, _)| format!("{name}={text}"));
        let text = NAMES.iter().zip(&weights).filter_map(weight).collect::<Vec<_>>().join(",");
        let objective: Objective = text.parse().unwrap();
        let value = |[misses, bytes, wait]: [u64; 3]| objective.value(misses as f64, bytes as f64, wait as f64);
        let (sum, parts) = (value(std::array::from_fn(|at| one[at] + other[at])), value(one) + value(other));
        prop_assert!((sum - parts).abs() <= 1e-9 * sum, "{} and {}", sum, parts);
    }

    #[test]
    fn any_text_is_an_objective_or_an_error_that_names_its_cause(text in "[a-z0-9=,. KMBis]{0,40}|\\PC{0,20}") {
        match text.parse::<Objective>() {
            Ok(objective) => prop_assert_eq!(objective.to_string().parse(), Ok(objective)),
            Err(error) => prop_assert!(["requests", "bytes", "wait"].iter().any(|name| error.to_string().contains(name))),
        }
    }
}
