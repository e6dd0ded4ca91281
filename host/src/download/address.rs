//! Which addresses are those of the open Internet.
//!
//! Only unicast that is routed everywhere is: everything else leads to this machine, to the network it is in, to nowhere, or to
//! somebody who is not whom the address seems to name. The ranges are those of the IANA special-purpose address registries (RFC 6890,
//! RFC 8190) and a few that are not in them, for which the table says where they come from. Where the registries call a range of
//! infrastructure globally reachable (AS112, AMT, the anycast services in 192.0.0.0/24 and 2001::/23), it is refused all the same: these
//! are answered by whoever is nearest, the local network included, and no media is served there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

/// Why an address is not one of the open Internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialUse {
    /// What the address is for, in a few words, such as `loopback`.
    pub purpose: &'static str,
    /// The range that it lies in. For addresses that are told by their lower half, it is the address itself.
    pub range: IpNet,
    /// Where that is laid down.
    pub source: &'static str,
    /// Whether origins of one's own may well have such addresses.
    pub(super) may_be_ones_own: bool,
}

impl fmt::Display for SpecialUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.purpose, self.range, self.source)
    }
}

/// What an address is reserved for; `None` for those that are globally routable unicast.
#[must_use]
pub fn special_use(address: IpAddr) -> Option<SpecialUse> {
    let listed = RANGES.iter().find(|special| special.range.contains(&address)).copied();
    listed.or_else(|| {
        let IpAddr::V6(v6) = address else { return None };
        let itself = |purpose, source| Some(SpecialUse { purpose, range: address.into(), source, may_be_ones_own: false });
        if !GLOBAL_UNICAST.contains(&v6) {
            return itself("not assigned as unicast", "RFC 4291");
        }
        isatap(v6).and_then(|_| itself("an ISATAP tunnel", "RFC 5214"))
    })
}

/// The IPv4 address that an IPv6 address stands for, by whichever of the standards for translation and tunnels. Addresses of the
/// translation prefix for local use (RFC 8215) embed one in a place that only their network knows: there is none for them.
pub(super) fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let at = |index: usize| (u32::from(segments[index]) << 16) | u32::from(segments[index + 1]);
    match segments {
        // Unspecified and loopback.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Compatible, mapped, translated, and translated by NAT64 with its well-known prefix.
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _] | [0, 0, 0, 0, 0xffff, 0, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => Some(at(6).into()),
        // 6to4.
        [0x2002, ..] => Some(at(1).into()),
        // Teredo, where the address of the client is written in inverted bits.
        [0x2001, 0, ..] => Some((!at(6)).into()),
        _ => isatap(address),
    }
}

/// The IPv4 address behind an ISATAP interface identifier, which may follow any prefix (RFC 5214, section 6.1).
fn isatap(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [_, _, _, _, 0 | 0x0200, 0x5efe, high, low] = address.segments() else { return None };
    Some(((u32::from(high) << 16) | u32::from(low)).into())
}

impl SpecialUse {
    const fn of(address: IpAddr, length: u8, purpose: &'static str, source: &'static str) -> Self {
        Self { purpose, range: IpNet::new_assert(address, length), source, may_be_ones_own: false }
    }

    /// The same, for a range in which one's own origins may be.
    const fn local(self) -> Self {
        Self { may_be_ones_own: true, ..self }
    }
}

const fn v4([a, b, c, d]: [u8; 4], length: u8, purpose: &'static str, source: &'static str) -> SpecialUse {
    SpecialUse::of(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length, purpose, source)
}

/// A row for IPv6; `address` as a number.
const fn v6(address: u128, length: u8, purpose: &'static str, source: &'static str) -> SpecialUse {
    SpecialUse::of(IpAddr::V6(Ipv6Addr::from_bits(address)), length, purpose, source)
}

/// All of the unicast that is or will be routed globally (RFC 4291, section 2.4, and IANA's address space registry).
const GLOBAL_UNICAST: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::from_bits(0x2000 << 112), 3);

