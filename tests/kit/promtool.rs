//! Prometheus's own tool.

use std::path::Path;
use std::process::{Command, Stdio};

use media_cache_test_support::command::{CommandOutput, finish};

/// Runs `promtool` on a file.
pub async fn promtool(arguments: &[&str], file: &Path) -> CommandOutput {
    let mut command = Command::new("promtool");
    command.args(arguments).arg(file).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command, &[]).await
}
