//! How media is presented to browsers: under which type, and whether to display or to save it.
//!
//! Media comes from untrusted sources and is served from the operator's host, so no browser may execute it or apply it to a page,
//! regardless of what the page requests. Pixel images, audio, video and plain text are displayed. SVG images are saved if they are opened
//! directly, and displayed by `<img>`, where they cannot execute anything. Types that browsers do execute or apply (scripts, style sheets,
//! XML with its style sheets, WebAssembly, HTML, manifests, playlists, web archives) are served as plain bytes: with `nosniff`, no browser
//! executes those.

use media_cache_http_downloader::registered_type;

/// The type of plain bytes.
const BYTES: &str = "application/octet-stream";

/// Subtypes of images that consist only of pixels. Older entries may have other names for these types.
const PIXEL_IMAGES: [&str; 12] =
    ["apng", "avif", "bmp", "gif", "heic", "heif", "jpeg", "jxl", "png", "tiff", "vnd.microsoft.icon", "webp"];

/// Subtypes of `text` that no browser executes or applies to a page. These are listed, rather than the active ones, because JavaScript has
/// too many names (MIME Sniffing, section 4.6).
const INERT_TEXT: [&str; 9] = ["calendar", "csv", "markdown", "plain", "rtf", "tab-separated-values", "vcard", "vtt", "x-markdown"];

/// Subtypes of `audio` and `video` for playlists, whose URLs a player would fetch from their origins, and some that are not media.
const PLAYLISTS: [&str; 8] =
    ["html", "javascript", "mpegurl", "scpls", "x-mpegurl", "x-ms-asx", "x-pn-realaudio-plugin", "x-scpls"];

/// Subtypes of `application` that a browser executes or applies to a page, or once did, in addition to those that end in `+xml`.
const ACTIVE_APPLICATIONS: [&str; 41] = [
    "ecmascript",
    "hta",
    "http",
    "importmap+json",
    "java-archive",
    "javascript",
    "manifest+json",
    "mbox",
    "mhtml",
    "pkix-cert",
    "signed-exchange",
    "speculationrules+json",
    "svg",
    "vnd.apple.mpegurl",
    "vnd.mozilla.xul",
    "vnd.ms-xpsdocument",
    "vnd.wap.xhtml",
    "wasm",
    "webbundle",
    "x-chrome-extension",
    "x-ecmascript",
    "x-httpd-php",
    "x-java-applet",
    "x-java-archive",
    "x-java-jnlp-file",
    "x-javascript",
    "x-mhtml",
    "x-mimearchive",
    "x-mpegurl",
    "x-ns-proxy-autoconfig",
    "x-pkcs12",
    "x-shockwave-flash",
    "x-silverlight-app",
    "x-web-app-manifest+json",
    "x-x509-ca-cert",
    "x-x509-user-cert",
    "x-xpinstall",
    "xhtml",
    "xml",
    "xml-dtd",
    "xml-external-parsed-entity",
];

/// How media is presented to browsers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Presentation<'a> {
    /// The `Content-Type`.
    pub content_type: &'a str,
    /// Whether it is displayed when it is opened, rather than saved.
    pub is_inline: bool,
}

impl<'a> Presentation<'a> {
    /// The presentation of media of a type. The type may come from a sidecar, which may contain anything.
    pub fn of(mimetype: &'a str) -> Self {
        let as_bytes = Self { content_type: BYTES, is_inline: false };
        let (essence, parameters) = mimetype.split_at(mimetype.find(';').unwrap_or(mimetype.len()));
        let essence = essence.trim();
        let Some((main, sub)) = essence.split_once('/').filter(|(main, sub)| is_token(main) && is_token(sub)) else {
            return as_bytes;
        };
        if is_active(main, sub) {
            return as_bytes;
        }
        let content_type = if parameters.bytes().all(is_harmless) { mimetype } else { essence };
        Self { content_type, is_inline: is_displayed(&essence.to_ascii_lowercase()) }
    }
}

impl Presentation<'_> {
    /// Whether a browser opens it in its media player.
    pub fn is_played(&self) -> bool {
        let main = self.content_type.trim_start().get(..6).unwrap_or_default();
        self.is_inline && ["audio/", "video/"].iter().any(|played| main.eq_ignore_ascii_case(played))
    }
}

/// Whether a browser may execute media of this type, or apply it to a page.
fn is_active(main: &str, sub: &str) -> bool {
    let is_xml = sub.len() >= 4 && sub.as_bytes()[sub.len() - 4..].eq_ignore_ascii_case(b"+xml");
    match main.to_ascii_lowercase().as_str() {
        "image" => is_xml && !sub.eq_ignore_ascii_case("svg+xml"),
        "audio" | "video" => is_xml || is_among(&PLAYLISTS, sub),
        "font" | "model" => is_xml,
        "text" => !is_among(&INERT_TEXT, sub),
        "application" => is_xml || is_among(&ACTIVE_APPLICATIONS, sub),
        // `multipart` and `message` contain other types, and no other type is known to be inert.
        _ => true,
    }
}

