//! Aliases that origins use for media types that have a different registered or usual name.
//!
//! Browsers recognise only some of these aliases. With `X-Content-Type-Options: nosniff`, they do not display media that is served under
//! any other alias.

/// Registered names, or the usual ones of types that are not registered, with their aliases. No alias maps to a type that browsers execute
/// as active content.
const REGISTERED: &[(&str, &[&str])] = &[
    (
        "image/jpeg",
        &[
            "image/jpg",
            "image/jpe",
            "image/jfif",
            "image/pjpeg",
            "image/pjp",
            "image/pipeg",
            "image/x-jpg",
            "image/x-jpeg",
            "image/x-jpe",
            "image/x-jfif",
            "image/x-pjpeg",
            "image/x-citrix-jpeg",
            "image/vnd.swiftview-jpeg",
            "application/jpg",
            "application/jpeg",
            "application/x-jpg",
            "application/x-jpeg",
        ],
    ),
    ("image/png", &["image/x-png", "image/x-citrix-png", "application/png", "application/x-png"]),
    ("image/apng", &["image/vnd.mozilla.apng", "image/x-apng"]),
    ("image/gif", &["image/x-gif", "image/x-citrix-gif", "image/gi_", "application/gif"]),
    ("image/webp", &["image/x-webp", "application/webp"]),
    (
        "image/bmp",
        &[
            "image/x-bmp",
            "image/x-ms-bmp",
            "image/ms-bmp",
            "image/x-win-bitmap",
            "image/x-windows-bmp",
            "image/x-windows-bitmap",
            "image/x-xbitmap-ms",
            "application/bmp",
            "application/x-bmp",
            "application/x-win-bitmap",
        ],
    ),
    (
        "image/vnd.microsoft.icon",
        &[
            "image/x-icon",
            "image/ico",
            "image/icon",
            "image/x-ico",
            "image/x-cursor",
            "image/x-win-icon",
            "image/vnd.microsoft.cursor",
            "application/ico",
            "application/x-ico",
            "application/x-icon",
            "text/ico",
        ],
    ),
    ("image/tiff", &["image/tif", "image/x-tif", "image/x-tiff", "application/tif", "application/tiff", "application/x-tiff"]),
    ("image/avif", &["image/x-avif"]),
    ("image/heic", &["image/x-heic"]),
    ("image/heif", &["image/x-heif"]),
    ("image/jp2", &["image/jpeg2000", "image/jpeg-2000", "image/jpeg2000-image", "image/x-jpeg2000-image", "image/x-jp2"]),
    ("image/jxl", &["image/x-jxl"]),
    ("image/jxr", &["image/vnd.ms-photo"]),
    (
        "image/vnd.adobe.photoshop",
        &[
            "image/psd",
            "image/x-psd",
            "image/x-photoshop",
            "image/photoshop",
            "application/photoshop",
            "application/x-photoshop",
            "application/psd",
            "application/x-psd",
        ],
    ),
    (
        "audio/mpeg",
        &[
            "audio/mp3",
            "audio/mpg",
            "audio/mpeg3",
            "audio/mpeg-3",
            "audio/mpegaudio",
            "audio/x-mp3",
            "audio/x-mpg",
            "audio/x-mpeg",
            "audio/x-mpeg3",
            "audio/x-mpeg-3",
            "audio/x-mpegaudio",
            "audio/mp1",
            "audio/mp2",
            "audio/x-mp2",
            "application/mp3",
            "application/x-mp3",
        ],
    ),
    (
        "audio/wav",
        &["audio/x-wav", "audio/wave", "audio/x-wave", "audio/vnd.wave", "audio/x-pn-wav", "audio/vnd.wav", "application/wav"],
    ),
    ("audio/flac", &["audio/x-flac", "application/x-flac", "application/flac"]),
    (
        "audio/ogg",
        &[
            "audio/x-ogg",
            "audio/x-vorbis",
            "audio/x-vorbis+ogg",
            "audio/vorbis",
            "audio/x-opus+ogg",
            "audio/x-opus",
            "audio/x-speex+ogg",
        ],
    ),
    (
        "audio/mp4",
        &[
            "audio/m4a",
            "audio/m4b",
            "audio/x-m4a",
            "audio/x-m4b",
            "audio/x-m4p",
            "audio/x-mp4",
            "audio/mp4a-latm",
            "audio/x-mp4a-latm",
            "application/x-m4a",
        ],
    ),
    ("audio/aac", &["audio/x-aac", "audio/aacp", "audio/x-aacp", "audio/x-hx-aac-adts", "audio/vnd.dlna.adts", "audio/adts"]),
    ("audio/aiff", &["audio/aif", "audio/aifc", "audio/x-aif", "audio/x-aiff", "audio/x-aifc"]),
    (
        "audio/midi",
        &[
            "audio/mid",
            "audio/x-mid",
            "audio/x-midi",
            "application/midi",
            "application/x-midi",
            "music/crescendo",
            "x-music/x-midi",
        ],
    ),
    ("audio/basic", &["audio/au", "audio/x-au", "audio/x-basic", "audio/x-adpcm"]),
    ("audio/amr", &["audio/x-amr"]),
    ("audio/amr-wb", &["audio/x-amr-wb"]),
    ("audio/x-caf", &["audio/caf", "audio/x-apple-caf"]),
    ("audio/3gpp", &["audio/3gp", "audio/x-3gpp"]),
    ("audio/webm", &["audio/x-webm"]),
    ("audio/matroska", &["audio/x-matroska"]),
    (
        "video/mp4",
        &[
            "video/m4v",
            "video/x-m4v",
            "video/x-mp4",
            "video/mpeg4",
            "video/mpeg-4",
            "video/mp4v",
            "video/x-mpeg4",
            "application/x-mp4",
        ],
    ),
    ("video/quicktime", &["video/mov", "video/qt", "video/x-mov", "video/x-quicktime", "image/mov", "application/x-quicktime"]),
    ("video/3gpp", &["video/3gp", "video/x-3gp", "video/x-3gpp"]),
    ("video/3gpp2", &["video/3g2", "video/x-3g2"]),
    ("video/ogg", &["video/x-ogg", "video/x-ogm", "video/x-ogm+ogg", "video/x-theora", "video/x-theora+ogg"]),
    ("application/ogg", &["application/x-ogg"]),
    ("video/webm", &["video/x-webm"]),
    ("video/matroska", &["video/x-matroska", "video/mkv", "video/x-mkv", "application/x-matroska"]),
    (
        "video/x-msvideo",
        &["video/avi", "video/msvideo", "video/x-avi", "video/vnd.avi", "video/xmpg2", "application/x-troff-msvideo"],
    ),
    ("video/x-flv", &["video/flv", "application/x-flash-video", "application/flv"]),
    (
        "video/mpeg",
        &[
            "video/mpg",
            "video/mpe",
            "video/mpeg2",
            "video/x-mpeg",
            "video/x-mpg",
            "video/x-mpeg2",
            "video/x-mpeg2a",
            "video/x-mpeq2a",
        ],
    ),
    (
        "video/mp2t",
        &["video/mp2ts", "video/ts", "video/x-ts", "video/x-mpegts", "video/vnd.dlna.mpeg-tts", "video/m2ts", "video/avchd-stream"],
    ),
    ("video/x-ms-asf", &["video/asf", "application/vnd.ms-asf"]),
    ("application/vnd.apple.mpegurl", &["application/x-mpegurl", "application/mpegurl"]),
    ("application/x-tgsticker", &["application/x-tgs"]),
    ("application/json", &["text/json", "application/x-json"]),
    ("application/pdf", &["application/x-pdf", "text/pdf", "text/x-pdf"]),
    ("application/zip", &["application/x-zip", "application/x-zip-compressed"]),
    ("application/gzip", &["application/x-gzip", "application/gzip-compressed", "application/gzipped", "application/x-gunzip"]),
    ("font/woff", &["application/font-woff", "application/x-font-woff"]),
    ("font/woff2", &["application/font-woff2", "application/x-font-woff2"]),
    ("font/ttf", &["application/x-font-ttf", "application/x-font-truetype", "font/truetype"]),
    ("font/otf", &["application/x-font-otf", "application/x-font-opentype", "font/opentype"]),
];

