//! The usual extensions of media types.

/// The usual file extension of a media type, without its dot. Parameters of the type are ignored.
#[must_use]
pub fn usual_extension(mimetype: &str) -> Option<&'static str> {
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

    #[test]
    fn a_media_type_has_its_usual_extension_with_any_parameters() {
        assert_eq!(usual_extension("image/gif"), Some("gif"));
        assert_eq!(usual_extension("text/plain; charset=utf-8"), Some("txt"));
        assert_eq!(usual_extension("application/octet-stream"), None);
    }
}
