//! Which addresses are public, and what the others are reserved for.
//!
//! Only globally routed unicast is public. All other addresses lead to this machine, to its network, nowhere, or to a host other than the
//! one they seem to name. The ranges are those of the IANA special-purpose address registries (RFC 6890, RFC 8190) and a few others, whose
//! sources are in the table. Infrastructure that the registries call globally reachable (AS112, AMT, the anycast services in 192.0.0.0/24
//! and 2001::/23) is not considered public: the nearest network responds for it, possibly the local one, and it serves no media.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

/// What an address is reserved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialUse {
    /// The use of the address in a few words, such as `loopback`.
    pub purpose: &'static str,
    /// The range that contains the address, or only the address itself if it is recognised by its lower half.
    pub range: IpNet,
    /// The document that defines the range.
    pub source: &'static str,
    /// Whether an operator's own origins may have such addresses.
    pub(crate) may_have_origins: bool,
}

impl fmt::Display for SpecialUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.purpose, self.range, self.source)
    }
}

/// What an address is reserved for; `None` if it is public.
#[must_use]
pub fn special_use(address: IpAddr) -> Option<SpecialUse> {
    let listed = RANGES.iter().find(|special| special.range.contains(&address)).copied();
    listed.or_else(|| {
        let IpAddr::V6(v6) = address else { return None };
        let single = |purpose, source| Some(SpecialUse { purpose, range: address.into(), source, may_have_origins: false });
        if !GLOBAL_UNICAST.contains(&v6) {
            return single("not assigned as unicast", "RFC 4291");
        }
        isatap(v6).and_then(|_| single("an ISATAP tunnel", "RFC 5214"))
    })
}

/// The IPv4 address that an IPv6 address embeds according to any of the standards for translation and tunnels. Addresses with the
/// translation prefix for local use (RFC 8215) embed one at a position known only to their network; for these, the result is `None`.
pub(crate) fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let at = |index: usize| (u32::from(segments[index]) << 16) | u32::from(segments[index + 1]);
    match segments {
        // Unspecified and loopback.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Compatible, mapped, translated, and translated by NAT64 with its well-known prefix.
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _] | [0, 0, 0, 0, 0xffff, 0, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => Some(at(6).into()),
        // 6to4.
        [0x2002, ..] => Some(at(1).into()),
        // Teredo, with the bits of the client's address inverted.
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
        Self { purpose, range: IpNet::new_assert(address, length), source, may_have_origins: false }
    }

    /// The same range, marked as one that may contain an operator's own origins.
    const fn local(self) -> Self {
        Self { may_have_origins: true, ..self }
    }
}

const fn v4([a, b, c, d]: [u8; 4], length: u8, purpose: &'static str, source: &'static str) -> SpecialUse {
    SpecialUse::of(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length, purpose, source)
}

/// A row for IPv6, with the address as a number.
const fn v6(address: u128, length: u8, purpose: &'static str, source: &'static str) -> SpecialUse {
    SpecialUse::of(IpAddr::V6(Ipv6Addr::from_bits(address)), length, purpose, source)
}

/// All unicast that is or will be routed globally (RFC 4291, section 2.4, and IANA's address space registry).
const GLOBAL_UNICAST: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::from_bits(0x2000 << 112), 3);

/// The first matching row counts, so the narrower of two ranges comes first. IPv6 addresses outside [`GLOBAL_UNICAST`] are not public even
/// if no row contains them; a row gives them a better description.
#[rustfmt::skip]
static RANGES: &[SpecialUse] = &[
    v4([0, 0, 0, 0],        8, "this network", "RFC 791"),
    v4([10, 0, 0, 0],       8, "private", "RFC 1918").local(),
    v4([100, 64, 0, 0],    10, "shared by carrier-grade NAT", "RFC 6598").local(),
    v4([127, 0, 0, 0],      8, "loopback", "RFC 1122").local(),
    // A public address that leads from every virtual machine in Azure to the host of that machine.
    v4([168, 63, 129, 16], 32, "used by the platform in Microsoft Azure", "Azure documentation"),
    v4([169, 254, 0, 0],   16, "link-local, used for cloud metadata", "RFC 3927"),
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
    v6(0x2001_0010 << 96,                 28, "a hash, not an address (ORCHID)", "RFC 4843"),
    v6(0x2001_0020 << 96,                 28, "a hash, not an address (ORCHIDv2)", "RFC 7343"),
    v6(0x2001_0030 << 96,                 28, "a drone's tag, not an address (DRIP)", "RFC 9374"),
    v6(0x2001 << 112,                     23, "assigned to protocols", "RFC 2928"),
    v6(0x2001_0db8 << 96,                 32, "for documentation", "RFC 3849"),
    v6(0x2002 << 112,                     16, "a 6to4 tunnel", "RFC 3056"),
    v6(0x2620_004f_8000 << 80,            48, "a sink for stray reverse lookups (AS112)", "RFC 7534"),
    v6(0x3ffe << 112,                     16, "part of the former 6bone", "RFC 3701"),
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

    fn described(address: &str) -> String {
        special_use(address.parse().unwrap()).map(|special| special.to_string()).unwrap_or_default()
    }

    #[test]
    fn narrowest_matching_range_describes_the_address() {
        assert_eq!(described("127.8.8.8"), "loopback (127.0.0.0/8, RFC 1122)");
        assert_eq!(described("255.255.255.255"), "broadcast (255.255.255.255/32, RFC 919)");
        assert_eq!(described("255.255.255.254"), "reserved (240.0.0.0/4, RFC 1112)");
        assert_eq!(described("::1"), "loopback (::1/128, RFC 4291)");
        assert_eq!(described("2001::1"), "a Teredo tunnel (2001::/32, RFC 4380)");
        assert_eq!(described("2001:1::1"), "assigned to protocols (2001::/23, RFC 2928)");
        assert_eq!(described("4000::1"), "not assigned as unicast (4000::1/128, RFC 4291)");
        assert_eq!(described("2a00:1450::5efe:8.8.8.8"), "an ISATAP tunnel (2a00:1450::5efe:808:808/128, RFC 5214)");
        assert_eq!(described("8.8.8.8") + &described("2001:4860:4860::8888"), "");
    }

    #[test]
    fn embedded_ipv4_address_is_found_in_every_form() {
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