/// Whether media of this type is displayed. The type must not be active. PDF is not displayed, because viewers execute the scripts in it.
fn is_displayed(essence: &str) -> bool {
    match registered_type(essence).split_once('/') {
        Some(("image", sub)) => PIXEL_IMAGES.contains(&sub),
        Some(("audio" | "video", _)) => true,
        Some(("text", sub)) => sub == "plain",
        _ => false,
    }
}

fn is_among(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a string is a token (RFC 9110, section 5.6.2). A comma would start another type, which browsers would use instead.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether parameters may contain this byte.
fn is_harmless(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" ;=\"-_.:+/'".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(mimetype: &str, content_type: &str, is_inline: bool) {
        assert_eq!(Presentation::of(mimetype), Presentation { content_type, is_inline }, "{mimetype}");
    }

    #[test]
    fn pixel_images_audio_video_and_plain_text_are_displayed() {
        for mimetype in [
            "image/png",
            "image/jpg",
            "image/x-icon",
            "IMAGE/JPEG",
            "image/webp; q=1",
            "video/mp4",
            "video/mp4; codecs=\"avc1.42E01E\"",
            "audio/mpeg",
            "text/plain",
            "text/plain; charset=utf-8",
        ] {
            is(mimetype, mimetype, true);
        }
    }

    #[test]
    fn audio_and_video_are_played() {
        for mimetype in ["video/mp4", "audio/ogg; codecs=opus", " Audio/MPEG"] {
            assert!(Presentation::of(mimetype).is_played(), "{mimetype}");
        }
        for mimetype in ["image/png", "text/plain", "audio/x-mpegurl", "video/", "video", "vidéo/mp4"] {
            assert!(!Presentation::of(mimetype).is_played(), "{mimetype}");
        }
    }

    #[test]
    fn other_inert_types_keep_their_type_and_are_attachments() {
        for mimetype in [
            "image/svg+xml",
            "image/svg+xml; charset=utf-8",
            "Image/SVG+XML",
            "image/vnd.adobe.photoshop",
            "text/csv",
            "text/vtt",
            "font/woff2",
            "model/gltf+json",
            "application/pdf",
            "application/json",
            "application/ld+json",
            "application/zip",
            "application/octet-stream",
        ] {
            is(mimetype, mimetype, false);
        }
    }

    /// The JavaScript types are those of the MIME Sniffing standard, section 4.6.
    #[test]
    fn types_that_browsers_execute_or_apply_are_served_as_octet_stream() {
        for mimetype in [
            "application/ecmascript",
            "application/javascript",
            "application/x-ecmascript",
            "application/x-javascript",
            "text/ecmascript",
            "text/javascript",
            "text/javascript; charset=utf-8",
            "Text/JavaScript",
            "text/javascript1.0",
            "text/javascript1.5",
            "text/jscript",
            "text/livescript",
            "text/x-ecmascript",
            "text/x-javascript",
            "text/css",
            "text/xsl",
            "text/xml",
            "text/html",
            "text/html;text/plain",
            "text/event-stream",
            "text/cache-manifest",
            "text/plain2",
            "application/xml",
            "application/xslt+xml",
            "application/xhtml+xml",
            "application/rss+xml",
            "application/wasm",
            "application/manifest+json",
            "application/importmap+json",
            "application/speculationrules+json",
            "application/vnd.apple.mpegurl",
            "application/x-shockwave-flash",
            "application/mhtml",
            "application/hta",
            "application/vnd.wap.xhtml",
            "application/x-web-app-manifest+json",
            "application/x-ns-proxy-autoconfig",
            "application/x-x509-ca-cert",
            "audio/x-mpegurl",
            "audio/x-scpls",
            "audio/javascript",
            "video/html",
            "image/png+xml",
            "model/x3d+xml",
            "multipart/x-mixed-replace",
            "multipart/related",
            "message/rfc822",
            "x-world/x-vrml",
        ] {
            is(mimetype, BYTES, false);
        }
    }

    #[test]
    fn malformed_types_are_served_as_octet_stream() {
        for mimetype in ["", "png", "image", "image/", "/png", "video/", "video/mp4,text/html", "video/mp4 text/html", "vidéo/mp4"]
        {
            is(mimetype, BYTES, false);
        }
        is("video/mp4; a=b,text/html", "video/mp4", true);
        is("image/png;\u{a0}", "image/png", true);
        is(" image/png ;x=\r\ny", "image/png", true);
    }
}
