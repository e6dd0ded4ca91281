//! Recognises web pages and other text by their beginnings.

/// How many bytes of white space, comments and instructions may precede the significant beginning of a text.
const MAX_PROLOG_BYTES: usize = 8 * 1024;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Beginnings that occur only in pages.
const PAGE: [&str; 7] = ["<!doctype html", "<html", "<head", "<title", "<meta", "<body", "<script"];

/// Beginnings of pages, but also of component source files.
const SECTION: [&str; 3] = ["<style", "<iframe", "<frameset"];

/// Beginnings of page fragments, but also of READMEs. Browsers recognise HTML by these and the ones above
/// (<https://mimesniff.spec.whatwg.org>).
const FRAGMENT: [&str; 9] = ["<h1", "<div", "<font", "<table", "<a", "<b", "<br", "<p", "<!--"];

/// Tags that occur somewhere in pages, but rarely in other text.
const IN_PAGES: [&str; 9] = ["<html", "<head", "<title", "<meta", "<body", "<form", "<input", "</body", "</html"];

/// Beginnings of lines of Markdown.
const MARKDOWN: [&str; 7] = ["# ", "## ", "### ", "```", "[![", "![", "- "];

/// The declared kind of a file that may be a page. It determines how much evidence is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Declared {
    /// Not text, for example an image: anything that looks like a page is one.
    NoText,
    /// No known type, so it may be a README.
    Unknown,
    /// Text, which may quote or contain markup.
    Text,
    /// XML, which may contain the same tags.
    Xml,
}

/// The type of the HTML page that starts with these bytes, if they are a page despite their media type.
///
/// A page can begin in many ways, some of which are also beginnings of READMEs. The declared type determines which beginnings count as a
/// page. Text may begin with an element such as `<h1`, but not with `<html` or `<script`. XML may begin with anything but `<html`. A file
/// without a known type is also a page if it begins with an element and has a form or a body further on, unless it is Markdown.
pub(crate) fn page_type(start: &[u8], mimetype: &str) -> Option<&'static str> {
    let declared = match mimetype.split(';').next().unwrap_or_default() {
        essence if essence.ends_with("+xml") || essence.ends_with("/xml") => Declared::Xml,
        essence if essence.starts_with("text/") => Declared::Text,
        "application/octet-stream" => Declared::Unknown,
        _ => Declared::NoText,
    };
    let (root, has_instruction) = skip_prolog(start);
    let starts = |tags: &[&str]| tags.iter().any(|tag| starts_with_tag(root, tag));
    if starts(&PAGE[..2]) {
        return Some(if declared == Declared::Xml || has_instruction { "application/xhtml+xml" } else { "text/html" });
    }
    let is_page = match declared {
        Declared::Xml => false,
        Declared::Text => starts(&PAGE),
        Declared::Unknown => {
            starts(&PAGE) || starts(&SECTION) || (starts(&FRAGMENT) && contains_page(start) && !is_markdown(start))
        }
        Declared::NoText => starts(&PAGE) || starts(&SECTION) || starts(&FRAGMENT),
    };
    is_page.then_some("text/html")
}

/// The type of a text without a declared type, if it has a signature: SVG, or subtitles.
pub(crate) fn text_type(start: &[u8]) -> Option<&'static str> {
    let after_word = without_byte_order_mark(start).strip_prefix(b"WEBVTT");
    if after_word.is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace)) {
        Some("text/vtt")
    } else {
        starts_with_tag(skip_doctype(skip_prolog(start).0), "<svg").then_some("image/svg+xml")
    }
}

/// Whether a text that starts with these bytes may turn out to be a page, SVG or other markup.
pub(crate) fn begins_like_markup(start: &[u8]) -> bool {
    let is_in_mark = BYTE_ORDER_MARK.starts_with(start);
    is_in_mark || without_byte_order_mark(start).trim_ascii_start().first().is_none_or(|&first| first == b'<')
}

/// Whether text starts with a tag, ignoring case.
fn starts_with_tag(text: &[u8], tag: &str) -> bool {
    let starts = text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()));
    starts && (tag == "<!--" || text.get(tag.len()).is_some_and(|&b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/')))
}

fn contains_page(start: &[u8]) -> bool {
    let lower = start.to_ascii_lowercase();
    IN_PAGES.iter().any(|tag| lower.windows(tag.len()).any(|window| window == tag.as_bytes()))
}

fn is_markdown(start: &[u8]) -> bool {
    start.split(|&b| b == b'\n').any(|line| MARKDOWN.iter().any(|mark| line.starts_with(mark.as_bytes())))
}

/// Skips the document type of SVG, and the prolog after it.
fn skip_doctype(root: &[u8]) -> &[u8] {
    if !starts_with_tag(root, "<!doctype svg") {
        return root;
    }
    let has_subset = root.iter().take_while(|&&b| b != b'>').any(|&b| b == b'[');
    let end: &[u8] = if has_subset { b"]>" } else { b">" };
    let after = root.windows(end.len()).position(|window| window == end).map(|at| &root[at + end.len()..]);
    after.map_or(root, |after| skip_prolog(after).0)
}

fn without_byte_order_mark(start: &[u8]) -> &[u8] {
    start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start)
}

