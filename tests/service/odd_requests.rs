//! Random requests for media, many of which are unusual or invalid.

use media_cache_test_support::random::Random;

/// A request for one of these paths, often unusual or invalid, as the lines of its head. `versions` are used in conditions.
pub fn odd_request(random: &mut Random, paths: &[String], versions: &[String]) -> Vec<String> {
    let mut one = |choices: &[&str]| choices[random.below(choices.len() as u64) as usize].to_owned();
    let method = one(&["GET", "GET", "GET", "GET", "GET", "HEAD", "HEAD", "POST", "get", "BREW"]);
    let version = one(&["1.1", "1.1", "1.1", "1.1", "1.1", "1.1", "1.1", "1.0", "2.0"]);
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let path = one(&paths);
    let path = match one(&["", "", "", "", "", "", "", "&", "&url=x", "#x", "&x=1", "+", "absolute", "%2F", "\"", "%ff"]).as_str() {
        "absolute" => format!("http://x{path}"),
        "%2F" => path.replacen("/media", "/%6Dedia", 1),
        more => format!("{path}{more}"),
    };
    let mut lines = vec![format!("{method} {path} HTTP/{version}")];
    let host = one(&["Host: x", "Host: x", "Host: x", "host:x:80", "HOST: [::1]:8080 ", "Host: a b", "Host: a,b", "Host:"]);
    lines.push(host);
    let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
    for _ in 0..random.below(4) {
        let mut one = |choices: &[&str]| choices[random.below(choices.len() as u64) as usize].to_owned();
        let line = match one(&["condition", "condition", "range", "range", "origin", "id", "browser", "odd"]).as_str() {
            "condition" => {
                let name =
                    one(&["If-None-Match", "If-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "if-none-match"]);
                format!("{name}: {}", one(&versions))
            }
            "range" => one(&[
                "Range: bytes=0-0",
                "Range: bytes=2-",
                "Range:bytes=-7",
                "range: bytes=0-99999999",
                "Range: bytes=400000-",
                "Range: bytes=70000-290000",
                "Range: bytes=5-2",
                "Range: bytes=0-1,3-4",
                "Range: items=0-1",
            ]),
            "origin" => one(&["Origin: https://example.org", "origin: https://other.example", "Origin: null"]),
            "id" => one(&["X-Request-Id: mine-1", "x-request-id: not safe;", "X-Request-ID:"]),
            "browser" => one(&[
                "Sec-Fetch-Dest: image",
                "Sec-Fetch-Dest: script",
                "Accept: */*",
                "sec-ch-ua: \"x\"",
                "Cookie: a=b",
                "Connection: keep-alive",
                "Connection: Keep-Alive, x",
                "Connection: close",
                "Cache-Control: only-if-cached",
            ]),
            _ => one(&[
                "Content-Length: 0",
                "Transfer-Encoding: gzip",
                "Host: y",
                "Via: 1.1 x",
                "Authorization: Bearer wrong",
                "No colon",
                "Name : x",
                "X: \u{1}",
                "Upgrade: h2c",
                "Expect: 100-continue",
            ]),
        };
        lines.push(line);
    }
    lines
}
