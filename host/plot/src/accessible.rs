//! The text of a plot for screen readers: a title and a description (SVG 2, section 5.8).

use crate::legend::escaped;

/// The SVG as an image with a title and a description.
pub(crate) fn described(svg: &str, title: &str, description: &str) -> String {
    let Some((root, rest)) = svg.split_once('>') else { return svg.to_owned() };
    let (title, description) = (escaped(title), escaped(description));
    format!("{root} role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n<desc>{description}</desc>{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_and_description_are_escaped_and_come_first() {
        let svg = described("<svg width=\"1\">\n<text/>\n</svg>", "a<b", "\"c\"");
        let expected = "<svg width=\"1\" role=\"img\" aria-label=\"a&lt;b\">\n<title>a&lt;b</title>\n<desc>&quot;c&quot;</desc>";
        assert_eq!(svg, format!("{expected}\n<text/>\n</svg>"));
    }
}
