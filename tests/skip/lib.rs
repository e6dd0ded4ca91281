//! Skips tests that need something that is not available on every machine, such as a program or a privilege.

use std::io::Write;

/// Set to `1` where everything is installed, as in CI: tests then fail instead of being skipped.
const NO_SKIPS: &str = "MEDIA_CACHE_NO_SKIPS";

/// Whether to skip a test that needs `what`, which may be missing. Prints a note in the output of the test.
///
/// # Panics
/// If it is missing, and `MEDIA_CACHE_NO_SKIPS` is `1`.
#[must_use]
pub fn unless(available: bool, what: &str) -> bool {
    let must_run = std::env::var_os(NO_SKIPS).is_some_and(|value| value == "1");
    assert!(available || !must_run, "{NO_SKIPS} is 1, but this test needs {what}");
    if !available {
        // Not `eprintln!`, whose output the test harness hides if the test passes.
        let _ = writeln!(std::io::stderr(), "skipped: this test needs {what}");
    }
    !available
}

/// Whether to skip a test that needs a program on `PATH`.
///
/// # Panics
/// As for [`unless`].
#[must_use]
pub fn unless_installed(program: &str) -> bool {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let available = std::env::split_paths(&directories).any(|directory| directory.join(program).is_file());
    unless(available, &format!("{program} on PATH"))
}
