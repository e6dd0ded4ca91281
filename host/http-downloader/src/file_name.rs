//! The file name of a download: which header or URL names it, and how that name is decoded.
//!
//! The rules for safe names are those of [`media_cache_file_names`], which the cache component applies as well.

use media_cache_file_names::{FALLBACK, clean_filename, has_extension, usual_extension, with_extension};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::header_parameters::parameter;

/// The name of a download: from its `Content-Disposition` (`filename*` before `filename`, RFC 6266), or else the last segment of its
/// URL's path, or else `media`. It is cleaned by [`clean_filename`], and gets the usual extension of `mimetype` if it has none.
#[must_use]
pub fn filename_for(disposition: Option<&[u8]>, url: &Url, mimetype: &str) -> String {
    let name = disposition.and_then(from_disposition).or_else(|| from_url(url)).unwrap_or_else(|| FALLBACK.to_owned());
    match usual_extension(mimetype) {
        Some(extension) if !has_extension(&name) => with_extension(&name, extension),
        _ => name,
    }
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
            // Paths, which are cleaned after decoding.
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
    fn long_name_is_truncated_before_the_added_extension() {
        assert_eq!(disposition(&format!("inline; filename={}", "b".repeat(200))), "b".repeat(196) + ".png");
    }
}
