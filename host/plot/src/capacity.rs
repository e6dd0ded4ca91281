//! The logarithmic axis of capacities.

/// The position of a capacity on the logarithmic axis, in millionths of a doubling. Only integer coordinates can have chosen labels.
pub(crate) fn position(capacity: u64) -> i32 {
    ((capacity as f64).log2() * 1e6).round() as i32
}

/// The capacity at a position.
pub(crate) fn label(position: i32) -> String {
    let power = f64::from(position) / 1e6;
    let bytes = power.exp2();
    let unit = (power / 10.0).floor().clamp(0.0, 5.0);
    let number = bytes / (unit * 10.0).exp2();
    let digits = if (number - number.round()).abs() < 0.05 { 0 } else { 1 };
    format!("{number:.digits$} {}", ["B", "KiB", "MiB", "GiB", "TiB", "PiB"][unit as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_label_has_a_suitable_unit() {
        let label = |bytes: u64| label(position(bytes));
        assert_eq!([1, 1000, 1 << 10, 128 << 20, 1536 << 20].map(label), ["1 B", "1000 B", "1 KiB", "128 MiB", "1.5 GiB"]);
        assert_eq!((label(u64::MAX), label(500_000_000)), ("16384 PiB".into(), "476.8 MiB".into()));
    }
}
