//! `Via` headers, with any content that other services may have written.

use http::{HeaderMap, HeaderValue, header};
use media_cache_requests::Pseudonym;

use crate::input::{Input, text};

/// The input: a name, and the values of `Via` lines.
pub fn via(data: &[u8]) {
    let mut input = Input::new(data);
    let name = text(input.line());
    let Ok(own) = name.parse::<Pseudonym>() else { return };
    assert_eq!(own.as_str(), name);
    let mut headers = HeaderMap::new();
    let mut is_in = false;
    while !input.is_empty() {
        let Ok(line) = HeaderValue::from_bytes(input.line()) else { continue };
        let hops = line.as_bytes().split(|byte| *byte == b',');
        let received_by = hops.filter_map(|hop| text(hop).split_ascii_whitespace().nth(1).map(str::to_ascii_lowercase));
        is_in |= received_by.into_iter().any(|received_by| received_by == name.to_ascii_lowercase());
        headers.append(header::VIA, line);
    }
    assert_eq!(own.is_in(&headers), is_in, "{name} in {headers:?}");
    let Ok(hop) = HeaderValue::try_from(format!("1.1 {name}")) else { unreachable!("a name is a token") };
    headers.append(header::VIA, hop);
    assert!(own.is_in(&headers), "{name} forwarded the request");
}
