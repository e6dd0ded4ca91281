//! What is a GIF, and what it is called as a film.

/// The media type of the film that a GIF becomes.
pub const FILM: &str = "video/mp4";

/// Whether this is a GIF, by its declared type or by its first bytes.
#[must_use]
pub fn is_gif(mimetype: &str, head: &[u8]) -> bool {
    let essence = mimetype.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("image/gif") || head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a")
}

/// The file name with `.mp4` in place of `.gif`, or behind whatever else it ends with.
#[must_use]
pub fn film_name(filename: &str) -> String {
    let stem = match filename.rsplit_once('.') {
        Some((stem, extension)) if extension.eq_ignore_ascii_case("gif") && !stem.is_empty() => stem,
        _ => filename,
    };
    format!("{stem}.mp4")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gif_is_known_by_its_type_or_its_first_bytes() {
        assert!(is_gif("image/gif", b""));
        assert!(is_gif("IMAGE/GIF; x=y", b"whatever"));
        assert!(is_gif("image/png", b"GIF89a..."));
        assert!(is_gif("application/octet-stream", b"GIF87a"));
        assert!(!is_gif("image/png", b"GIF8"));
        assert!(!is_gif("image/gifs", b"\x89PNG"));
    }

    #[test]
    fn a_film_ends_with_mp4() {
        assert_eq!(film_name("dance.gif"), "dance.mp4");
        assert_eq!(film_name("DANCE.GIF"), "DANCE.mp4");
        assert_eq!(film_name("a.b.gif"), "a.b.mp4");
        assert_eq!(film_name("picture.png"), "picture.png.mp4");
        assert_eq!(film_name("media"), "media.mp4");
        assert_eq!(film_name(".gif"), ".gif.mp4");
    }
}
