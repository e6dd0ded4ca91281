//! The file name of a download.
//!
//! Names come from untrusted headers and URLs, and end up in file systems, archives and save dialogs. A cleaned name is a single path
//! segment, has no invisible characters, and is neither empty nor long.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::header_parameters::parameter;

/// The name of media without any other name.
const DEFAULT_NAME: &str = "media";

/// The longest name, in bytes: most file systems allow 255, and callers may append to it.
const MAX_NAME_BYTES: usize = 200;

/// The longest suffix after a dot that counts as an extension, in bytes.
const MAX_EXTENSION_BYTES: usize = 16;

/// The name of a download: from its `Content-Disposition` (`filename*` before `filename`, RFC 6266), or else the last segment of its
/// URL's path, or else `media`. It is cleaned by [`clean_filename`], and gets the usual extension of `mimetype` if it has none.
#[must_use]
pub fn filename_for(disposition: Option<&[u8]>, url: &Url, mimetype: &str) -> String {
    let name = disposition.and_then(from_disposition).or_else(|| from_url(url)).unwrap_or_else(|| DEFAULT_NAME.to_owned());
    match usual_extension(mimetype) {
        Some(extension) if split_extension(&name).1.is_none() => join(&name, extension),
        _ => name,
    }
}

/// Makes a name safe; `None` if nothing remains of it.
///
/// Only the last segment of a path is kept, with slashes of either kind as separators. Control characters, invisible characters and
/// those that change the direction of text are removed, and so are dots and white space at both ends. A name over 200 bytes is
/// truncated before its extension.
#[must_use]
pub fn clean_filename(name: &str) -> Option<String> {
    name.rsplit(['/', '\\']).find_map(|segment| {
        let visible: String = segment.chars().filter(|&c| !is_hidden(c)).collect();
        let trimmed = trim(&visible);
        match split_extension(trimmed) {
            _ if trimmed.is_empty() => None,
            (stem, Some(extension)) if trimmed.len() > MAX_NAME_BYTES => Some(join(stem, extension)),
            _ => Some(truncate(trimmed, MAX_NAME_BYTES).to_owned()),
        }
    })
}

fn from_disposition(header: &[u8]) -> Option<String> {
    let header = match std::str::from_utf8(header) {
        Ok(text) => text.to_owned(),
        Err(_) => from_latin1(header),
    };
    let extended = parameter(&header, "filename*").and_then(|value| decode_extended(&value));
    let clean = |name: String| clean_filename(&name);
    extended.and_then(clean).or_else(|| parameter(&header, "filename").and_then(clean))
}

/// Decodes `charset'language'percent-encoded` (RFC 8187).
fn decode_extended(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    let bytes: Vec<u8> = percent_decode_str(encoded).collect();
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" => String::from_utf8(bytes).ok(),
        "iso-8859-1" => Some(from_latin1(&bytes)),
        _ => None,
    }
}

fn from_url(url: &Url) -> Option<String> {
    let segment = url.path_segments()?.rfind(|segment| !segment.is_empty())?;
    clean_filename(&percent_decode_str(segment).decode_utf8_lossy())
}

fn from_latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Whether a character is invisible or moves others: `invoice<RLO>gpj.exe` looks like `invoiceexe.jpg`. The joiners U+200C and U+200D
/// are excepted, since some scripts and emoji need them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
}

fn trim(name: &str) -> &str {
    name.trim_matches(|c: char| c == '.' || c.is_whitespace())
}

/// The first whole characters of a name, of at most `max_bytes`.
fn truncate(name: &str, max_bytes: usize) -> &str {
    trim(&name[..name.floor_char_boundary(max_bytes)])
}

fn join(stem: &str, extension: &str) -> String {
    format!("{}.{extension}", truncate(stem, MAX_NAME_BYTES - 1 - extension.len()))
}

/// Splits at the last dot if an extension follows: a few letters and digits, but not digits alone (`v1.0`).
fn split_extension(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once('.') {
        Some((stem, extension))
            if !trim(stem).is_empty()
                && extension.len() <= MAX_EXTENSION_BYTES
                && extension.bytes().all(|b| b.is_ascii_alphanumeric())
                && extension.bytes().any(|b| b.is_ascii_alphabetic()) =>
        {
            (stem, Some(extension))
        }
        _ => (name, None),
    }
}

