//! Tables for people.

/// Aligns the columns of rows, the first of which is the heading. Numbers are right-aligned, and the columns `names` are left-aligned.
pub fn aligned(rows: &[Vec<String>], names: &[usize]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let aligned = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if names.contains(&column) { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        aligned.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A share or a change as a percentage.
pub fn percent(ratio: f64) -> String {
    format!("{:.2} %", ratio * 100.0)
}

/// How much a value is above or below another one, as a percentage. Empty if the other one is 0.
pub fn change(value: f64, other: f64) -> String {
    if other > 0.0 { format!("{:+.2} %", (value / other - 1.0) * 100.0) } else { String::new() }
}

/// A number with at least four significant digits.
pub fn significant(number: f64) -> String {
    let digits = if number == 0.0 { 0 } else { (3 - number.abs().log10().floor() as i32).clamp(0, 9) };
    format!("{number:.*}", digits as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_significant_digits_or_all_before_the_point() {
        assert_eq!([0.0, 0.491_23, 1.0, 12.345_6, 147_707.58].map(significant), ["0", "0.4912", "1.000", "12.35", "147708"]);
    }

    #[test]
    fn short_rows_end_early() {
        let rows = [&["SIZE", "NAME", "MISSES"][..], &["1", "a", "2 %"], &["100 MiB", "long name"]];
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| (*cell).into()).collect()).collect();
        assert_eq!(aligned(&rows, &[1]), ["   SIZE  NAME       MISSES", "      1  a             2 %", "100 MiB  long name"]);
    }
}
