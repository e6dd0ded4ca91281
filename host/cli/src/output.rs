//! Everything that commands print. Human-readable text is escaped here ([`Visible`]), so that no command can forget to do so. If the reader
//! closes standard output early, the command ends silently.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

use media_cache_server::logs::LossyWriter;
use serde_json::Value;

use crate::visible::{Visible, json, json_line};

/// How long the process waits at exit for a log that nothing reads.
pub const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// The writer for standard error, once there is a log.
static LOG: OnceLock<LossyWriter> = OnceLock::new();

/// Standard output cannot be written to.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Its reader has closed it.
    #[error("standard output was closed")]
    Closed,
    /// Writing failed.
    #[error("cannot write to standard output: {0}")]
    Failed(io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe { Self::Closed } else { Self::Failed(error) }
    }
}

/// Prints a human-readable line.
pub fn line(text: impl Display) -> Result<(), OutputError> {
    raw(format!("{}\n", Visible(text)).as_bytes())
}

/// A number of entries in words.
pub fn entries(count: u64) -> String {
    if count == 1 { "1 entry".into() } else { format!("{count} entries") }
}

/// Prints human-readable lines.
pub fn lines<T: Display>(lines: impl IntoIterator<Item = T>) -> Result<(), OutputError> {
    lines.into_iter().try_for_each(line)
}

/// Prints a JSON value on one line.
pub fn json_value(value: &Value) -> Result<(), OutputError> {
    raw(format!("{}\n", json_line(value)).as_bytes())
}

/// Prints a JSON value with indentation.
pub fn json_document(value: &Value) -> Result<(), OutputError> {
    raw(format!("{}\n", json(&format!("{value:#}"))).as_bytes())
}

/// Prints a JSON value on one line, or its text for people.
pub fn document(value: &Value, json: bool, for_people: impl FnOnce(&Value) -> Vec<String>) -> Result<(), OutputError> {
    if json { json_value(value) } else { lines(for_people(value)) }
}

/// Prints bytes verbatim: media, and text that is known to be harmless.
#[allow(clippy::disallowed_methods, reason = "all output goes through here")]
pub fn raw(bytes: &[u8]) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    Ok(out.write_all(bytes).and_then(|()| out.flush())?)
}

/// Whether standard output is a terminal.
#[allow(clippy::disallowed_methods, reason = "nothing is printed")]
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Prints a human-readable line on standard error. Failures are ignored, since there is no other place to report them.
pub fn note(text: impl Display) {
    to_stderr(&format!("{}\n", Visible(text)));
}

/// Prints a JSON value on one line on standard error.
pub fn json_note(value: &Value) {
    to_stderr(&format!("{}\n", json_line(value)));
}

fn to_stderr(line: &str) {
    let _ = match LOG.get() {
        Some(log) => log.clone().write_all(line.as_bytes()),
        None => io::stderr().write_all(line.as_bytes()),
    };
}

/// Sends everything for standard error through the log from now on.
pub fn notes_through(log: LossyWriter) {
    let _ = LOG.set(log);
}

/// Waits until the log, if there is one, is written, for up to [`FLUSH_LIMIT`].
pub fn flush_log() {
    if let Some(log) = LOG.get() {
        log.flush_within(FLUSH_LIMIT);
    }
}

/// Prints an error on standard error. Lines after the first are indented, so that none looks like another message.
pub fn problem(text: impl Display) {
    for (at, line) in text.to_string().split('\n').enumerate() {
        if at == 0 {
            note(format_args!("media-cache: {line}"));
        } else {
            note(format_args!("  {}", line.trim_start()));
        }
    }
}
