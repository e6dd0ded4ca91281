//! The alert rules, their tests, and the page that explains them.

use media_cache_test_support::workspace::{workspace_file, workspace_path};

use crate::promtool::promtool;

/// The file with the rules.
pub const RULES: &str = "contrib/prometheus/alerts.yml";

/// Their tests.
const TESTS: &str = "contrib/prometheus/alerts_test.yml";

/// The page that explains them.
const PAGE: &str = "docs/alerts.md";

/// The names of all alerts.
pub fn alerts() -> Vec<String> {
    let rules = workspace_file(RULES);
    let names: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(Into::into).collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

#[tokio::test]
async fn rules_are_valid_and_pass_their_tests() {
    if media_cache_test_skip::unless_installed("promtool") {
        return;
    }
    promtool(&["check", "rules"], &workspace_path(RULES)).await.succeeded();
    promtool(&["test", "rules"], &workspace_path(TESTS)).await.succeeded();
}

#[test]
fn every_alert_has_a_test_in_which_it_fires() {
    let tests = workspace_file(TESTS);
    for alert in alerts() {
        let case = format!("- alertname: {alert}\n");
        let mut cases = tests.split(&case).skip(1);
        assert!(cases.any(|case| case.trim_start().split("alertname:").next().unwrap().contains("exp_labels")), "{alert}");
    }
}

#[test]
fn every_alert_has_annotations_and_a_section_of_the_page() {
    let (rules, page) = (workspace_file(RULES), workspace_file(PAGE));
    for (name, rule) in alerts().iter().zip(rules.split("- alert: ").skip(1)) {
        for part in ["severity: ", "summary: ", "description: "] {
            assert!(rule.contains(part), "{name} has no {part:?}");
        }
        let runbook = format!("runbook: {PAGE}#{}\n", name.to_lowercase());
        assert!(rule.contains(&runbook), "{name} has no {runbook:?}");
    }
    let sections: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let (mut described, mut named) = (sections.clone(), alerts());
    described.sort_unstable();
    named.sort_unstable();
    assert_eq!(described, named, "the sections of {PAGE}");
}
