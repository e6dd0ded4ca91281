//! The dashboard for Grafana: its queries are valid and use existing metrics, and its panels do not overlap.

use std::collections::BTreeSet;

use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::workspace::workspace_file;
use serde_json::{Value, json};

use crate::promtool::promtool;

const DASHBOARD: &str = "contrib/grafana/media-cache.json";

/// What Grafana inserts for variables.
const VARIABLES: [(&str, &str); 3] = [("$__rate_interval", "5m"), ("$job", "media-cache"), ("$instance", ".*")];

fn dashboard() -> Value {
    serde_json::from_str(&workspace_file(DASHBOARD)).unwrap()
}

/// The queries of all panels and annotations, with values for the variables, and the titles of their panels.
pub fn queries() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let mut queries = Vec::new();
    let mut add = |title: &Value, query: &Value| {
        let query = VARIABLES.iter().fold(query.as_str().unwrap().to_owned(), |query, (name, value)| query.replace(name, value));
        queries.push((title.as_str().unwrap().to_owned(), query));
    };
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            add(&panel["title"], &target["expr"]);
        }
    }
    for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
        add(&annotation["name"], &annotation["expr"]);
    }
    assert!(queries.len() > 50);
    queries
}

/// The names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words.filter(|word| word.starts_with("media_cache_") || word.starts_with("process_")).collect()
}

#[test]
fn dashboard_and_alerts_use_only_documented_metrics() {
    let page = workspace_file("docs/metrics.md");
    let documented: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let rules = workspace_file(crate::alerts::RULES);
    let queries = queries();
    let used = queries.iter().map(|(_, query)| query.as_str()).chain([rules.as_str()]).flat_map(metrics);
    for name in used {
        assert!(documented.contains(name.strip_suffix("_bucket").unwrap_or(name)), "{name} is not in docs/metrics.md");
    }
}

#[tokio::test]
async fn queries_of_the_dashboard_are_valid() {
    if media_cache_test_skip::unless_installed("promtool") {
        return;
    }
    let rule = |(index, (_, query)): (usize, (String, String))| json!({ "record": format!("panel:{index}"), "expr": query });
    let rules: Vec<_> = queries().into_iter().enumerate().map(rule).collect();
    let rules = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let dir = ServiceDirectory::create();
    promtool(&["check", "rules"], &dir.write("rules.yml", rules.to_string().as_bytes())).await.succeeded();
}

#[test]
fn panels_have_titles_descriptions_and_separate_places() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut places = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        let [x, y, width, height] = ["x", "y", "w", "h"].map(|name| panel["gridPos"][name].as_u64().unwrap());
        assert!(x + width <= 24, "{title} is too wide");
        for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
            assert!(places.insert(cell), "{title} overlaps another panel");
        }
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title} has the id of another panel");
        if panel["type"] != "row" {
            assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{title} has no description");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
}