/// The first row that fits names the reason, so the narrower of two ranges comes first. IPv6 addresses outside of [`GLOBAL_UNICAST`]
/// would be refused without a row, which only gives them a better name.
#[rustfmt::skip]
static RANGES: &[SpecialUse] = &[
    v4([0, 0, 0, 0],        8, "this network", "RFC 791"),
    v4([10, 0, 0, 0],       8, "private", "RFC 1918").local(),
    v4([100, 64, 0, 0],    10, "shared by carrier-grade NAT", "RFC 6598").local(),
    v4([127, 0, 0, 0],      8, "loopback", "RFC 1122").local(),
    // A public address that every virtual machine there reaches, and behind which its host is.
    v4([168, 63, 129, 16], 32, "the platform's own in Microsoft Azure", "Azure documentation"),
    v4([169, 254, 0, 0],   16, "link-local, where clouds keep their metadata", "RFC 3927"),
    v4([172, 16, 0, 0],    12, "private", "RFC 1918").local(),
    v4([192, 0, 0, 0],     24, "assigned to protocols", "RFC 6890"),
    v4([192, 0, 2, 0],     24, "for documentation", "RFC 5737"),
    v4([192, 31, 196, 0],  24, "a sink for stray reverse lookups (AS112)", "RFC 7535"),
    v4([192, 52, 193, 0],  24, "a multicast tunnel (AMT)", "RFC 7450"),
    v4([192, 88, 99, 0],   24, "a 6to4 relay", "RFC 7526"),
    v4([192, 168, 0, 0],   16, "private", "RFC 1918").local(),
    v4([192, 175, 48, 0],  24, "a sink for stray reverse lookups (AS112)", "RFC 7534"),
    v4([198, 18, 0, 0],    15, "for benchmarks", "RFC 2544"),
    v4([198, 51, 100, 0],  24, "for documentation", "RFC 5737"),
    v4([203, 0, 113, 0],   24, "for documentation", "RFC 5737"),
    v4([224, 0, 0, 0],      4, "multicast", "RFC 5771"),
    v4([255, 255, 255, 255], 32, "broadcast", "RFC 919"),
    v4([240, 0, 0, 0],      4, "reserved", "RFC 1112"),

    v6(0x0,                              128, "unspecified", "RFC 4291"),
    v6(0x1,                              128, "loopback", "RFC 4291").local(),
    v6(0x0,                               96, "an IPv4-compatible address", "RFC 4291"),
    v6(0xffff << 32,                      96, "an IPv4-mapped address", "RFC 4291"),
    v6(0xffff << 48,                      96, "an IPv4-translated address", "RFC 2765"),
    v6(0x64_ff9b << 96,                   96, "an IPv4 address behind NAT64", "RFC 6052"),
    v6(0x64_ff9b_0001 << 80,              48, "an IPv4 address behind a local NAT64", "RFC 8215"),
    v6(0x100 << 112,                      64, "discarded", "RFC 6666"),
    v6((0x100 << 112) | (1 << 64),        64, "a dummy prefix", "RFC 9780"),
    v6(0x2001 << 112,                     32, "a Teredo tunnel", "RFC 4380"),
    v6(0x2001_0002 << 96,                 48, "for benchmarks", "RFC 5180"),
    v6(0x2001_0003 << 96,                 32, "a multicast tunnel (AMT)", "RFC 7450"),
    v6(0x2001_0004_0112 << 80,            48, "a sink for stray reverse lookups (AS112)", "RFC 7535"),
    v6(0x2001_0010 << 96,                 28, "no address but a hash (ORCHID)", "RFC 4843"),
    v6(0x2001_0020 << 96,                 28, "no address but a hash (ORCHIDv2)", "RFC 7343"),
    v6(0x2001_0030 << 96,                 28, "no address but a drone's tag (DRIP)", "RFC 9374"),
    v6(0x2001 << 112,                     23, "assigned to protocols", "RFC 2928"),
    v6(0x2001_0db8 << 96,                 32, "for documentation", "RFC 3849"),
    v6(0x2002 << 112,                     16, "a 6to4 tunnel", "RFC 3056"),
    v6(0x2620_004f_8000 << 80,            48, "a sink for stray reverse lookups (AS112)", "RFC 7534"),
    v6(0x3ffe << 112,                     16, "of the former 6bone", "RFC 3701"),
    v6(0x3fff << 112,                     20, "for documentation", "RFC 9637"),
    v6(0x5f00 << 112,                     16, "a segment identifier (SRv6)", "RFC 9602"),
    v6(0xfc00 << 112,                      7, "unique local", "RFC 4193").local(),
    v6(0xfe80 << 112,                     10, "link-local", "RFC 4291"),
    v6(0xfec0 << 112,                     10, "site-local", "RFC 3879"),
    v6(0xff00 << 112,                      8, "multicast", "RFC 4291"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn named(address: &str) -> String {
        special_use(address.parse().unwrap()).map(|special| special.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_narrowest_range_gives_the_reason() {
        assert_eq!(named("127.8.8.8"), "loopback (127.0.0.0/8, RFC 1122)");
        assert_eq!(named("255.255.255.255"), "broadcast (255.255.255.255/32, RFC 919)");
        assert_eq!(named("255.255.255.254"), "reserved (240.0.0.0/4, RFC 1112)");
        assert_eq!(named("::1"), "loopback (::1/128, RFC 4291)");
        assert_eq!(named("2001::1"), "a Teredo tunnel (2001::/32, RFC 4380)");
        assert_eq!(named("2001:1::1"), "assigned to protocols (2001::/23, RFC 2928)");
        assert_eq!(named("4000::1"), "not assigned as unicast (4000::1/128, RFC 4291)");
        assert_eq!(named("2a00:1450::5efe:8.8.8.8"), "an ISATAP tunnel (2a00:1450::5efe:808:808/128, RFC 5214)");
        assert_eq!(named("8.8.8.8") + &named("2001:4860:4860::8888"), "");
    }

    #[test]
    fn what_an_ipv6_address_embeds_is_seen_in_every_form() {
        let embedding = [
            "::ffff:10.1.2.3",
            "::10.1.2.3",
            "::ffff:0:10.1.2.3",
            "64:ff9b::10.1.2.3",
            "2002:a01:203::1",
            "2001:0:4136:e378:8000:63bf:f5fe:fdfc",
            "2a00::5efe:10.1.2.3",
            "2a00::200:5efe:10.1.2.3",
        ];
        for address in embedding {
            assert_eq!(embedded_v4(address.parse().unwrap()), Some(Ipv4Addr::new(10, 1, 2, 3)), "{address}");
        }
        for address in ["::", "::1", "2a00::1", "64:ff9b:1::10.1.2.3", "2001:db8::10.1.2.3"] {
            assert_eq!(embedded_v4(address.parse().unwrap()), None, "{address}");
        }
    }
}
