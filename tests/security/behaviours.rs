//! The ways in which an origin can misbehave, and the result of each: the table in `docs/downloads.md`.

use media_cache_test_support::raw_origin::{Step, send_response, send_text};

/// A page that is not media.
const PAGE: &[u8] = b"<!DOCTYPE html><title>Please sign in</title>";

/// One way to misbehave.
pub struct Behaviour {
    /// What the origin does, as worded in the table.
    pub name: &'static str,
    pub script: Vec<Step>,
    /// The status of the response.
    pub status: u16,
    pub code: &'static str,
    /// Text that the explanation must contain.
    pub words: &'static str,
}

impl Behaviour {
    /// The row in the table.
    pub fn line(&self) -> String {
        format!("| {} | {}, `{}` | nothing | {} |", self.name, self.status, self.code, remembered(self.code))
    }
}

/// How long such a failure is remembered, as worded in the table; see `failure-memory-ms` in `wit/cache/cache.wit`.
pub fn remembered(code: &str) -> &'static str {
    match code {
        "gone" | "too-large" | "unacceptable-type" | "unavailable-for-legal-reasons" => "5 minutes",
        "not-found" | "denied" | "refused" | "too-many-redirects" => "1 minute",
        "unavailable" => "as long as the origin requests",
        _ => "10 seconds",
    }
}

/// All ways to misbehave. Bodies are smaller than one MiB, except those that should be too large.
pub fn all() -> Vec<Behaviour> {
    [statuses(), redirects(), bodies(), framing(), heads(), times(), types()].into_iter().flatten().collect()
}

fn behaviour(name: &'static str, script: Vec<Step>, status: u16, code: &'static str, words: &'static str) -> Behaviour {
    Behaviour { name, script, status, code, words }
}

fn statuses() -> Vec<Behaviour> {
    let body = b"GIF89a\x01\0\x01\0";
    let ranged = "Content-Type: image/gif\r\nContent-Range: bytes 0-9/100\r\n";
    vec![
        behaviour("responds with 500", vec![send_response("500 Internal Server Error", "", body)], 502, "origin-status", "500"),
        behaviour("responds with 404", vec![send_response("404 Not Found", "", body)], 404, "not-found", "404"),
        behaviour("responds with 410", vec![send_response("410 Gone", "", body)], 410, "gone", "410"),
        behaviour(
            "responds with 401",
            vec![send_response("401 Unauthorized", "WWW-Authenticate: Basic\r\n", body)],
            403,
            "denied",
            "401",
        ),
        behaviour("responds with 403", vec![send_response("403 Forbidden", "", body)], 403, "denied", "403"),
        behaviour(
            "responds with 451",
            vec![send_response("451 Unavailable For Legal Reasons", "", body)],
            451,
            "unavailable-for-legal-reasons",
            "legal reasons",
        ),
        behaviour("responds with 204", vec![send_text("HTTP/1.1 204 No Content\r\n\r\n")], 502, "origin-status", "204"),
        behaviour(
            "responds with 304 to an unconditional request",
            vec![send_text("HTTP/1.1 304 Not Modified\r\n\r\n")],
            502,
            "origin-status",
            "304",
        ),
        behaviour(
            "responds with 206 to a request without a range",
            vec![send_response("206 Partial Content", ranged, body)],
            502,
            "partial-body",
            "206",
        ),
        behaviour(
            "responds with 503 and `Retry-After` in seconds",
            vec![send_response("503 Service Unavailable", "Retry-After: 17\r\n", body)],
            503,
            "unavailable",
            "17 seconds",
        ),
        behaviour(
            "responds with 429 and `Retry-After` as a date",
            vec![send_response("429 Too Many Requests", "Retry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\n", body)],
            503,
            "unavailable",
            "seconds",
        ),
    ]
}

