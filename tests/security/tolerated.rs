//! Mistakes by origins that are tolerated, as in browsers: the second table in `docs/downloads.md`.

use media_cache_test_support::raw_origin::{RawOrigin, Step, send_response, send_text};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::workspace::workspace_file;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01";

/// A mistake, and how the media is nevertheless stored.
struct Mistake {
    /// What the origin does, as worded in the table.
    name: &'static str,
    /// The last segment of the URL.
    path: &'static str,
    script: Vec<Step>,
    mimetype: &'static str,
    filename: &'static str,
}

impl Mistake {
    /// The row in the table.
    fn line(&self) -> String {
        format!("| {} | `{}`, `{}` |", self.name, self.mimetype, self.filename)
    }
}

fn mistake(name: &'static str, path: &'static str, script: Vec<Step>, mimetype: &'static str, filename: &'static str) -> Mistake {
    Mistake { name, path, script, mimetype, filename }
}

fn of_type(mimetype: &str, body: &[u8]) -> Vec<Step> {
    vec![send_response("200 OK", &format!("Content-Type: {mimetype}\r\n"), body)]
}

fn with_name(disposition: &str) -> Vec<Step> {
    vec![send_response("200 OK", &format!("Content-Type: image/png\r\nContent-Disposition: {disposition}\r\n"), PNG)]
}

fn all() -> Vec<Mistake> {
    let mp4 = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41\0\0\0\0";
    let readme = b"<h1 align=center>Name</h1>\n\nWords.\n";
    let six = "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 6\r\n\r\nplain!";
    vec![
        mistake(
            "declares a JPEG as `image/jpg`",
            "a.jpg",
            of_type("image/jpg", b"\xff\xd8\xff\xe0\0\x10JFIF"),
            "image/jpeg",
            "a.jpg",
        ),
        mistake("declares an image as `text/plain`", "a.png", of_type("text/plain; charset=utf-8", PNG), "image/png", "a.png"),
        mistake("declares an image as `text/html`", "image.php", of_type("text/html", PNG), "image/png", "image.png"),
        mistake("declares a video as `image/gif`", "a.gif", of_type("image/gif", mp4), "video/mp4", "a.mp4"),
        mistake(
            "declares a README as `application/octet-stream`",
            "a.md",
            of_type("application/octet-stream", readme),
            "application/octet-stream",
            "a.md",
        ),
        mistake(
            "sends `filename` as RFC 2047 encoded words",
            "a",
            with_name("inline; filename=\"=?UTF-8?B?w6Q=?=.png\""),
            "image/png",
            "ä.png",
        ),
        mistake("percent-encodes `filename`", "a", with_name("inline; filename=\"na%C3%AFve.png\""), "image/png", "naïve.png"),
        mistake(
            "sends a file name that Windows does not allow",
            "a",
            with_name("inline; filename=\"CON:1.png\""),
            "image/png",
            "CON_1.png",
        ),
        mistake(
            "sends a `Content-Encoding` that is not a coding",
            "a.png",
            vec![send_response("200 OK", "Content-Type: image/png\r\nContent-Encoding: aws-chunked\r\n", PNG)],
            "image/png",
            "a.png",
        ),
        mistake(
            "sends `Transfer-Encoding: identity` and a length",
            "a",
            vec![send_text(six), Step::Stall],
            "application/octet-stream",
            "a",
        ),
        mistake(
            "responds with 203",
            "a.png",
            vec![send_response("203 Non-Authoritative Information", "Content-Type: image/png\r\n", PNG)],
            "image/png",
            "a.png",
        ),
    ]
}

#[tokio::test]
async fn mistakes_that_browsers_tolerate_are_tolerated() {
    let (origin, dir) = (RawOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--transcoder", "none"]).await;
    for (index, mistake) in all().into_iter().enumerate() {
        let url = origin.follows(&format!("/{index}/{}", mistake.path), &mistake.script);
        let answer = service.media(&url).await.is("miss");
        assert_eq!(answer.header("content-type"), mistake.mimetype, "{}", mistake.name);
        assert_eq!(dir.sidecar(&url)["filename"], mistake.filename, "{}", mistake.name);
    }
}

#[tokio::test]
async fn raw_bytes_in_a_redirect_are_percent_encoded() {
    let (origin, dir) = (RawOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    for (index, (location, target)) in
        [(&b"/a\xf8.png"[..], "/a%F8.png"), ("/bø.png".as_bytes(), "/b%C3%B8.png")].into_iter().enumerate()
    {
        origin.follows(target, &of_type("image/png", PNG));
        let head = [b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ", location, b"\r\n\r\n"].concat();
        let url = origin.follows(&format!("/{index}"), &[Step::Send(head)]);
        assert_eq!(service.media(&url).await.is("miss").body, PNG, "{target}");
        assert_eq!(origin.requests(target), 1);
    }
}

#[tokio::test]
async fn impossible_host_name_is_an_invalid_url_and_is_not_resolved() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let long_label = "a".repeat(64);
    for host in ["a..example", "a!b.example", &format!("{long_label}.example"), &["a".repeat(60).as_str(); 5].join(".")] {
        let answer = service.media(&format!("http://{host}/a.png")).await;
        assert!(answer.problem(400).contains("host name is invalid"), "{host}: {}", answer.text());
        assert_eq!(answer.code(), "invalid-url", "{host}");
    }
}

#[test]
fn documented_table_lists_exactly_these_mistakes() {
    let docs = workspace_file("docs/downloads.md");
    let table = docs.split("## Mistakes that are tolerated").nth(1).unwrap().split("\n## ").next().unwrap();
    let documented: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    let expected: Vec<String> = all().iter().map(Mistake::line).collect();
    assert_eq!(documented, expected, "the table must be:\n{}", expected.join("\n"));
}
