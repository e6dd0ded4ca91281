//! Compares the classification of addresses with an independent reference, which is written octet by octet, near every range boundary in
//! either of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use media_cache_http_downloader::special_use;
use proptest::prelude::*;

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0 | 10 | 127 | 224..=255, ..) => false,
        (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _) | (198, 18 | 19, _) => false,
        (192, 0, 0 | 2) | (192, 31, 196) | (192, 52, 193) | (192, 88, 99) | (192, 175, 48) => false,
        (198, 51, 100) | (203, 0, 113) => false,
        _ => address != Ipv4Addr::new(168, 63, 129, 16),
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, _, e, f, _, _] = address.segments();
    let isatap = f == 0x5efe && (e == 0 || e == 0x0200);
    let special = match a {
        0x2001 => b < 0x0200 || b == 0x0db8,
        0x2002 | 0x3ffe => true,
        0x2620 => b == 0x4f && c == 0x8000,
        0x3fff => b < 0x1000,
        _ => false,
    };
    (0x2000..0x4000).contains(&a) && !special && !isatap
}

/// The first addresses of special ranges, and of the ranges that follow them.
#[rustfmt::skip]
const V4: &[[u8; 4]] = &[
    [0, 0, 0, 0], [1, 0, 0, 0], [10, 0, 0, 0], [11, 0, 0, 0], [100, 64, 0, 0], [100, 128, 0, 0], [127, 0, 0, 0], [128, 0, 0, 0],
    [168, 63, 129, 16], [169, 254, 0, 0], [169, 255, 0, 0], [172, 16, 0, 0], [172, 32, 0, 0], [192, 0, 0, 0], [192, 0, 1, 0],
    [192, 0, 2, 0], [192, 0, 3, 0], [192, 31, 196, 0], [192, 31, 197, 0], [192, 52, 193, 0], [192, 52, 194, 0], [192, 88, 99, 0],
    [192, 88, 100, 0], [192, 168, 0, 0], [192, 169, 0, 0], [192, 175, 48, 0], [192, 175, 49, 0], [198, 18, 0, 0], [198, 20, 0, 0],
    [198, 51, 100, 0], [198, 51, 101, 0], [203, 0, 113, 0], [203, 0, 114, 0], [224, 0, 0, 0], [240, 0, 0, 0], [255, 255, 255, 255],
];
#[rustfmt::skip]
const V6: &[&str] = &[
    "::", "::2", "::1:0:0", "::ffff:0:0", "::1:0:0:0", "::ffff:0:0:0", "::ffff:1:0:0", "64:ff9b::", "64:ff9b::1:0:0", "64:ff9b:1::",
    "64:ff9b:2::", "100::", "100:0:0:1::", "100:0:0:2::", "2000::", "2001::", "2001:1::", "2001:2::", "2001:2:1::", "2001:10::",
    "2001:20::", "2001:40::", "2001:200::", "2001:db8::", "2001:db9::", "2002::", "2003::", "2620:4f:8000::", "2620:4f:8001::",
    "3ffe::", "3fff::", "3fff:1000::", "4000::", "5f00::", "6000::", "fc00::", "fe00::", "fe80::", "fec0::", "ff00::",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];

fn v4() -> impl Strategy<Value = Ipv4Addr> {
    let near = (prop::sample::select(V4), -300_i64..=300)
        .prop_map(|(border, offset)| u32::from(Ipv4Addr::from(border)).wrapping_add(offset as u32));
    prop_oneof![3 => near, 1 => any::<u32>()].prop_map(Ipv4Addr::from)
}

fn v6() -> impl Strategy<Value = Ipv6Addr> {
    let border = || prop::sample::select(V6).prop_map(|border| u128::from(border.parse::<Ipv6Addr>().unwrap()));
    let near = (border(), -300_i128..=300).prop_map(|(border, offset)| border.wrapping_add(offset as u128));
    // A prefix from the list followed by arbitrary bits, and any bits with an ISATAP identifier, or with something close to one.
    let behind = (border(), 0_u32..=127, any::<u128>()).prop_map(|(border, kept, rest)| border | (rest >> kept));
    let isatap = (any::<u128>(), prop::sample::select(&[0_u128, 0x0100, 0x0200, 0x0300, 0x8200][..]), 0x5efc_u128..0x5f00)
        .prop_map(|(other, top, mark)| (other & !(0xffff_ffff << 32)) | (top << 48) | (mark << 32));
    let unicast = |address: u128| (address & (u128::MAX >> 3)) | (1 << 125);
    let both = isatap.clone().prop_map(unicast);
    prop_oneof![3 => near, 2 => behind, 1 => isatap, 2 => both, 1 => any::<u128>().prop_map(unicast), 1 => any::<u128>()]
        .prop_map(Ipv6Addr::from)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn classification_of_ipv4_addresses_matches_the_reference(address in v4()) {
        prop_assert_eq!(special_use(IpAddr::V4(address)).is_none(), is_public_v4(address), "{}", address);
    }

    #[test]
    fn classification_of_ipv6_addresses_matches_the_reference(address in v6()) {
        prop_assert_eq!(special_use(IpAddr::V6(address)).is_none(), is_public_v6(address), "{}", address);
    }
}

#[test]
fn classification_around_every_range_boundary_matches_the_reference() {
    for &border in V4 {
        let first = u32::from(Ipv4Addr::from(border));
        for address in [first.wrapping_sub(1), first, first.wrapping_add(1)].map(Ipv4Addr::from) {
            assert_eq!(special_use(address.into()).is_none(), is_public_v4(address), "{address}");
        }
    }
    for border in V6 {
        let first = u128::from(border.parse::<Ipv6Addr>().unwrap());
        for address in [first.wrapping_sub(1), first, first.wrapping_add(1)].map(Ipv6Addr::from) {
            assert_eq!(special_use(address.into()).is_none(), is_public_v6(address), "{address}");
        }
    }
}
