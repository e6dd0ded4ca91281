//! Commands of the binary that run to completion.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::binary::binary;
use crate::soon::soon;

/// The result of a command.
#[derive(Debug)]
pub struct CommandOutput {
    /// The exit code, unless a signal ended the command.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

impl CommandOutput {
    /// Standard output as text.
    #[track_caller]
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Asserts success, and returns standard output.
    #[track_caller]
    pub fn succeeded(self) -> Vec<u8> {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// Asserts success, and returns standard output as text.
    #[track_caller]
    pub fn succeeded_text(self) -> String {
        String::from_utf8(self.succeeded()).unwrap()
    }

    /// Asserts success without a message on standard error, and returns standard output as text.
    #[track_caller]
    pub fn succeeded_silently(self) -> String {
        assert_eq!(self.stderr, "");
        self.succeeded_text()
    }

    /// Asserts that the command failed with a message from `media-cache` and without output, and returns standard error.
    #[track_caller]
    pub fn failed(self) -> String {
        let stderr = self.failed_with(1);
        assert!(stderr.contains("media-cache: "), "{stderr}");
        stderr
    }

    /// Asserts that the command failed with a code, without output and without a panic, and returns standard error.
    #[track_caller]
    pub fn failed_with(self, code: i32) -> String {
        assert_eq!((self.code, self.text()), (Some(code), ""), "{}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self.stderr
    }
}

impl From<Output> for CommandOutput {
    fn from(output: Output) -> Self {
        Self { code: output.status.code(), stdout: output.stdout, stderr: String::from_utf8(output.stderr).unwrap() }
    }
}

/// Runs a command of the binary.
pub async fn run(arguments: &[&str]) -> CommandOutput {
    finish(binary(arguments), &[]).await
}

/// Runs a command of the binary in a working directory with environment variables.
pub async fn run_in(directory: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> CommandOutput {
    let mut command = binary(arguments);
    command.current_dir(directory).envs(variables.iter().copied());
    finish(command, &[]).await
}

/// Runs a command with data on standard input.
pub async fn finish(command: Command, input: &[u8]) -> CommandOutput {
    soon(output(command, input)).await
}

/// Runs a command without input that may take longer than others.
///
/// # Panics
/// If it takes longer than the limit.
pub async fn finish_within(limit: Duration, command: Command) -> CommandOutput {
    timeout(limit, output(command, &[])).await.unwrap_or_else(|_| panic!("timed out after {limit:?}"))
}

async fn output(command: Command, input: &[u8]) -> CommandOutput {
    let mut child = tokio::process::Command::from(command).stdin(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feed = async {
        // A command may end without reading its input.
        let _ = stdin.write_all(input).await;
        drop(stdin);
    };
    let (output, ()) = futures::future::join(child.wait_with_output(), feed).await;
    output.unwrap().into()
}

/// Runs a command of the binary with data on standard input, for tests without a runtime.
pub fn run_blocking(arguments: &[&str], input: &[u8]) -> CommandOutput {
    let mut child = binary(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // A command may end without reading its input.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap().into()
    })
}

/// Runs a command of the binary in a working directory, for tests without a runtime.
pub fn run_blocking_in(directory: &Path, arguments: &[&str]) -> CommandOutput {
    binary(arguments).current_dir(directory).output().unwrap().into()
}
