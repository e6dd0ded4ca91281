//! The log of the service, on standard error. Logging never blocks: see [`LossyWriter`].

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, ValueEnum};
use media_cache_server::logs::{LogRequests, LogUrls, LossyWriter, RequestLog};
use rustix::event::{PollFd, PollFlags, poll};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt as format, reload};

use crate::output;
use crate::visible::{self, Escaping};

/// The maximum number of bytes of the log that wait to be written.
const QUEUE_BYTES: usize = 4 << 20;

/// What is logged, and in which format.
#[derive(Args)]
#[command(next_help_heading = "Logs and metrics")]
pub struct Logging {
    /// The format of the log: a line of text per event, or a JSON object per line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
    /// What is logged, such as `warn` or `info,media_cache=debug`; by default, the filter in RUST_LOG, or else `info`
    #[arg(long, value_name = "FILTER")]
    log_filter: Option<LogFilter>,
    /// Which requests are logged: `misses` excludes hits and successful requests to /stats, /metrics, /healthz and /readyz; logging a hit
    /// takes longer than serving it
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    log_requests: Requests,
    /// How much of a URL is logged: its `host`, its `path` without query and credentials, or `full`, including secrets
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

/// Which events are logged.
#[derive(Clone)]
struct LogFilter(String);

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // An empty filter would log nothing; the filter for that is `off`.
        let is_filter = !text.trim().is_empty() && EnvFilter::try_new(text).is_ok();
        if is_filter { Ok(Self(text.into())) } else { Err("it must be a filter, such as info or info,media_cache=debug".into()) }
    }
}

/// A layer for spans.
pub type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// The log of this process.
#[derive(Clone)]
pub struct Log {
    /// Where it is written to.
    pub writer: LossyWriter,
    set_filter: Arc<dyn Fn(EnvFilter) + Send + Sync>,
}

impl Log {
    /// Applies the filter in these options from now on.
    pub fn set_filter(&self, logging: &Logging) {
        (self.set_filter)(logging.filter().0);
    }
}

impl Logging {
    /// Starts logging, including panics. Everything else printed on standard error becomes part of the log. Spans are recorded by `spans`,
    /// independently of the filter.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn start(&self, spans: Option<SpanLayer>) -> anyhow::Result<Log> {
        let (filter, misspelt) = self.filter();
        // A separate file, so that no other thread waits for a lock that the writing thread holds.
        let stderr = io::stderr().as_fd().try_clone_to_owned().context("cannot use standard error for the log")?;
        let report = |lost| tracing::warn!(lost, "log lines were lost, since the log was read too slowly or could not be written");
        let writer = LossyWriter::start(Sink(stderr.into()), QUEUE_BYTES, report).context("cannot start the log thread")?;
        output::notes_through(writer.clone());
        let ansi = io::stderr().is_terminal();
        let (filter, handle) = reload::Layer::new(filter);
        let layer = format::layer().log_internal_errors(false);
        let subscriber = tracing_subscriber::registry().with(spans);
        match self.log_format {
            LogFormat::Text => {
                let layer = layer.fmt_fields(debug_fn(write_field).delimited(" ")).with_ansi(ansi);
                let writer = writer.clone();
                subscriber.with(layer.with_writer(move || writer.clone()).with_filter(filter)).init();
            }
            LogFormat::Json => {
                let layer = layer.json().flatten_event(true).with_span_list(false);
                let writer = writer.clone();
                subscriber.with(layer.with_writer(move || VisibleJson(writer.clone())).with_filter(filter)).init();
            }
        }
        let set_filter: Arc<dyn Fn(EnvFilter) + Send + Sync> = Arc::new(move |filter| drop(handle.reload(filter)));
        log_panics();
        if misspelt {
            tracing::warn!("invalid RUST_LOG filter; using info (filters are written like info or media_cache=debug)");
        }
        Ok(Log { writer, set_filter })
    }

    /// The filter for events, and whether it is the default because RUST_LOG is invalid.
    fn filter(&self) -> (EnvFilter, bool) {
        let info = || EnvFilter::new("info");
        match &self.log_filter {
            Some(LogFilter(filter)) => (EnvFilter::try_new(filter).unwrap_or_else(|_| info()), false),
            None => match EnvFilter::try_from_default_env() {
                Ok(filter) => (filter, false),
                Err(_) => (info(), std::env::var_os(EnvFilter::DEFAULT_ENV).is_some()),
            },
        }
    }

    /// The log of requests.
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

/// Logs panics, which would otherwise be written to standard error directly, and could block.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| tracing::field::display(backtrace));
        let location = panic.location().map(tracing::field::display);
        let message = panic.payload_as_str().unwrap_or("without a message");
        tracing::error!(location, thread = std::thread::current().name(), backtrace, "panicked: {message}");
    }));
}

/// Writes a field so that an event is one line, whatever the field contains: untrusted text must not look like another event, or move the
/// cursor of a terminal.
fn write_field(writer: &mut Writer<'_>, field: &tracing::field::Field, value: &dyn fmt::Debug) -> fmt::Result {
    match field.name() {
        "message" => write!(Escaping(writer), "{value:?}"),
        name => write!(Escaping(writer), "{name}={value:?}"),
    }
}

/// The log for JSON, whose strings may have hidden characters. An event is written in one piece.
struct VisibleJson(LossyWriter);

impl Write for VisibleJson {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.write_all(visible::json(&String::from_utf8_lossy(event)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Standard error. Writing blocks even if another process that shares it has made it non-blocking.
struct Sink(File);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None)?;
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
