//! The command, run to its end.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The trace that comes with the tests.
pub const MEDIA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/media.csv.xz");

/// What it left behind.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// What it wrote, if all went well.
    #[track_caller]
    pub fn said(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""));
        self.stdout
    }

    /// The rows of what it wrote as JSON, if all went well.
    #[track_caller]
    pub fn rows(self) -> Vec<Value> {
        rows(&self.said())
    }

    /// What it complained of: it has to have failed with this code, in words of its own, and to have written nothing else.
    #[track_caller]
    pub fn complained(self, code: i32) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self.stderr
    }
}

#[track_caller]
pub fn rows(json: &str) -> Vec<Value> {
    match serde_json::from_str(json) {
        Ok(Value::Array(rows)) => rows,
        other => panic!("{other:?}: {json}"),
    }
}

/// Runs `media-cache simulate`.
pub fn simulate(arguments: &[&str]) -> Finished {
    simulate_input(arguments, &[])
}

/// The same, with something on standard input.
pub fn simulate_input(arguments: &[&str], input: &[u8]) -> Finished {
    let mut command = Command::new(env!("CARGO_BIN_EXE_media-cache"));
    command.arg("simulate").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // A command that does not read what it is given has its reasons.
        scope.spawn(move || drop(stdin.write_all(input)));
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Finished { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    })
}
