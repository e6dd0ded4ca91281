//! Selects the entries that a command applies to.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use media_cache_maintenance::EntryFilter;

/// The entries that a command applies to. At most one of these can be given.
#[derive(Args)]
#[group(multiple = false)]
pub struct Selection {
    /// All entries of a host, on any port: `cdn.example.org`, or `*.example.org` for all its subdomains
    #[arg(long, value_name = "HOST", value_parser = host)]
    host: Option<EntryFilter>,
    /// All entries whose URL begins with this text
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    prefix: Option<String>,
    /// All entries
    #[arg(long)]
    all: bool,
}

impl Selection {
    /// The selected entries, if an option was given.
    pub fn filter(self) -> Option<EntryFilter> {
        let prefix = self.prefix.map(EntryFilter::Prefix);
        self.host.or(prefix).or_else(|| self.all.then_some(EntryFilter::All))
    }
}

fn host(text: &str) -> Result<EntryFilter, String> {
    EntryFilter::host(text).map_err(|error| error.to_string())
}
