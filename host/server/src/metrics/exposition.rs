//! The two text formats of metrics: OpenMetrics 1.0, and its predecessor, Prometheus 0.0.4.

use std::collections::HashMap;
use std::fmt::Write;

/// The text format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0, for clients that accept it, such as Prometheus since 2.5.
    OpenMetrics,
    /// Prometheus's text format 0.0.4, for all others.
    Classic,
}

impl Format {
    /// The format for a request with this `Accept`.
    #[must_use]
    pub fn accepted(accept: Option<&str>) -> Self {
        let mut types = accept.unwrap_or("").split(',').filter_map(|range| range.split(';').next());
        match types.any(|name| name.trim().eq_ignore_ascii_case("application/openmetrics-text")) {
            true => Self::OpenMetrics,
            false => Self::Classic,
        }
    }

    /// The media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Converts OpenMetrics to format 0.0.4. In OpenMetrics, the name of a counter family lacks the `_total` of its samples, and that of an
/// info family lacks `_info`. In 0.0.4, families are named like their samples, and info metrics are gauges.
pub(crate) fn classic(open_metrics: &str) -> String {
    let kinds: HashMap<&str, &str> =
        open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let about = line.strip_prefix("# ").and_then(|rest| rest.split_once(' ')).and_then(|(what, rest)| {
            let (name, rest) = rest.split_once(' ')?;
            Some((what, name, rest))
        });
        let written = match about {
            Some((what @ ("HELP" | "TYPE"), name, rest)) => match kinds.get(name) {
                Some(&"counter") => writeln!(text, "# {what} {name}_total {rest}"),
                Some(&"info") => writeln!(text, "# {what} {name}_info {}", if what == "TYPE" { "gauge" } else { rest }),
                _ => writeln!(text, "{line}"),
            },
            // Units and the end marker are omitted.
            _ if line.starts_with('#') => Ok(()),
            _ => writeln!(text, "{line}"),
        };
        // Writing to a string cannot fail.
        debug_assert!(written.is_ok());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_that_accepts_open_metrics_gets_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, format) in [
            (Some(prometheus), Format::OpenMetrics),
            (Some("text/plain, application/OpenMetrics-Text"), Format::OpenMetrics),
            (Some("text/plain;version=0.0.4"), Format::Classic),
            (Some("*/*"), Format::Classic),
            (Some("text/html;q=application/openmetrics-text"), Format::Classic),
            (None, Format::Classic),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept:?}");
        }
    }

    #[test]
    fn classic_families_are_named_like_their_samples() {
        let open_metrics = "# HELP a Some a.\n# TYPE a counter\na_total{b=\"# TYPE c\"} 1\n# HELP d Some d.\n# TYPE d info\nd_info 1\n\
                            # HELP e_seconds Some e.\n# TYPE e_seconds gauge\n# UNIT e_seconds seconds\ne_seconds 1\n# EOF\n";
        let expected = "# HELP a_total Some a.\n# TYPE a_total counter\na_total{b=\"# TYPE c\"} 1\n# HELP d_info Some d.\n\
                        # TYPE d_info gauge\nd_info 1\n# HELP e_seconds Some e.\n# TYPE e_seconds gauge\ne_seconds 1\n";
        assert_eq!(classic(open_metrics), expected);
    }
}
