//! Makes every file operation of the cache fail, one at a time, with each kind of error, or hang. A row in `docs/faults.md` has the results
//! for callers and the reported health of the cache. After each failure, the cache must recover.
//!
//! To find the operations, the workload first runs once without faults.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod directory;
mod table;
mod workload;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use futures::stream::{self, StreamExt};
use media_cache_test_support::file_faults::Fault;
use media_cache_test_support::workspace::workspace_file;
use rustix::io::Errno;

use directory::PreparedDirectory;
use table::{Row, table};
use workload::{Run, run};

/// The errors, and the words with which the reported reason must describe each of them.
const ERRORS: [(&str, Errno, &str); 4] = [
    ("EIO", Errno::IO, "input/output error"),
    ("ENOSPC", Errno::NOSPC, "disk is full"),
    ("EROFS", Errno::ROFS, "read-only"),
    ("EMFILE", Errno::MFILE, "too many files are open"),
];

/// How often the workload may be run until the operation that should hang occurs. On a busy machine, the cache may become unresponsive
/// before it gets to that operation.
const ATTEMPTS: usize = 3;

/// The number of concurrent runs.
const AT_ONCE: usize = 4;

/// Runs the workload without faults.
async fn observe(directory: &PreparedDirectory) -> (Run, BTreeSet<String>) {
    let undisturbed = run(directory, None).await;
    assert_eq!(undisturbed.reported, None, "nothing fails");
    let operations = undisturbed.seen.clone();

    assert!(operations.len() > 30, "{operations:?}");
    (undisturbed, operations)
}

/// Runs all cases, and then fails if one of them failed.
async fn all<C: Debug, T>(cases: impl IntoIterator<Item = C>, run: impl AsyncFn(C) -> T) -> Vec<T> {
    let run = &run;
    let runs = stream::iter(cases).map(async |case| {
        let name = format!("{case:?}");
        AssertUnwindSafe(run(case)).catch_unwind().await.map_err(|_| name)
    });
    let outcomes: Vec<Result<T, String>> = runs.buffered(AT_ONCE).collect().await;
    let failed: Vec<&String> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(failed.is_empty(), "these cases failed, for the reasons above: {failed:#?}");
    outcomes.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_failing_file_operation_behaves_as_documented() {
    let directory = PreparedDirectory::make().await;
    let (undisturbed, operations) = observe(&directory).await;
    let cases = operations.iter().flat_map(|operation| ERRORS.map(|error| (operation.clone(), error)));
    let directory = &directory;
    let undisturbed = &undisturbed;
    let rows: Vec<Row> = all(cases, async |(operation, (error, errno, words))| {
        let failed = run(directory, Some((operation.clone(), Fault::Error(errno)))).await;
        assert!(failed.failed > 0, "{operation} did not occur");
        Row::new(operation, error, words, undisturbed, &failed)
    })
    .await;
    let expected = table(&rows);
    let documented = workspace_file("docs/faults.md");
    let documented = documented.split("<!-- operations -->\n\n").nth(1).unwrap_or_default();
    assert_eq!(documented.trim(), expected.trim(), "docs/faults.md must have this table:\n\n{expected}\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hanging_file_operations_are_reported_and_do_not_block_requests() {
    let directory = PreparedDirectory::make().await;
    let (undisturbed, operations) = observe(&directory).await;
    let (directory, undisturbed) = (&directory, &undisturbed);
    all(operations, async |operation| {
        let mut hung = run(directory, Some((operation.clone(), Fault::Hang))).await;
        for _ in 1..ATTEMPTS {
            if hung.failed == 0 {
                hung = run(directory, Some((operation.clone(), Fault::Hang))).await;
            }
        }
        assert!(hung.failed > 0, "{operation} did not occur");
        let reported = hung.reported.clone().unwrap_or_default();
        assert!(reported.contains("has not responded"), "{operation}: {reported}");
        for (step, outcome) in &hung.outcomes {
            let is_allowed = Some(outcome) == undisturbed.outcome(step) || outcome.is_without_the_cache();
            assert!(is_allowed, "{operation}: {step}: {outcome}");
        }
    })
    .await;
}