/// Skips a byte order mark, white space, comments and instructions. Also returns whether there was an instruction, such as
/// `<?xml version="1.0"?>`.
fn skip_prolog(start: &[u8]) -> (&[u8], bool) {
    let start = &start[..start.len().min(MAX_PROLOG_BYTES)];
    let mut rest = without_byte_order_mark(start).trim_ascii_start();
    let mut has_instruction = false;
    loop {
        let end: &[u8] = match rest {
            [b'<', b'?', ..] => b"?>",
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            _ => return (rest, has_instruction),
        };
        let Some(at) = rest.windows(end.len()).position(|window| window == end) else { return (rest, has_instruction) };
        has_instruction |= end == b"?>";
        rest = rest[at + end.len()..].trim_ascii_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_is_recognised_by_its_beginning() {
        let html = Some("text/html");
        let table = [
            ("image/png", "<!DOCTYPE html><title>Sign in</title>", html),
            ("image/png", " \n\u{feff}", None),
            ("image/png", "\u{feff} <!-- hello --><HTML lang=en>", html),
            ("image/png", "<html>", html),
            ("image/png", "<htmlx>", None),
            ("image/png", "<div class=error>", html),
            ("image/png", "<!-- never closed", html),
            ("application/json", "<p>no such thing</p>", html),
            ("image/jpeg", "<?xml version='1.0'?>\n<!DOCTYPE html>\n<html>", Some("application/xhtml+xml")),
            ("image/png", "\x7fPNG", None),
            ("image/png", "", None),
            // A page is recognised even if its origin declares it as text.
            ("text/plain; charset=utf-8", "<!doctype html><title>Sign in</title>", html),
            ("text/plain", "\n<head><title>Sign in</title>", html),
            ("text/csv", "<script>location = '/login'</script>", html),
            // XML that starts like a page keeps its declared type.
            ("image/svg+xml", "<!-- made by hand --><svg>", None),
            ("image/svg+xml", "<?xml version='1.0'?><!DOCTYPE svg><svg>", None),
            ("application/xml", "<a >", None),
            ("application/rss+xml", "<title>", None),
            ("image/svg+xml", "<!-- --><html xmlns='http://www.w3.org/1999/xhtml'>", Some("application/xhtml+xml")),
            ("text/xml", "<html >", Some("application/xhtml+xml")),
        ];
        for (mimetype, start, expected) in table {
            assert_eq!(page_type(start.as_bytes(), mimetype), expected, "{mimetype}: {start}");
        }
    }

    #[test]
    fn readme_that_begins_with_an_element_is_not_a_page() {
        let beginnings =
            ["<h1 align=\"center\">Name</h1>", "<p align='center'>\n<img src=a.png>\n</p>", "<a href='/'>", "<br/>", "<!-- -->"];
        for start in beginnings {
            for mimetype in ["text/plain; charset=utf-8", "text/markdown", "application/octet-stream"] {
                assert_eq!(page_type(format!("{start}\n\nWords.\n").as_bytes(), mimetype), None, "{mimetype}: {start}");
            }
        }
        let with_sample = "<h1>Name</h1>\n\n## Usage\n\n```html\n<body><form></form></body>\n```\n";
        assert_eq!(page_type(with_sample.as_bytes(), "application/octet-stream"), None);
        assert_eq!(page_type(b"# Name\n\n<html>", "application/octet-stream"), None);
    }

    #[test]
    fn page_without_a_declared_type_is_recognised_by_its_beginning_or_by_an_element_and_a_form() {
        for start in
            ["<script >alert(1)</script>", "<style>", "<!DOCTYPE html>", "<div><form action=/login>", "<h1>404</h1></body></html>"]
        {
            assert_eq!(page_type(start.as_bytes(), "application/octet-stream"), Some("text/html"), "{start}");
        }
    }

    #[test]
    fn svg_and_subtitles_are_recognised() {
        let svg = Some("image/svg+xml");
        let table = [
            ("<svg xmlns='http://www.w3.org/2000/svg'/>", svg),
            ("\u{feff}<?xml version='1.0'?>\n<!-- a --> <svg>", svg),
            ("<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'x'>\n<svg>", svg),
            ("<!DOCTYPE svg [ <!ENTITY a 'b'> ]><svg >", svg),
            ("<svgx>", None),
            ("<?xml version='1.0'?><rss>", None),
            ("<!DOCTYPE html><svg>", None),
            ("WEBVTT\n\n00:01.000 --> 00:02.000\nHi", Some("text/vtt")),
            ("\u{feff}WEBVTT - a title", Some("text/vtt")),
            ("WEBVTTX", None),
            // A playlist is not recognised, since a browser would fetch the URLs in it.
            ("#EXTM3U\n#EXTINF:1,", None),
            ("words", None),
            ("", None),
        ];
        for (start, expected) in table {
            assert_eq!(text_type(start.as_bytes()), expected, "{start}");
        }
    }
}
