//! Traces, and quoted keys.

use std::collections::HashMap;
use std::fmt::Write;
use std::iter::once;

use media_cache_trace::{MediaKind, Request, Trace, fingerprint};

/// Tests the input as a trace, plain or compressed, and as a key.
pub fn trace(data: &[u8]) {
    if let Ok(trace) = Trace::read(data) {
        check_numbers(&trace);
        check_round_trip(&trace);
    }
    check_quoted(data);
}

fn check_numbers(trace: &Trace) {
    let requests = trace.requests();
    assert!(!requests.is_empty() && requests.iter().all(|request| request.size > 0));
    assert_eq!(requests.iter().map(|request| request.size).sum::<u64>(), trace.bytes());
    let mut known = 0;
    let mut fetches = HashMap::new();
    for Request { object, cost, kind, .. } in requests {
        let (has_cost, has_kind) = fetches.entry(object).or_insert((*cost > 0, kind.is_some()));
        assert_eq!((*has_cost, *has_kind), (*cost > 0, kind.is_some()), "known for all requests for an object, or for none");
        assert!(*object <= known, "objects are numbered in the order of their first request");
        known = known.max(object + 1);
    }
    assert_eq!(known as usize, trace.objects());
}

/// Checks that a trace is unchanged after it was written in the format of the service and read again.
fn check_round_trip(trace: &Trace) {
    let mut lines = String::new();
    for Request { at, size, object, cost, waiters, kind } in trace.requests() {
        let (seconds, milliseconds, kind) = (at / 1000, at % 1000, kind.map_or("", MediaKind::name));
        let fingerprint = trace.fingerprint(*object);
        let _ = writeln!(lines, "{seconds}.{milliseconds:03},{fingerprint:016x},{size},{cost},{waiters},{kind}");
    }
    let Ok(again) = Trace::read(lines.as_bytes()) else { unreachable!("{lines}") };
    assert_eq!(again.requests(), trace.requests());
    assert!((0..trace.objects() as u32).all(|object| again.fingerprint(object) == trace.fingerprint(object)));
}

/// Checks that any line is valid as a quoted key.
fn check_quoted(key: &[u8]) {
    if key.contains(&b'\n') || key.len() > 1 << 12 {
        return;
    }
    let doubled = key.iter().flat_map(|byte| if *byte == b'"' { &b"\"\""[..] } else { std::slice::from_ref(byte) });
    let line: Vec<u8> = b"0,\"".iter().chain(doubled).chain(b"\",1").copied().chain(once(b'\n')).collect();
    let Ok(trace) = Trace::read(&line[..]) else { unreachable!("{line:?}") };
    // 16 hexadecimal digits in lower case are a fingerprint.
    let is_recorded = key.len() == 16 && key.iter().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase());
    let recorded = std::str::from_utf8(key).ok().filter(|_| is_recorded).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    assert_eq!((trace.objects(), trace.fingerprint(0)), (1, recorded.unwrap_or_else(|| fingerprint(key))));
}
