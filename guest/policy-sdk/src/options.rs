//! The options of a policy. They are declared once, and the options of a caller are checked against the declarations.

use std::ops::RangeInclusive;

use crate::bindings::exports::media_cache::policy::eviction::OptionDescription;

/// The declaration of an option.
pub struct OptionSpec {
    /// A short name in lower case.
    pub name: &'static str,
    /// The value that applies if the option is not given.
    pub default: &'static str,
    /// One line: what the option does, its unit and its range.
    pub doc: &'static str,
}

impl OptionSpec {
    pub(crate) fn describe(&self) -> OptionDescription {
        OptionDescription { name: self.name.into(), default: self.default.into(), doc: self.doc.into() }
    }
}

/// The options of a policy: those that were given, and defaults for the others.
pub struct Options {
    values: Vec<(&'static str, String)>,
}

impl Options {
    /// Checks the given options against the declared ones.
    ///
    /// # Errors
    /// Returns an error if an option is not declared (the text lists the declared ones) or is given twice.
    pub fn check(policy: &str, specs: &'static [OptionSpec], given: Vec<(String, String)>) -> Result<Self, String> {
        let mut values: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in given {
            let Some(spec) = specs.iter().find(|spec| spec.name == name) else {
                let names: Vec<_> = specs.iter().map(|spec| spec.name).collect();
                let known = if names.is_empty() { "it has none".into() } else { format!("valid options: {}", names.join(", ")) };
                return Err(format!("{policy} has no option {name:?}; {known}"));
            };
            if values.iter().any(|(known, _)| *known == spec.name) {
                return Err(format!("the option {name:?} is given twice"));
            }
            values.push((spec.name, value));
        }
        for spec in specs {
            if !values.iter().any(|(known, _)| *known == spec.name) {
                values.push((spec.name, spec.default.into()));
            }
        }
        Ok(Self { values })
    }

    /// The value of a declared option as given, or its default. An empty string if the option is not declared.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// The value of a declared option as a number in a range.
    ///
    /// # Errors
    /// Returns an error if the value is not a number in the range; the text states the range.
    pub fn number(&self, name: &str, range: RangeInclusive<f64>) -> Result<f64, String> {
        let text = self.text(name);
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("{name} is {text:?}; it has to be a number from {} to {}", range.start(), range.end()))
    }

    /// The share of `whole` that a declared option specifies as a percentage in a range, rounded down, but at least 1.
    ///
    /// # Errors
    /// Returns an error if the value is not a percentage in the range; the text states the range.
    pub fn share(&self, name: &str, range: RangeInclusive<f64>, whole: u64) -> Result<u64, String> {
        // Exact for whole percentages of less than 90 TB, and for 10 percent of less than 900 TB.
        Ok(((whole as f64 * self.number(name, range)? / 100.0) as u64).max(1))
    }

    /// The index of the value of a declared option in `choices`.
    ///
    /// # Errors
    /// Returns an error if the value is not one of `choices`; the text lists them.
    pub fn choice(&self, name: &str, choices: &[&str]) -> Result<usize, String> {
        let text = self.text(name);
        let chosen = choices.iter().position(|choice| *choice == text);
        chosen.ok_or_else(|| format!("{name} is {text:?}; it has to be one of {}", choices.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[OptionSpec] = &[
        OptionSpec { name: "beta", default: "0", doc: "A number." },
        OptionSpec { name: "large", default: "refuse", doc: "A word." },
    ];

    fn options(given: &[(&str, &str)]) -> Result<Options, String> {
        Options::check("gdsf", SPECS, given.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }

    #[test]
    fn an_option_that_is_not_given_has_its_default() {
        let options = options(&[("beta", "0.5")]).unwrap();
        assert_eq!(options.number("beta", 0.0..=1.0), Ok(0.5));
        assert_eq!(options.choice("large", &["main", "refuse"]), Ok(1));
    }

    #[test]
    fn the_error_for_an_unknown_option_lists_the_options() {
        assert_eq!(options(&[("gamma", "1")]).err().unwrap(), "gdsf has no option \"gamma\"; valid options: beta, large");
        let none = Options::check("lru", &[], vec![("x".into(), "1".into())]);
        assert_eq!(none.err().unwrap(), "lru has no option \"x\"; it has none");
    }

    #[test]
    fn the_error_for_an_invalid_value_says_what_is_valid() {
        for wrong in ["", "2", "-0.1", "NaN", "inf", "much"] {
            let error = options(&[("beta", wrong)]).unwrap().number("beta", 0.0..=1.0).unwrap_err();
            assert_eq!(error, format!("beta is {wrong:?}; it has to be a number from 0 to 1"));
        }
        let error = options(&[("large", "no")]).unwrap().choice("large", &["main", "refuse"]).unwrap_err();
        assert_eq!(error, "large is \"no\"; it has to be one of main, refuse");
    }

    #[test]
    fn a_share_is_rounded_down_but_at_least_one() {
        let share = |percent, whole| options(&[("beta", percent)]).unwrap().share("beta", 1.0..=99.0, whole);
        assert_eq!((share("10", 1999), share("10", 64), share("10", 9), share("99", 1)), (Ok(199), Ok(6), Ok(1), Ok(1)));
        assert_eq!((share("12.5", 800), share("50", u64::MAX)), (Ok(100), Ok(1 << 63)));
        assert_eq!(share("0", 800).unwrap_err(), "beta is \"0\"; it has to be a number from 1 to 99");
    }

    #[test]
    fn an_option_given_twice_is_an_error() {
        assert!(options(&[("beta", "0"), ("beta", "1")]).err().unwrap().contains("twice"));
    }
}
