//! Which file extensions belong to which media type.

use crate::clean::clean_or_fallback;
use crate::extension::{split_extension, with_extension};

/// Media types and the extensions that belong to each, the usual one first.
const EXTENSIONS: &[(&str, &[&str])] = &[
    ("application/dash+xml", &["mpd"]),
    ("application/gzip", &["gz", "tgz"]),
    ("application/json", &["json"]),
    ("application/ogg", &["ogx", "ogg", "ogv", "oga"]),
    ("application/pdf", &["pdf"]),
    ("application/vnd.apple.mpegurl", &["m3u8", "m3u"]),
    ("application/x-tgsticker", &["tgs"]),
    ("application/xml", &["xml"]),
    ("application/zip", &["zip"]),
    ("audio/3gpp", &["3gp", "3gpp", "3ga", "amr"]),
    ("audio/3gpp2", &["3g2", "3gp2"]),
    ("audio/aac", &["aac", "adts"]),
    ("audio/aiff", &["aiff", "aif", "aifc"]),
    ("audio/amr", &["amr", "3ga"]),
    ("audio/amr-wb", &["awb", "amr"]),
    ("audio/basic", &["au", "snd"]),
    ("audio/flac", &["flac"]),
    ("audio/matroska", &["mka"]),
    ("audio/midi", &["mid", "midi", "kar", "rmi"]),
    ("audio/mp4", &["m4a", "mp4", "m4b", "m4p", "m4r", "mp4a", "f4a"]),
    ("audio/mpeg", &["mp3", "mp2", "mpga", "mpa", "m2a"]),
    ("audio/ogg", &["ogg", "oga", "opus", "spx"]),
    ("audio/opus", &["opus", "ogg"]),
    ("audio/wav", &["wav", "wave", "bwf"]),
    ("audio/webm", &["weba", "webm"]),
    ("audio/x-caf", &["caf"]),
    ("audio/x-ms-wma", &["wma", "asf"]),
    ("image/apng", &["apng", "png"]),
    ("image/avif", &["avif", "avifs"]),
    ("image/bmp", &["bmp", "dib"]),
    ("image/gif", &["gif"]),
    ("image/heic", &["heic", "heif", "hif"]),
    ("image/heic-sequence", &["heics", "heifs", "heic", "heif"]),
    ("image/heif", &["heif", "heic", "hif"]),
    ("image/heif-sequence", &["heifs", "heics", "heic", "heif"]),
    ("image/j2c", &["j2c", "j2k", "jpc"]),
    ("image/jp2", &["jp2", "jpg2"]),
    ("image/jpeg", &["jpg", "jpeg", "jpe", "jfif", "jif", "pjpeg", "pjp"]),
    ("image/jpx", &["jpx", "jpf", "jp2"]),
    ("image/jxl", &["jxl"]),
    ("image/jxr", &["jxr", "wdp", "hdp"]),
    ("image/png", &["png", "apng"]),
    ("image/svg+xml", &["svg", "svgz"]),
    ("image/tiff", &["tif", "tiff", "dng", "cr2", "nef", "arw"]),
    ("image/vnd.adobe.photoshop", &["psd", "psb"]),
    ("image/vnd.microsoft.icon", &["ico", "cur"]),
    ("image/webp", &["webp"]),
    ("text/css", &["css"]),
    ("text/csv", &["csv"]),
    ("text/html", &["html", "htm"]),
    ("text/plain", &["txt"]),
    ("text/vtt", &["vtt"]),
    ("text/xml", &["xml"]),
    ("video/3gpp", &["3gp", "3gpp"]),
    ("video/3gpp2", &["3g2", "3gp2", "3gpp2"]),
    ("video/matroska", &["mkv", "mk3d"]),
    ("video/mj2", &["mj2", "mjp2"]),
    ("video/mp2t", &["ts", "m2ts", "mts", "m2t"]),
    ("video/mp4", &["mp4", "m4v", "mp4v", "mpg4", "f4v", "mov"]),
    ("video/mpeg", &["mpg", "mpeg", "mpe", "m1v", "m2v", "vob"]),
    ("video/ogg", &["ogv", "ogg", "ogm"]),
    ("video/quicktime", &["mov", "qt", "mp4"]),
    ("video/webm", &["webm"]),
    ("video/x-flv", &["flv"]),
    ("video/x-ms-asf", &["asf", "wmv", "wma"]),
    ("video/x-ms-wmv", &["wmv", "asf"]),
    ("video/x-msvideo", &["avi"]),
];