/// The usual extension of a media type, without the dot.
fn usual_extension(mimetype: &str) -> Option<&'static str> {
    Some(match mimetype.split(';').next()?.trim() {
        "application/dash+xml" => "mpd",
        "application/json" => "json",
        "application/pdf" => "pdf",
        "application/vnd.apple.mpegurl" | "application/x-mpegurl" => "m3u8",
        "application/xml" | "text/xml" => "xml",
        "application/zip" => "zip",
        "audio/aac" => "aac",
        "audio/aiff" | "audio/x-aiff" => "aiff",
        "audio/amr" => "amr",
        "audio/flac" | "audio/x-flac" => "flac",
        "audio/m4a" | "audio/mp4" | "audio/x-m4a" => "m4a",
        "audio/midi" => "mid",
        "audio/mp3" | "audio/mpeg" => "mp3",
        "audio/ogg" => "ogg",
        "audio/opus" => "opus",
        "audio/wav" | "audio/wave" | "audio/vnd.wave" | "audio/x-wav" => "wav",
        "audio/webm" => "weba",
        "image/apng" => "apng",
        "image/avif" => "avif",
        "image/bmp" | "image/x-ms-bmp" => "bmp",
        "image/gif" => "gif",
        "image/heic" => "heic",
        "image/heif" => "heif",
        "image/jp2" => "jp2",
        "image/jpeg" | "image/jpg" => "jpg",
        "image/jxl" => "jxl",
        "image/png" => "png",
        "image/svg+xml" => "svg",
        "image/tiff" => "tif",
        "image/vnd.adobe.photoshop" => "psd",
        "image/vnd.microsoft.icon" | "image/x-icon" => "ico",
        "image/webp" => "webp",
        "text/css" => "css",
        "text/csv" => "csv",
        "text/html" => "html",
        "text/plain" => "txt",
        "text/vtt" => "vtt",
        "video/3gpp" => "3gp",
        "video/mp2t" => "ts",
        "video/mp4" => "mp4",
        "video/mpeg" => "mpg",
        "video/ogg" => "ogv",
        "video/quicktime" => "mov",
        "video/webm" => "webm",
        "video/x-flv" => "flv",
        "video/x-m4v" => "m4v",
        "video/x-matroska" => "mkv",
        "video/x-ms-wmv" => "wmv",
        "video/x-msvideo" => "avi",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disposition(header: &str) -> String {
        let url = Url::parse("https://example.org/from-url.bin").unwrap();
        filename_for(Some(header.as_bytes()), &url, "image/png")
    }

    fn url_path(path: &str) -> String {
        filename_for(None, &Url::parse(&format!("https://example.org{path}")).unwrap(), "image/png")
    }

    #[test]
    fn disposition_names_the_file() {
        let table = [
            // The examples of RFC 6266 and RFC 8187.
            ("Attachment; filename=example.html", "example.html"),
            ("INLINE; FILENAME= \"an example.html\"", "an example.html"),
            ("attachment; filename*= UTF-8''%e2%82%ac%20rates", "€ rates.png"),
            ("attachment; filename=\"EURO rates\"; filename*=utf-8''%e2%82%ac%20rates", "€ rates.png"),
            ("attachment; filename*=iso-8859-1'en'%A3%20rates.txt", "£ rates.txt"),
            ("attachment; filename*=UTF-8''%c2%a3%20and%20%e2%82%ac%20rates.gif", "£ and € rates.gif"),
            // Quotes, escapes, the order of parameters, and other charsets.
            (r#"attachment; filename="a \"quoted\" name.gif""#, "a \"quoted\" name.gif"),
            (r#"attachment; filename="semi;colon.gif"; size=3"#, "semi;colon.gif"),
            ("attachment; filename*=UTF-8''first.gif; filename=second.gif", "first.gif"),
            ("attachment; filename=plain.gif; filename*=koi8-r''%c1.gif", "plain.gif"),
            ("attachment; filename=plain.gif; filename*=UTF-8''%ff%fe.gif", "plain.gif"),
            ("attachment; filename=plain.gif; filename*=no-quotes.gif", "plain.gif"),
            ("attachment; filename=plain.gif; filename*=UTF-8''..%2f", "plain.gif"),
            ("attachment; filename=100%25.gif", "100%25.gif"),
            ("attachment; filename=\"naïve café.gif\"", "naïve café.gif"),
            // Paths.
            (r#"attachment; filename="../../etc/passwd""#, "passwd.png"),
            (r#"attachment; filename="/absolute.gif""#, "absolute.gif"),
            (r#"attachment; filename="C:\\Windows\\system32\\evil.dll""#, "evil.dll"),
            ("attachment; filename*=UTF-8''%2e%2e%2f%2e%2e%5cup.gif", "up.gif"),
            // Invisible characters, which are removed, and joiners, which are not.
            ("attachment; filename*=UTF-8''nul%00.gif%00", "nul.gif"),
            ("attachment; filename*=UTF-8''line%0d%0aX-Header%3a%201.gif", "lineX-Header: 1.gif"),
            ("attachment; filename*=UTF-8''invoice%e2%80%aegpj.exe", "invoicegpj.exe"),
            ("attachment; filename*=UTF-8''%f0%9f%91%a9%e2%80%8d%f0%9f%94%ac.gif", "👩\u{200d}🔬.gif"),
            // Nothing usable: the URL names the file.
            ("attachment", "from-url.bin"),
            ("attachment; filename=\"\"", "from-url.bin"),
            ("attachment; filename=\"...\"", "from-url.bin"),
            ("attachment; filename=\"../..\"", "from-url.bin"),
            ("attachment; filename*=UTF-8''%20%09%e2%80%ae", "from-url.bin"),
            ("\"", "from-url.bin"),
        ];
        for (header, expected) in table {
            assert_eq!(disposition(header), expected, "{header}");
        }
        let url = Url::parse("https://example.org/").unwrap();
        assert_eq!(filename_for(Some(b"attachment; filename=\"caf\xe9.gif\""), &url, ""), "café.gif");
    }

    #[test]
    fn last_segment_of_the_url_names_a_file_without_disposition() {
        let table = [
            ("/a/photo.jpeg?size=big#top", "photo.jpeg"),
            ("/a/photo", "photo.png"),
            ("/a/photos/", "photos.png"),
            ("/caf%C3%A9.gif", "café.gif"),
            ("/100%25%20sure.gif", "100% sure.gif"),
            ("/%2e%2e%2fetc%2fpasswd", "passwd.png"),
            ("/..%5c..%5cevil.gif", "evil.gif"),
            ("/%2e%2e/%2e%2e", "media.png"),
            ("/%00%01.gif", "gif.png"),
            ("/%ff.gif", "\u{fffd}.gif"),
            ("/", "media.png"),
            ("", "media.png"),
            ("///", "media.png"),
        ];
        for (path, expected) in table {
            assert_eq!(url_path(path), expected, "{path}");
        }
    }

    #[test]
    fn extension_is_added_only_if_there_is_none() {
        let named = |name: &str, mimetype: &str| {
            filename_for(
                Some(format!("inline; filename=\"{name}\"").as_bytes()),
                &Url::parse("https://example.org").unwrap(),
                mimetype,
            )
        };
        assert_eq!(named("notes", "text/plain; charset=utf-8"), "notes.txt");
        assert_eq!(named("video.MOV", "video/mp4"), "video.MOV");
        assert_eq!(named("version 1.0", "video/mp4"), "version 1.0.mp4");
        assert_eq!(named("Dr. Strange", "video/mp4"), "Dr. Strange.mp4");
        assert_eq!(named(".hidden", "image/gif"), "hidden.gif");
        assert_eq!(named("blob", "application/octet-stream"), "blob");
    }

    #[test]
    fn long_name_is_truncated_between_characters_and_keeps_its_extension() {
        let clean = |name: String| clean_filename(&name).unwrap();
        assert_eq!(clean("a".repeat(400) + ".jpeg"), "a".repeat(195) + ".jpeg");
        assert_eq!(clean("€".repeat(400) + ".gif"), "€".repeat(65) + ".gif");
        assert_eq!(clean("a".repeat(196) + ".gif"), "a".repeat(196) + ".gif");
        assert_eq!(clean("a".repeat(400)), "a".repeat(200));
        assert_eq!(clean("a.".repeat(200) + "€"), ("a.".repeat(100)).trim_end_matches('.'));
        assert_eq!(clean("a".to_owned() + &" .".repeat(300) + "gif"), "a.gif");
        assert_eq!(disposition(&format!("inline; filename={}", "b".repeat(200))), "b".repeat(196) + ".png");
    }

    #[test]
    fn cleaning_is_idempotent() {
        let nasty =
            ["..", " . ", "a/", "\\", "\u{202e}.\u{202e}", "x\u{0}", ".a.", "a. ", "é".repeat(300).as_str()].map(str::to_owned);
        for name in nasty.iter().filter_map(|name| clean_filename(name)) {
            assert_eq!(clean_filename(&name).as_ref(), Some(&name));
            assert!(!name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.contains(['/', '\\']), "{name:?}");
        }
        assert_eq!(clean_filename(""), None);
        assert_eq!(clean_filename(" ..\u{2066}/.. "), None);
    }
}
