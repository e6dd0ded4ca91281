//! Names in the legend of a plot. A long name, such as the path of a component, would extend beyond the plot, so it is shortened in the
//! middle, and its element has the whole name as its title (SVG 2, section 5.8.2).

/// The width of the longest label, in narrow characters: half of a chart.
const MAX_WIDTH: usize = 40;

/// The width of its beginning, if it is shortened. The end, which has the options, is longer.
const BEGINNING: usize = 12;

/// A name that fits into the legend.
pub(crate) fn shortened(name: &str) -> String {
    if name.chars().map(width).sum::<usize>() <= MAX_WIDTH {
        return name.into();
    }
    let beginning = fitting(name.chars(), BEGINNING);
    let end: Vec<char> = fitting(name.chars().rev(), MAX_WIDTH - BEGINNING - 1).collect();
    beginning.chain(['…']).chain(end.into_iter().rev()).collect()
}

/// The first characters that fit.
fn fitting(characters: impl Iterator<Item = char>, room: usize) -> impl Iterator<Item = char> {
    characters.scan(room, |room, character| {
        *room = room.checked_sub(width(character))?;
        Some(character)
    })
}

/// Letters of other scripts may be twice as wide as Latin ones.
fn width(character: char) -> usize {
    if character < '\u{1100}' { 1 } else { 2 }
}

/// The SVG with titles for the shortened labels. `labels` has each label and its name, in the order of the legend.
pub(crate) fn with_titles<'a>(svg: &str, labels: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> String {
    let mut titled = String::with_capacity(svg.len());
    // Several names may have the same label. Each chart has all of them in the same order.
    let mut next = labels.clone().cycle();
    let elements = svg.split_inclusive("</text>");
    for element in elements {
        let text = element.strip_suffix("</text>").and_then(|rest| rest.rsplit_once('>')).map(|(_, text)| text.trim());
        let is_label = |label: &str| text == Some(escaped(label).as_str());
        if !labels.clone().any(|(label, name)| label != name && is_label(label)) {
            titled.push_str(element);
            continue;
        }
        let name = next.by_ref().find(|(label, _)| is_label(label)).map_or("", |(_, name)| name);
        titled.push_str(element.trim_end_matches("</text>"));
        titled.push_str(&format!("<title>{}</title></text>", escaped(name)));
    }
    titled
}

/// Escapes text for an element, like the plotting library.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&apos;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_name_is_shortened_and_keeps_both_ends() {
        for name in ["lru", "gdsf:beta=0.75", &"x".repeat(40)] {
            assert_eq!(shortened(name), name);
        }
        let name = "/home/somebody/policies/target/wasm32-wasip2/release/mine.wasm:window=10";
        assert_eq!(shortened(name), "/home/somebo…release/mine.wasm:window=10");
        assert_eq!(shortened(name).chars().count(), 40);
        assert!(shortened(&"字".repeat(100)).chars().count() <= 21);
    }

    #[test]
    fn names_with_the_same_label_have_separate_titles() {
        let svg = "<text>\nx…&lt;\n</text>\n<text>\nlru\n</text>\n<text>\nx…&lt;\n</text>\n";
        let labels = [("x…<", "x1<"), ("lru", "lru"), ("x…<", "x2<")];
        let titled = with_titles(&svg.repeat(2), labels.into_iter());
        let titles: Vec<&str> = titled.split("<title>").skip(1).map(|rest| rest.split("</title>").next().unwrap()).collect();
        assert_eq!(titles, ["x1&lt;", "x2&lt;", "x1&lt;", "x2&lt;"]);
        assert_eq!(titled.matches("</text>").count(), 6);
    }
}