fn redirects() -> Vec<Behaviour> {
    let to = |location: &str| vec![send_response("302 Found", &format!("Location: {location}\r\n"), b"")];
    let long = format!("/{}", "x".repeat(9000));
    vec![
        behaviour("redirects to itself", to("#again"), 502, "too-many-redirects", "more than 5 times"),
        behaviour("redirects without a `Location`", vec![send_response("302 Found", "", b"")], 502, "origin-status", "302"),
        behaviour("redirects to another scheme", to("file:///etc/passwd"), 403, "refused", "scheme is file"),
        behaviour("redirects to a private address", to("http://10.0.0.1/a.gif"), 403, "refused", "not a public address"),
        behaviour("redirects to a URL with credentials", to("http://me:secret@127.0.0.1/"), 403, "refused", "credentials"),
        behaviour("redirects to an invalid host name", to("http://a..example/"), 403, "refused", "host name is invalid"),
        behaviour("redirects to a URL that is too long", to(&long), 403, "refused", "more than the limit of 8192"),
    ]
}

fn bodies() -> Vec<Behaviour> {
    let chunked = |end: &str| send_text(&format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nGIF89a\r\n{end}"));
    let six = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n";
    let second = format!("{six}GIF89aHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    let mebibyte = 1 << 20;
    vec![
        behaviour(
            "closes the connection before the end of the body",
            vec![send_text(six), send_text("GIF"), Step::Close],
            502,
            "short-body",
            "after 3 bytes",
        ),
        behaviour(
            "closes the connection before the last chunk",
            vec![chunked(""), Step::Close],
            502,
            "short-body",
            "after 6 bytes",
        ),
        behaviour(
            "resets the connection in the middle of the body",
            vec![send_text(six), send_text("GIF"), Step::Pause, Step::Reset],
            502,
            "short-body",
            "",
        ),
        behaviour("sends more bytes than it declared", vec![send_text(&format!("{six}GIF89a!"))], 502, "overlong-body", "6 bytes"),
        behaviour(
            "sends more bytes than it declared, in a later segment",
            vec![send_text(&format!("{six}GIF")), Step::Pause, send_text("89a!")],
            502,
            "overlong-body",
            "6 bytes",
        ),
        behaviour("sends a second response after the first", vec![send_text(&second)], 502, "overlong-body", "6 bytes"),
        behaviour("sends more data after the last chunk", vec![chunked("0\r\n\r\n!")], 502, "overlong-body", "last chunk"),
        behaviour("sends an empty body", vec![send_response("200 OK", "", b"")], 502, "empty-body", "empty"),
        behaviour(
            "declares a body larger than the limit",
            vec![send_text(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", mebibyte + 1)), Step::Stall],
            413,
            "too-large",
            "1048576 bytes",
        ),
        behaviour(
            "sends a body larger than the limit, without a length",
            vec![send_text("HTTP/1.1 200 OK\r\n\r\n"), Step::Repeat(vec![b'x'; 1 << 16])],
            413,
            "too-large",
            "1048576 bytes",
        ),
        behaviour(
            "compresses the body, although that was not requested",
            vec![send_response("200 OK", "Content-Encoding: gzip\r\n", b"GIF89a")],
            502,
            "encoded-body",
            "gzip",
        ),
        behaviour(
            "compresses the body twice, although that was not requested",
            vec![send_response("200 OK", "Content-Encoding: identity, br\r\nContent-Encoding: gzip\r\n", b"GIF89a")],
            502,
            "encoded-body",
            "br",
        ),
    ]
}

fn framing() -> Vec<Behaviour> {
    let send_framed = |headers: &str, body: &str| vec![send_text(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}"))];
    let chunked = "Transfer-Encoding: chunked\r\n";
    let once = "6\r\nGIF89a\r\n0\r\n\r\n";
    vec![
        behaviour(
            "compresses the body with a transfer coding",
            send_framed("Transfer-Encoding: gzip, chunked\r\n", once),
            502,
            "encoded-body",
            "gzip",
        ),
        behaviour(
            "applies chunked coding twice",
            send_framed("Transfer-Encoding: chunked, chunked\r\n", "10\r\n6\r\nGIF89a\r\n0\r\n\r\n\r\n0\r\n\r\n"),
            502,
            "encoded-body",
            "chunked",
        ),
        behaviour(
            "applies another transfer coding after chunked",
            send_framed("Transfer-Encoding: chunked, identity\r\n", once),
            502,
            "encoded-body",
            "chunked",
        ),
        behaviour(
            "declares two different lengths",
            send_framed("Content-Length: 6\r\nContent-Length: 7\r\n", "GIF89a!"),
            502,
            "broken-answer",
            "content-length",
        ),
        behaviour(
            "declares a length and uses chunked coding",
            send_framed(&format!("Content-Length: 6\r\n{chunked}"), once),
            502,
            "broken-answer",
            "both a content-length and chunks",
        ),
        behaviour("sends a chunk without a size", send_framed(chunked, "GIF89a\r\n0\r\n\r\n"), 502, "broken-answer", "chunk"),
        behaviour(
            "sends a chunk of the wrong size",
            send_framed(chunked, "5\r\nGIF89a\r\n0\r\n\r\n"),
            502,
            "broken-answer",
            "chunk",
        ),
        behaviour(
            "sends a chunk whose size overflows 64 bits",
            send_framed(chunked, "10000000000000000\r\nGIF89a\r\n"),
            502,
            "broken-answer",
            "overflow",
        ),
        behaviour(
            "sends a chunk with endless extensions",
            [send_framed(chunked, "6;"), vec![Step::Repeat(vec![b'x'; 1 << 16])]].concat(),
            502,
            "broken-answer",
            "extensions",
        ),
    ]
}

fn heads() -> Vec<Behaviour> {
    let begun = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n";
    let large = format!("{begun}A: {}\r\n\r\nGIF89a", "x".repeat(1 << 16));
    let many = format!("{begun}{}\r\nGIF89a", "A: b\r\n".repeat(100));
    let interim = "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n".repeat(100);
    let limit = "65536 bytes";
    vec![
        behaviour("does not speak HTTP", vec![send_text("220 mail ESMTP\r\n")], 502, "broken-answer", "HTTP"),
        behaviour(
            "sends a header that contains a NUL byte",
            vec![send_text("HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n")],
            502,
            "broken-answer",
            "header",
        ),
        behaviour("sends headers that are too large", vec![send_text(&large)], 502, "broken-answer", limit),
        behaviour("sends too many headers", vec![send_text(&many)], 502, "broken-answer", "too large"),
        behaviour(
            "sends endless headers",
            vec![send_text(begun), send_text("A: "), Step::Repeat(vec![b'x'; 1000])],
            502,
            "broken-answer",
            limit,
        ),
        behaviour("sends endless interim responses (1xx)", vec![Step::Repeat(interim.into())], 502, "broken-answer", limit),
    ]
}

fn times() -> Vec<Behaviour> {
    let begun = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    vec![
        behaviour("closes the connection immediately", vec![Step::Close], 502, "unreachable", "127.0.0.1"),
        behaviour("never responds", vec![Step::Stall], 504, "timed-out", "did not respond"),
        behaviour(
            "stalls in the middle of the headers",
            vec![send_text("HTTP/1.1 200 OK\r\nA:"), Step::Stall],
            504,
            "timed-out",
            "did not respond",
        ),
        behaviour(
            "stalls in the middle of the body",
            vec![send_text(begun), send_text("GIF"), Step::Stall],
            504,
            "timed-out",
            "no body data",
        ),
        behaviour("sends the body too slowly", vec![send_text(begun), Step::Drip], 504, "timed-out", "too slowly"),
    ]
}

fn types() -> Vec<Behaviour> {
    vec![
        behaviour(
            "sends a web page",
            vec![send_response("200 OK", "Content-Type: text/html; charset=utf-8\r\n", PAGE)],
            415,
            "unacceptable-type",
            "text/html",
        ),
        behaviour(
            "sends a web page declared as an image",
            vec![send_response("200 OK", "Content-Type: image/png\r\n", PAGE)],
            415,
            "unacceptable-type",
            "text/html",
        ),
        behaviour(
            "sends a web page declared as text",
            vec![send_response("200 OK", "Content-Type: text/plain\r\n", PAGE)],
            415,
            "unacceptable-type",
            "text/html",
        ),
        behaviour(
            "sends a web page without declaring a type",
            vec![send_response("200 OK", "", PAGE)],
            415,
            "unacceptable-type",
            "text/html",
        ),
    ]
}
