//! Characters that are invisible or change how other characters are displayed.

/// Whether a character is invisible or changes how other characters are displayed. Such a character can make two names look alike, or
/// disguise a name: `invoice<RLO>gpj.exe` looks like `invoiceexe.jpg`.
///
/// These are the code points with the property `Default_Ignorable_Code_Point` in Unicode 16 (including fillers, variation selectors,
/// joiners and tags), all others in the categories `Cc`, `Cf`, `Zl` and `Zp` (controls, format characters, separators), the blank Braille
/// pattern, and noncharacters.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    let is_noncharacter = u32::from(c) & 0xfffe == 0xfffe;
    is_noncharacter
        || matches!(
            u32::from(c),
            0x0000..=0x001f
                | 0x007f..=0x009f
                | 0x00ad
                | 0x034f
                | 0x0600..=0x0605
                | 0x061c
                | 0x06dd
                | 0x070f
                | 0x0890..=0x0891
                | 0x08e2
                | 0x115f..=0x1160
                | 0x17b4..=0x17b5
                | 0x180b..=0x180f
                | 0x200b..=0x200f
                | 0x2028..=0x202e
                | 0x2060..=0x206f
                | 0x2800
                | 0x3164
                | 0xfdd0..=0xfdef
                | 0xfe00..=0xfe0f
                | 0xfeff
                | 0xffa0
                | 0xfff0..=0xfffb
                | 0x110bd
                | 0x110cd
                | 0x13430..=0x1343f
                | 0x1bca0..=0x1bca3
                | 0x1d173..=0x1d17a
                | 0xe0000..=0xe0fff
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fillers_joiners_selectors_tags_and_controls_are_invisible() {
        let named = "\u{0}\u{7f}\u{85}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{2028}\u{202a}\
                     \u{202e}\u{2060}\u{2066}\u{2800}\u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{fff9}\u{ffff}\u{e0001}\u{e007f}\u{e0100}";
        for c in named.chars() {
            assert!(is_invisible(c), "{c:?}");
        }
    }

    #[test]
    fn letters_marks_symbols_and_spaces_are_visible() {
        for c in "aé漢ا\u{301}👩 \u{3000}_~\u{fffd}\u{1161}\u{3163}\u{2801}".chars() {
            assert!(!is_invisible(c), "{c:?}");
        }
    }
}
