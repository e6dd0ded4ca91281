//! The log of the service, on standard error.

use std::fmt::{self, Write as _};
use std::io;

use clap::{Args, ValueEnum};
use media_cache_server::logs::{LogRequests, LogUrls, RequestLog};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::visible::{self, Escaping};

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
        // If nobody reads the log any more, there is nobody to tell: to write that to standard error would be a panic.
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
        match self.log_format {
            LogFormat::Text => {
                let subscriber = subscriber.fmt_fields(debug_fn(write_field).delimited(" "));
                subscriber.with_ansi(ansi).with_writer(io::stderr).init();
            }
            LogFormat::Json => {
                subscriber.json().flatten_event(true).with_span_list(false).with_writer(|| VisibleJson).init();
            }
        }
        if misspelt {
            tracing::warn!("invalid RUST_LOG filter; using info (filters are written like info or media_cache=debug)");
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

/// Standard error for JSON, whose strings may have hidden characters. An event is written in one piece.
struct VisibleJson;

impl io::Write for VisibleJson {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(visible::json(&String::from_utf8_lossy(event)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