/// The registered name of a media type, which is given in lower case and without parameters. Registered and unknown names are returned
/// unchanged.
#[must_use]
pub fn registered_type(essence: &str) -> &str {
    let known = REGISTERED.iter().find(|(_, others)| others.contains(&essence));
    known.map_or(essence, |(registered, _)| registered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_of_media_types_map_to_the_registered_names() {
        let table = [
            ("image/jpg", "image/jpeg"),
            ("image/x-png", "image/png"),
            ("image/x-ms-bmp", "image/bmp"),
            ("image/x-icon", "image/vnd.microsoft.icon"),
            ("audio/mp3", "audio/mpeg"),
            ("audio/vnd.wave", "audio/wav"),
            ("audio/x-m4a", "audio/mp4"),
            ("video/x-m4v", "video/mp4"),
            ("application/x-ogg", "application/ogg"),
            ("image/png", "image/png"),
            ("image/x-unknown", "image/x-unknown"),
            ("", ""),
        ];
        for (name, expected) in table {
            assert_eq!(registered_type(name), expected, "{name}");
        }
    }

    #[test]
    fn each_alias_is_listed_once_and_no_registered_name_is_an_alias() {
        let mut names: Vec<&str> = REGISTERED.iter().flat_map(|(_, others)| others.iter().copied()).collect();
        for (registered, _) in REGISTERED {
            assert_eq!(registered_type(registered), *registered);
            names.push(registered);
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| *name == name.to_ascii_lowercase()));
    }

    #[test]
    fn no_registered_name_is_a_type_that_browsers_execute() {
        for (registered, _) in REGISTERED {
            let runs = ["html", "xml", "script", "svg", "css", "wasm"].iter().any(|word| registered.contains(word));
            assert!(!runs, "{registered}");
        }
    }
}
