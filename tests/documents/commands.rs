//! Every command in the documents runs, unless the list in `placeholders.rs` has a reason why not.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use media_cache_test_support::images::jpeg;
use media_cache_test_support::videos::frame_times;

use crate::blocks::pages;
use crate::placeholders::{OTHER_TOML, PLACEHOLDERS, SKIPPED};
use crate::plan::{Plan, Step};
use crate::stage::Stage;

/// Text that the output of a page's commands must contain.
const PRINTED: [(&str, &str); 8] = [
    ("README.md", r#""total_entries":1"#),
    ("README.md", r#""https://example.com/b.png""#),
    ("docs/configuration.md", "\npolicy = \"gdsf:beta=0.75\"  # media-cache.toml:"),
    ("docs/freshness.md", r#""changed":true,"#),
    ("docs/operations.md", "built-in"),
    ("docs/scaling.md", "peak: 34722 requests per second\nnodes for CPU: 4.0\nnodes for the cache thread: 6.7\n"),
    ("docs/scaling.md", "nodes for the network: 4.2\nnodes for the disk: 3.3\n"),
    ("docs/security.md", "https://media.example.com/media?url="),
];

/// Runs the commands of a page.
async fn run(page: &str) {
    let Plan { steps, .. } = Plan::of(page);
    if steps.is_empty() {
        return;
    }
    let needs_token = steps.iter().any(|(_, step)| matches!(step, Step::Run(script) if script.contains("token-file")));
    let mut stage = Stage::prepare(needs_token).await;
    let mut output = String::new();
    for (line, step) in &steps {
        println!("{page}:{line}: {step:?}");
        match step {
            Step::Configuration(text) => {
                stage.write("media-cache.toml", text.as_bytes());
                assert_eq!(stage.run("media-cache config check --config media-cache.toml").await, "ok\n");
            }
            Step::Serve(command) => stage.serve(command).await,
            Step::Run(script) => output += &stage.run(script).await,
            Step::Compare { command, printed } => {
                let (code, shown) = stage.show(command).await;
                assert_same(&shown, printed);
                assert_eq!(code, Some(i32::from(printed.starts_with("media-cache: "))), "{shown}");
            }
        }
    }
    for (_, words) in PRINTED.iter().filter(|(printing, _)| *printing == page) {
        let words = stage.replaced(words);
        assert!(output.contains(&words), "{page}: no {words:?} in {output}");
    }
    if page == "README.md" {
        assert_eq!(std::fs::read(stage.path("rust.jpg")).unwrap(), jpeg(1));
        assert_eq!(frame_times(&std::fs::read(stage.path("a.mp4")).unwrap()), [10, 20]);
    }
}

/// Compares outputs without their times.
fn assert_same(printed: &str, documented: &str) {
    let without_times = |text: &str| {
        let times = |line: &str| {
            line.strip_suffix(" ns").and_then(|line| line.rsplit_once(' ')).map_or(line, |(line, _)| line).trim_end().to_owned()
        };
        text.trim_end().lines().map(times).collect::<Vec<_>>()
    };
    assert_eq!(without_times(printed), without_times(documented));
}

#[tokio::test]
async fn every_documented_command_runs() {
    // The commands of a page run one after the other. Each page has a separate task, so that the others continue if one fails.
    let runs = stream::iter(pages()).map(async |page| (page.clone(), tokio::spawn(async move { run(&page).await }).await));
    let runs: Vec<_> = runs.buffer_unordered(4).collect().await;
    let failed: Vec<_> = runs.into_iter().filter(|(_, run)| run.is_err()).map(|(page, _)| page).collect();
    assert_eq!(failed, Vec::<String>::new());
}

#[test]
fn every_replacement_and_exception_is_needed() {
    let used: BTreeSet<_> = pages().iter().flat_map(|page| Plan::of(page).used).collect();
    let replaced = PLACEHOLDERS.iter().map(|(written, _)| *written);
    let rows = replaced.chain(SKIPPED.iter().chain(&OTHER_TOML).map(|(beginning, _)| *beginning));
    assert_eq!(rows.filter(|row| !used.contains(row)).collect::<Vec<_>>(), Vec::<&str>::new());
}
