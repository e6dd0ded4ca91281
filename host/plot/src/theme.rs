//! The colours of a plot.

use plotters::style::RGBColor;

/// The background for which a plot is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// White.
    #[default]
    Light,
    /// Nearly black.
    Dark,
}

/// The palette of Okabe and Ito, which colour-blind people can distinguish.
const LIGHT: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];

/// The same hues, light enough for a dark background.
const DARK: [RGBColor; 7] = [
    RGBColor(92, 173, 235),
    RGBColor(255, 140, 66),
    RGBColor(64, 201, 162),
    RGBColor(226, 158, 196),
    RGBColor(240, 190, 70),
    RGBColor(150, 212, 250),
    RGBColor(200, 200, 200),
];

/// The colours of one theme.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// The background.
    pub(crate) paper: RGBColor,
    /// Text, axes and the lower bound.
    pub(crate) ink: RGBColor,
    curves: [RGBColor; 7],
}

impl Theme {
    /// The colours of this theme.
    #[must_use]
    pub fn palette(self) -> Palette {
        match self {
            Self::Light => Palette { paper: RGBColor(255, 255, 255), ink: RGBColor(0, 0, 0), curves: LIGHT },
            Self::Dark => Palette { paper: RGBColor(22, 25, 29), ink: RGBColor(232, 234, 237), curves: DARK },
        }
    }
}

impl Palette {
    /// The colour of a curve by its index. Colours repeat; [`is_hollow`](Self::is_hollow) distinguishes the curves with the same colour.
    pub(crate) fn curve(&self, index: usize) -> RGBColor {
        self.curves[index % self.curves.len()]
    }

    /// Whether the points of a curve are circles instead of discs.
    #[must_use]
    pub fn is_hollow(&self, index: usize) -> bool {
        (index / self.curves.len()) % 2 == 1
    }

    /// The colour of a curve in CSS, for a legend outside the plot.
    #[must_use]
    pub fn css(&self, index: usize) -> String {
        let RGBColor(red, green, blue) = self.curve(index);
        format!("#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contrast ratio of two colours (WCAG 2.2).
    fn contrast(one: RGBColor, other: RGBColor) -> f64 {
        let linear = |channel: u8| match f64::from(channel) / 255.0 {
            dark if dark <= 0.04045 => dark / 12.92,
            light => ((light + 0.055) / 1.055).powf(2.4),
        };
        let luminance = |RGBColor(r, g, b): RGBColor| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        if one > other { one / other } else { other / one }
    }

    #[test]
    fn text_and_dark_curves_stand_out_from_their_background() {
        for theme in [Theme::Light, Theme::Dark] {
            let palette = theme.palette();
            assert!(contrast(palette.ink, palette.paper) > 12.0, "{theme:?}");
        }
        let dark = Theme::Dark.palette();
        for index in 0..7 {
            assert!(contrast(dark.curve(index), dark.paper) > 4.5, "{index}");
        }
    }

    #[test]
    fn curves_with_the_same_colour_have_different_points() {
        let palette = Theme::Light.palette();
        assert_eq!((palette.css(0), palette.css(7)), ("#0072b2".into(), "#0072b2".into()));
        assert!(!palette.is_hollow(6) && palette.is_hollow(7) && !palette.is_hollow(14));
    }
}
