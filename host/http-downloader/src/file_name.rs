//! The file name of a download: which header or URL it is taken from, and how it is decoded.
//!
//! The rules for safe names are in [`media_cache_file_names`]; the cache component applies them as well.

use media_cache_file_names::{FALLBACK, clean_filename, match_extension};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::encoded_text::{decode_extended, decode_plain, text_of_bytes};
use crate::header_parameters::parameter;

/// The name of a download: from its `Content-Disposition` (`filename*` takes precedence over `filename`, RFC 6266), or else the last
/// segment of its URL's path, or else `media`. [`clean_filename`] sanitises it, and [`match_extension`] makes its extension match
/// `mimetype`.
///
/// `filename` may be encoded although it should not be: as encoded words (RFC 2047), percent-encoded, or as raw bytes.
#[must_use]
pub fn filename_for(disposition: Option<&[u8]>, url: &Url, mimetype: &str) -> String {
    let name = disposition.and_then(from_disposition).or_else(|| from_url(url)).unwrap_or_else(|| FALLBACK.to_owned());
    match_extension(&name, mimetype)
}

fn from_disposition(header: &[u8]) -> Option<String> {
    let header = text_of_bytes(header);
    let extended = parameter(&header, "filename*").and_then(|value| decode_extended(&value));
    let plain = || parameter(&header, "filename").map(decode_plain);
    extended.and_then(|name| clean_filename(&name)).or_else(|| plain().and_then(|name| clean_filename(&name)))
}

fn from_url(url: &Url) -> Option<String> {
    let segment = url.path_segments()?.rfind(|segment| !segment.is_empty())?;
    clean_filename(&text_of_bytes(&percent_decode_str(segment).collect::<Vec<u8>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disposition(header: &str) -> String {
        let url = Url::parse("https://example.org/from-url.bin").unwrap();
        filename_for(Some(header.as_bytes()), &url, "application/octet-stream")
    }

    fn url_path(path: &str) -> String {
        filename_for(None, &Url::parse(&format!("https://example.org{path}")).unwrap(), "application/octet-stream")
    }

    #[test]
    fn content_disposition_names_the_file() {
        let table = [
            // The examples of RFC 6266 and RFC 8187.
            ("Attachment; filename=example.html", "example.html"),
            ("INLINE; FILENAME= \"an example.html\"", "an example.html"),
            ("attachment; filename*= UTF-8''%e2%82%ac%20rates", "€ rates"),
            ("attachment; filename=\"EURO rates\"; filename*=utf-8''%e2%82%ac%20rates", "€ rates"),
            ("attachment; filename*=iso-8859-1'en'%A3%20rates.txt", "£ rates.txt"),
            ("attachment; filename*=UTF-8''%c2%a3%20and%20%e2%82%ac%20rates.gif", "£ and € rates.gif"),
            // Quotes, escapes, the order of parameters, and other charsets.
            (r#"attachment; filename="a \"quoted\" name.gif""#, "a _quoted_ name.gif"),
            (r#"attachment; filename="semi;colon.gif"; size=3"#, "semi;colon.gif"),
            ("attachment; filename*=UTF-8''first.gif; filename=second.gif", "first.gif"),
            ("attachment; filename=plain.gif; filename*=koi8-r''%c1.gif", "а.gif"),
            ("attachment; filename=plain.gif; filename*=x-unknown''%c1.gif", "plain.gif"),
            ("attachment; filename=plain.gif; filename*=UTF-8''%ff%fe.gif", "plain.gif"),
            ("attachment; filename=plain.gif; filename*=no-quotes.gif", "plain.gif"),
            ("attachment; filename=plain.gif; filename*=UTF-8''..%2f", "plain.gif"),
            ("attachment; filename=100%25.gif", "100%.gif"),
            ("attachment; filename=\"=?UTF-8?B?w6QucG5n?=\"", "ä.png"),
            ("attachment; filename=\"=?UTF-8?Q?..=2Fa=3Ab.png?=\"", "a_b.png"),
            ("attachment; filename=\"naïve café.gif\"", "naïve café.gif"),
            // Paths, which are removed after decoding.
            (r#"attachment; filename="../../etc/passwd""#, "passwd"),
            (r#"attachment; filename="/absolute.gif""#, "absolute.gif"),
            (r#"attachment; filename="C:\\Windows\\system32\\evil.dll""#, "evil.dll"),
            ("attachment; filename*=UTF-8''%2e%2e%2f%2e%2e%5cup.gif", "up.gif"),
            // Invisible characters, which are removed.
            ("attachment; filename*=UTF-8''nul%00.gif%00", "_nul.gif"),
            ("attachment; filename*=UTF-8''line%0d%0aX-Header%3a%201.gif", "lineX-Header_ 1.gif"),
            ("attachment; filename*=UTF-8''invoice%e2%80%aegpj.exe", "invoicegpj.exe"),
            ("attachment; filename*=UTF-8''%f0%9f%91%a9%e2%80%8d%f0%9f%94%ac.gif", "👩🔬.gif"),
            // Nothing usable: the name comes from the URL.
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
    fn file_without_content_disposition_is_named_after_the_last_url_segment() {
        let table = [
            ("/a/photo.jpeg?size=big#top", "photo.jpeg"),
            ("/a/photo", "photo"),
            ("/a/photos/", "photos"),
            ("/caf%C3%A9.gif", "café.gif"),
            ("/100%25%20sure.gif", "100% sure.gif"),
            ("/%2e%2e%2fetc%2fpasswd", "passwd"),
            ("/..%5c..%5cevil.gif", "evil.gif"),
            ("/%2e%2e/%2e%2e", "media"),
            ("/%00%01.gif", "gif"),
            ("/%ff.gif", "ÿ.gif"),
            ("/", "media"),
            ("", "media"),
            ("///", "media"),
        ];
        for (path, expected) in table {
            assert_eq!(url_path(path), expected, "{path}");
        }
    }

    #[test]
    fn extension_matches_the_media_type() {
        let named = |name: &str, mimetype: &str| {
            filename_for(
                Some(format!("inline; filename=\"{name}\"").as_bytes()),
                &Url::parse("https://example.org").unwrap(),
                mimetype,
            )
        };
        assert_eq!(named("image.php", "image/png"), "image.png");
        assert_eq!(named("notes", "text/plain; charset=utf-8"), "notes.txt");
        assert_eq!(named("video.MOV", "video/mp4"), "video.MOV");
        assert_eq!(named("version 1.0", "video/mp4"), "version 1.0.mp4");
        assert_eq!(named("Dr. Strange", "video/mp4"), "Dr. Strange.mp4");
        assert_eq!(named(".hidden", "image/gif"), "hidden.gif");
        assert_eq!(named("blob", "application/octet-stream"), "blob");
    }

    #[test]
    fn long_name_is_truncated_before_the_added_extension() {
        let header = format!("inline; filename={}", "b".repeat(200));
        let url = Url::parse("https://example.org").unwrap();
        assert_eq!(filename_for(Some(header.as_bytes()), &url, "image/png"), "b".repeat(196) + ".png");
    }
}