/// Extensions of server-side programs. They occur in URLs, but say nothing about the media.
const SERVER_PROGRAMS: [&str; 17] = [
    "action", "ashx", "asmx", "asp", "aspx", "axd", "cfm", "cgi", "dll", "do", "fcgi", "jsp", "jspx", "php", "php5", "phtml", "pl",
];

/// More extensions that never belong to an image, audio or video: pages, programs, and files with arbitrary content.
const OTHER_EXTENSIONS: [&str; 21] = [
    "bat", "bin", "blob", "cmd", "com", "dat", "data", "download", "exe", "file", "img", "js", "lnk", "msi", "ps1", "scr", "sh",
    "shtml", "tmp", "vbs", "xhtml",
];

/// Returns a clean name with an extension that fits a media type.
///
/// An extension that belongs to the type is kept, and a missing one is added. For an image, audio, video or sticker, any other known
/// extension is replaced (`image.php` and `image.gif` become `image.png`). After an unknown extension, which may be part of the name, the
/// new one is appended (`Mr.Robot.png`). Other types have many extensions, so only the extension of a server-side program is replaced
/// (`download.php` becomes `download.pdf`, but `notes.md` with the type `text/plain` is kept). If the type is unknown, the name is only
/// cleaned.
#[must_use]
pub fn match_extension(name: &str, mimetype: &str) -> String {
    let name = clean_or_fallback(name);
    let belonging = extensions(mimetype);
    let Some(usual) = belonging.first() else { return name };
    let is_replaced = match (is_media(mimetype), mimetype.starts_with("text/")) {
        (true, _) => Replaced::Known,
        (false, false) => Replaced::ServerProgram,
        (false, true) => Replaced::Never,
    };
    clean_or_fallback(&is_replaced.apply(&name, belonging, usual))
}

/// Returns the clean name of media that was converted to `mimetype`. The extension of the original is replaced with `extension`, unless it
/// also belongs to the new type.
#[must_use]
pub fn converted_name(name: &str, mimetype: &str, extension: &str) -> String {
    let belonging = [&[extension], extensions(mimetype)].concat();
    clean_or_fallback(&Replaced::Known.apply(&clean_or_fallback(name), &belonging, extension))
}

/// Which extensions are replaced if they do not belong to the type.
#[derive(Clone, Copy)]
enum Replaced {
    /// The extensions listed in this file. Others are part of the name.
    Known,
    /// The extensions of server-side programs. Others may belong to the type.
    ServerProgram,
    /// None.
    Never,
}

impl Replaced {
    /// Returns the name with an extension from `belonging`, or with the `usual` one.
    fn apply(self, name: &str, belonging: &[&str], usual: &str) -> String {
        let (stem, Some(extension)) = split_extension(name) else { return with_extension(name, usual) };
        let of_server_program = is_one_of(extension, &SERVER_PROGRAMS);
        match self {
            _ if is_one_of(extension, belonging) => name.to_owned(),
            Self::Known if !of_server_program && !is_known(extension) => with_extension(name, usual),
            Self::ServerProgram if !of_server_program => name.to_owned(),
            Self::Never => name.to_owned(),
            Self::Known | Self::ServerProgram => match split_extension(stem) {
                (_, Some(inner)) if is_one_of(inner, belonging) => stem.to_owned(),
                _ => with_extension(stem, usual),
            },
        }
    }
}

fn is_known(extension: &str) -> bool {
    is_one_of(extension, &OTHER_EXTENSIONS) || EXTENSIONS.iter().any(|(_, extensions)| is_one_of(extension, extensions))
}

fn is_one_of(extension: &str, list: &[&str]) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

fn is_media(mimetype: &str) -> bool {
    ["image/", "audio/", "video/", "application/x-tgsticker"].iter().any(|start| mimetype.starts_with(start))
}

