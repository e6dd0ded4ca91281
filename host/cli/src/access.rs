//! Access rules: which origins may be fetched from.

use std::net::IpAddr;

use clap::Args;
use ipnet::IpNet;
use media_cache_http_downloader::{AccessRules, HostPattern};

/// Access rules, for commands that download.
#[derive(Args)]
#[command(next_help_heading = "Downloads")]
pub struct Access {
    /// Addresses to fetch from although they are not public, such as 127.0.0.0/8; addresses and ranges, also comma separated
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = range)]
    allow_address: Vec<IpNet>,
    /// Addresses that are not fetched from, public or not
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = range)]
    deny_address: Vec<IpNet>,
    /// Hosts to fetch from, and from no others: `example.org`, or `*.example.org` for those under it
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    allow_host: Vec<HostPattern>,
    /// Hosts that are not fetched from, in the same form
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    deny_host: Vec<HostPattern>,
    /// Ports to fetch from, and from no others; otherwise all that are not known for another protocol
    #[arg(long, value_name = "PORT", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    allow_port: Vec<u16>,
    /// Ports that are not fetched from
    #[arg(long, value_name = "PORT", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    deny_port: Vec<u16>,
}

impl Access {
    /// The access rules of these options.
    pub fn rules(&self) -> AccessRules {
        AccessRules {
            allow_addresses: self.allow_address.clone(),
            deny_addresses: self.deny_address.clone(),
            allow_hosts: self.allow_host.clone(),
            deny_hosts: self.deny_host.clone(),
            allow_ports: self.allow_port.clone(),
            deny_ports: self.deny_port.clone(),
        }
    }
}

/// Reads a range of addresses, or a single one.
fn range(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    // Some programs read a number with a leading zero as octal, so it is not an address.
    let is_strict = |text: &str| text.split_once('/').is_some_and(|(address, _)| address.parse::<IpAddr>().is_ok());
    let range: Option<IpNet> = text.parse().ok().filter(|_| is_strict(text));
    let range = range.ok_or("it takes an address or a range, such as 192.0.2.1, 10.0.0.0/8 or fd00::/8")?;
    // A user who means one address must not get millions.
    if range.addr() != range.network() {
        return Err(format!("it is neither one address, {}, nor a range, {}", range.addr(), range.trunc()));
    }
    Ok(range)
}
