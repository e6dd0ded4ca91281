//! Blocks of addresses in the access rules.

use std::net::IpAddr;

use media_cache_http_downloader::{AccessRules, special_use};

use crate::input::{Input, text};

/// The input: a line with a block of addresses (CIDR), and a line with an address.
pub fn cidr(data: &[u8]) {
    let mut input = Input::new(data);
    let (block, address) = (text(input.line()), text(input.line()));
    let Ok(address) = address.parse::<IpAddr>() else { return };
    let Ok(parsed) = block.parse() else { return };
    let denying = AccessRules { deny_addresses: vec![parsed], ..AccessRules::default() };
    let allowing = AccessRules { allow_addresses: vec![parsed], ..AccessRules::default() };
    let (network, prefix) = block.split_once('/').unwrap_or((&block, ""));
    // The options reject numbers with leading zeros, but the type of a block accepts them.
    let Ok(network) = network.parse::<IpAddr>() else { return };
    let reached = address.to_canonical();
    if contains(network, prefix, address) || contains(network, prefix, reached) {
        assert!(denying.check_address(address).is_err(), "{address} is in {block}");
    } else {
        assert_eq!(denying.check_address(address).is_ok(), special_use(address).is_none(), "{address} is not in {block}");
    }
    if !contains(network, prefix, reached) {
        assert_eq!(allowing.check_address(address).is_ok(), special_use(address).is_none(), "{address} is not in {block}");
    } else if matches!(reached, IpAddr::V4(_)) {
        assert!(allowing.check_address(address).is_ok(), "{address} is in {block}");
    }
}

/// Whether an address is in a block, determined from the bits of the addresses.
fn contains(network: IpAddr, prefix: &str, address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (32, u128::from(u32::from(address)) << 96),
        IpAddr::V6(address) => (128, u128::from(address)),
    };
    let ((length, network), (other_length, address)) = (bits(network), bits(address));
    let prefix: u32 = prefix.parse().unwrap_or(length);
    length == other_length && (network ^ address).checked_shr(128 - prefix).is_none_or(|differing| differing == 0)
}