fn extensions(mimetype: &str) -> &'static [&'static str] {
    let essence = mimetype.split(';').next().unwrap_or_default().trim();
    EXTENSIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(essence)).map_or(&[], |(_, extensions)| extensions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_extension_is_replaced_and_a_missing_one_is_added() {
        for (name, mimetype, expected) in [
            ("image.php", "image/png", "image.png"),
            ("GetFile.ashx", "image/jpeg", "GetFile.jpg"),
            ("emoji.gif", "image/webp", "emoji.webp"),
            ("setup.exe", "image/png", "setup.png"),
            ("cat.PNG", "image/jpeg", "cat.jpg"),
            ("media", "video/mp4", "media.mp4"),
            ("media", "Text/Plain; charset=utf-8", "media.txt"),
            ("sticker.gz", "application/x-tgsticker", "sticker.tgs"),
            ("cat.png.php", "image/png", "cat.png"),
            ("v.mp4.gif", "video/mp4", "v.mp4"),
            ("v.gif.mp4", "video/mp4", "v.gif.mp4"),
            ("download.php", "application/pdf", "download.pdf"),
            ("api.do", "application/json", "api.json"),
        ] {
            assert_eq!(match_extension(name, mimetype), expected, "{name} of {mimetype}");
        }
    }

    #[test]
    fn extension_that_matches_or_may_match_the_type_is_kept() {
        for (name, mimetype, expected) in [
            ("pic.jfif", "image/jpeg", "pic.jfif"),
            ("cat.jpeg", "image/jpeg", "cat.jpeg"),
            ("cat.JPG", "image/jpeg", "cat.JPG"),
            ("video.MOV", "video/mp4", "video.MOV"),
            ("Mr.Robot", "image/png", "Mr.Robot.png"),
            ("song.feat.X", "audio/mpeg", "song.feat.X.mp3"),
            ("version 1.0", "video/mp4", "version 1.0.mp4"),
            ("notes.md", "text/plain; charset=utf-8", "notes.md"),
            ("index.php", "text/plain", "index.php"),
            ("report.docx", "application/zip", "report.docx"),
            ("map.geojson", "application/json", "map.geojson"),
            ("blob", "application/octet-stream", "blob"),
            ("a.php", "image/x-unknown", "a.php"),
        ] {
            assert_eq!(match_extension(name, mimetype), expected, "{name} of {mimetype}");
        }
    }

    #[test]
    fn a_name_with_a_matched_extension_stays_within_the_limit() {
        let long = "b".repeat(196) + ".php";
        assert_eq!(match_extension(&long, "image/webp"), "b".repeat(195) + ".webp");
    }

    #[test]
    fn a_name_with_a_matched_extension_is_clean() {
        for (name, expected) in [("../a:b.php", "a_b.png"), ("", "media.png"), ("NUL", "_NUL.png"), ("a .php", "a.png")] {
            assert_eq!(match_extension(name, "image/png"), expected, "{name}");
        }
        let device = "CON".to_owned() + &" ".repeat(192) + "x.php";
        assert_eq!(match_extension(&device, "image/webp"), "_CON.webp");
    }

    #[test]
    fn converted_media_has_the_new_extension() {
        for (name, expected) in [
            ("dance.gif", "dance.mp4"),
            ("DANCE.GIF", "DANCE.mp4"),
            ("a.b.gif", "a.b.mp4"),
            ("picture.png", "picture.mp4"),
            ("v.mp4", "v.mp4"),
            ("v.M4V", "v.M4V"),
            ("media", "media.mp4"),
            (".gif", "gif.mp4"),
            ("../../dance.gif", "dance.mp4"),
            ("..", "media.mp4"),
        ] {
            assert_eq!(converted_name(name, "video/mp4", "mp4"), expected, "{name}");
        }
        assert_eq!(converted_name("a.webp", "image/x-unknown", "img2"), "a.img2");
        assert_eq!(converted_name("a.x", "image/png", "png"), "a.x.png");
    }

    #[test]
    fn every_type_is_listed_once() {
        let mut types: Vec<&str> = EXTENSIONS.iter().map(|(mimetype, _)| *mimetype).collect();
        assert!(types.is_sorted(), "{types:?}");
        types.dedup();
        assert_eq!(types.len(), EXTENSIONS.len());
        assert!(EXTENSIONS.iter().all(|(_, extensions)| !extensions.is_empty()));
    }
}
