//! Access rules: which origins may be fetched from.

use std::net::IpAddr;

use clap::Args;
use ipnet::IpNet;
use media_cache_http_downloader::{AccessRules, HostPattern};

/// Access rules, for commands that download.
#[derive(Args)]
#[command(next_help_heading = "Downloads")]
pub struct Access {
    /// Non-public addresses and ranges to allow, such as 127.0.0.0/8; may be comma-separated
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = range)]
    allow_address: Vec<IpNet>,
    /// Addresses and ranges to refuse, public or not
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = range)]
    deny_address: Vec<IpNet>,
    /// The only hosts to fetch from: `example.org`, or `*.example.org` for all its subdomains
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    allow_host: Vec<HostPattern>,
    /// Hosts to refuse, in the same form
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    deny_host: Vec<HostPattern>,
    /// The only ports to fetch from; by default, all ports except those of other known protocols
    #[arg(long, value_name = "PORT", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    allow_port: Vec<u16>,
    /// Ports to refuse
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

/// Parses an address or a range of addresses.
fn range(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    // Some programs read numbers with leading zeros as octal, so such addresses are refused.
    let is_strict = |text: &str| text.split_once('/').is_some_and(|(address, _)| address.parse::<IpAddr>().is_ok());
    let range: Option<IpNet> = text.parse().ok().filter(|_| is_strict(text));
    let range = range.ok_or("it must be an address or a range, such as 192.0.2.1, 10.0.0.0/8 or fd00::/8")?;
    // A range with host bits set may be meant as a single address, which must not allow millions.
    if range.addr() != range.network() {
        return Err(format!("it is ambiguous; write {} for the address, or {} for the range", range.addr(), range.trunc()));
    }
    Ok(range)
}
