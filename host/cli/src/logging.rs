//! The log of the service, on standard error.

use std::fmt::{self, Write};
use std::io;

use clap::{Args, ValueEnum};
use media_cache_server::logs::{LogRequests, LogUrls, RequestLog};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

/// How much is logged, and how.
#[derive(Args)]
#[command(next_help_heading = "Logs and metrics")]
pub struct Logging {
    /// How the log is written: a line for people, or a JSON object a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
    /// Which requests are logged: `misses` are all but hits and polled pages, `all` takes longer than serving a hit
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    log_requests: Requests,
    /// How much of a URL is logged: its `host`, its `path` without query and credentials, or `full`, secrets included
    #[arg(long, value_name = "HOW_MUCH", value_enum, default_value_t)]
    log_urls: Urls,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Requests {
    None,
    Errors,
    #[default]
    Misses,
    All,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Urls {
    #[default]
    Host,
    Path,
    Full,
}

impl Logging {
    /// Begins to log. `RUST_LOG` chooses how much, `info` unless it is set.
    pub fn start(&self) {
        let chosen = EnvFilter::try_from_default_env();
        let misspelt = chosen.is_err() && std::env::var_os(EnvFilter::DEFAULT_ENV).is_some();
        let filter = chosen.unwrap_or_else(|_| EnvFilter::new("info"));
        let ansi = io::IsTerminal::is_terminal(&io::stderr());
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
        match self.log_format {
            LogFormat::Text => subscriber.fmt_fields(debug_fn(write_field).delimited(" ")).with_ansi(ansi).init(),
            LogFormat::Json => subscriber.json().flatten_event(true).with_span_list(false).init(),
        }
        if misspelt {
            tracing::warn!("RUST_LOG says something that is no filter, such as info or media_cache=debug; it is info now");
        }
    }

    /// What the service logs of requests.
    pub fn of_requests(&self) -> RequestLog {
        let requests = match self.log_requests {
            Requests::None => LogRequests::None,
            Requests::Errors => LogRequests::Errors,
            Requests::Misses => LogRequests::Misses,
            Requests::All => LogRequests::All,
        };
        let urls = match self.log_urls {
            Urls::Host => LogUrls::Host,
            Urls::Path => LogUrls::Path,
            Urls::Full => LogUrls::Full,
        };
        RequestLog { requests, urls }
    }
}

/// Writes a field so that an event is one line, whatever is in it: what strangers send must not pass for an event of its own, nor
/// move the cursor of a terminal.
fn write_field(writer: &mut Writer<'_>, field: &tracing::field::Field, value: &dyn fmt::Debug) -> fmt::Result {
    match field.name() {
        "message" => write!(Escaping(writer), "{value:?}"),
        name => write!(Escaping(writer), "{name}={value:?}"),
    }
}

/// Passes on what is written, with control characters as `\n`, `\u{1b}` and the like.
struct Escaping<W>(W);

impl<W: Write> Write for Escaping<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(is_unseen) {
            let last = piece.chars().next_back().filter(|last| is_unseen(*last));
            self.0.write_str(&piece[..piece.len() - last.map_or(0, char::len_utf8)])?;
            if let Some(last) = last {
                write!(self.0, "{}", last.escape_default())?;
            }
        }
        Ok(())
    }
}

/// Whether a character ends a line, moves the cursor, or turns the direction of what follows.
fn is_unseen(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_to_be_seen_is_escaped_and_the_rest_stays() {
        let mut line = String::new();
        Escaping(&mut line).write_str("a\nb\r\u{1b}[31mä\u{202e}😀\u{85}\u{2028}\n").unwrap();
        assert_eq!(line, "a\\nb\\r\\u{1b}[31mä\\u{202e}😀\\u{85}\\u{2028}\\n");
    }
}
