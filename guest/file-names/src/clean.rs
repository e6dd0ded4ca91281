//! Makes a name safe.

use crate::extension::{MAX_NAME_BYTES, split_extension, trim, truncate, with_extension};
use crate::invisible::is_invisible;

/// The name of media for which no usable name is known.
pub const FALLBACK: &str = "media";

/// Replaces characters that Windows does not allow, and is prefixed to names that Windows reserves.
const SUBSTITUTE: char = '_';

/// Makes a name safe. Returns `None` if nothing remains of it.
///
/// Only the last usable segment of a path is kept; both `/` and `\` are separators. Control characters, invisible characters and those that
/// change the direction of text are removed, and so are dots and white space at both ends. Any other white space becomes a space. Names
/// that Windows does not allow are made valid: each of `<>:"|?*` becomes `_`, and a device such as `CON.png` becomes `_CON.png`. A name
/// over 200 bytes is truncated before its extension.
#[must_use]
pub fn clean_filename(name: &str) -> Option<String> {
    name.rsplit(['/', '\\']).find_map(|segment| {
        let visible: String = segment.chars().filter(|&c| !is_invisible(c)).map(valid_on_windows).collect();
        let name = truncate_stem(trim(&visible));
        match name.as_str() {
            "" => None,
            device if is_windows_device(device) => Some(truncate_stem(&format!("{SUBSTITUTE}{device}"))),
            _ => Some(name),
        }
    })
}

/// Returns a clean name: what remains of `name`, or [`FALLBACK`] if nothing remains.
#[must_use]
pub fn clean_or_fallback(name: &str) -> String {
    clean_filename(name).unwrap_or_else(|| FALLBACK.to_owned())
}

/// Truncates a name to the limit and keeps its extension.
fn truncate_stem(name: &str) -> String {
    match split_extension(name) {
        (stem, Some(extension)) if name.len() > MAX_NAME_BYTES => with_extension(stem, extension),
        _ => truncate(name, MAX_NAME_BYTES).to_owned(),
    }
}

fn valid_on_windows(c: char) -> char {
    match c {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' => SUBSTITUTE,
        c if c.is_whitespace() => ' ',
        c => c,
    }
}

/// Whether Windows treats a name as a device, regardless of its extension: `nul`, `COM1.tar.gz`, `LPT³ .txt`.
fn is_windows_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let is_port = |prefix: &str| {
        let number = stem.get(..prefix.len()).filter(|start| start.eq_ignore_ascii_case(prefix)).map(|_| &stem[prefix.len()..]);
        number.is_some_and(|number| matches!(number, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"))
    };
    let devices = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"];
    devices.iter().any(|device| stem.eq_ignore_ascii_case(device)) || is_port("COM") || is_port("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_segment_of_a_path_remains() {
        for (name, clean) in [
            ("../../etc/passwd", "passwd"),
            ("/absolute.gif", "absolute.gif"),
            (r"C:\Windows\system32\evil.dll", "evil.dll"),
            (r"..\../up.gif", "up.gif"),
            ("photos/", "photos"),
            ("photos/..", "photos"),
        ] {
            assert_eq!(clean_filename(name).as_deref(), Some(clean), "{name}");
        }
    }

    #[test]
    fn invisible_characters_are_removed_and_white_space_becomes_a_space() {
        for (name, clean) in [
            ("nul\0l.gif\0", "null.gif"),
            ("line\r\nX-Header.gif", "lineX-Header.gif"),
            ("invoice\u{202e}gpj.exe", "invoicegpj.exe"),
            ("\u{feff}bom.txt", "bom.txt"),
            ("a\u{3164}\u{115f}\u{2800}\u{e0061}\u{34f}\u{fe0f}b.png", "ab.png"),
            ("👩\u{200d}🔬.gif", "👩🔬.gif"),
            ("a\u{a0}b\u{3000}c.png\u{2003}", "a b c.png"),
            ("photo.jpg\u{200b}.", "photo.jpg"),
            (" .hidden. ", "hidden"),
        ] {
            assert_eq!(clean_filename(name).as_deref(), Some(clean), "{name:?}");
        }
    }

    #[test]
    fn names_that_windows_does_not_allow_are_made_valid() {
        for (name, clean) in [
            ("a:b.png", "a_b.png"),
            ("<>:\"|?*.gif", "_______.gif"),
            ("trailing. . ", "trailing"),
            ("CON.png", "_CON.png"),
            ("con", "_con"),
            ("Nul.tar.gz", "_Nul.tar.gz"),
            ("AUX .txt", "_AUX .txt"),
            ("prn...txt", "_prn...txt"),
            ("COM1.png", "_COM1.png"),
            ("lpt³", "_lpt³"),
            ("com¹.x", "_com¹.x"),
            ("CONIN$", "_CONIN$"),
            ("conout$.log", "_conout$.log"),
            ("C\u{200b}ON.png", "_CON.png"),
            // These are not devices.
            ("COM.png", "COM.png"),
            ("COM10.png", "COM10.png"),
            ("CONSOLE.png", "CONSOLE.png"),
            ("a.con", "a.con"),
            ("_CON.png", "_CON.png"),
        ] {
            assert_eq!(clean_filename(name).as_deref(), Some(clean), "{name:?}");
        }
    }

    #[test]
    fn name_that_is_empty_after_cleaning_is_replaced() {
        for name in ["", ".", "...", "../..", "/", "\\", " \t\u{202e}", " ..\u{2066}/.. ", "\u{3164}"] {
            assert_eq!(clean_filename(name), None, "{name:?}");
            assert_eq!(clean_or_fallback(name), "media", "{name:?}");
        }
        assert_eq!(clean_or_fallback("a.png"), "a.png");
    }

    #[test]
    fn a_long_name_is_truncated_between_characters_and_keeps_its_extension() {
        let clean = |name: String| clean_filename(&name).unwrap();
        assert_eq!(clean("a".repeat(400) + ".jpeg"), "a".repeat(195) + ".jpeg");
        assert_eq!(clean("€".repeat(400) + ".gif"), "€".repeat(65) + ".gif");
        assert_eq!(clean("a".repeat(196) + ".gif"), "a".repeat(196) + ".gif");
        assert_eq!(clean("a".repeat(400)), "a".repeat(200));
        assert_eq!(clean("a.".repeat(200) + "€"), ("a.".repeat(100)).trim_end_matches('.'));
        assert_eq!(clean("a".to_owned() + &" .".repeat(300) + "gif"), "a.gif");
        assert_eq!(clean("CON".to_owned() + &" ".repeat(300) + "x.gif"), "_CON.gif");
        assert_eq!(clean("CON.".to_owned() + &"x".repeat(192) + ".gif"), "_CON.".to_owned() + &"x".repeat(191) + ".gif");
        assert_eq!(clean("x".repeat(100_000) + ".png").len(), 200);
    }

    #[test]
    fn cleaning_is_idempotent() {
        let long = "é".repeat(300);
        let device = "NUL.".to_owned() + &"é".repeat(300);
        for name in ["..", " . ", "a/", "\\", "\u{202e}.\u{202e}", "x\u{0}", ".a.", "a. ", "NUL .\u{200b}", "a:?", &long, &device] {
            let Some(name) = clean_filename(name) else { continue };
            assert_eq!(clean_filename(&name).as_ref(), Some(&name));
            assert!(!name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.contains(['/', '\\']), "{name:?}");
        }
    }
}
