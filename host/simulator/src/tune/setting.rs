//! The settings of a policy: points in the search spaces of its options.

use media_cache::policy::{Description, PolicyChoice, PolicyOrigin};

use crate::tune::search_space::{SearchSpace, search_space};

/// The searched options of a policy. Options that were given are not searched.
pub(crate) struct Dimensions {
    base: PolicyChoice,
    options: Vec<Dimension>,
}

struct Dimension {
    name: String,
    default: String,
    space: SearchSpace,
}

/// A position on each dimension: the index of a number or a choice. A fraction lies between two numbers.
pub(crate) type Setting = Vec<f64>;

impl Dimensions {
    /// The dimensions of a policy with this description.
    pub fn of(base: PolicyChoice, description: &Description) -> Self {
        let is_given = |name: &str| base.options.iter().any(|(given, _)| given == name);
        let dimension = |policy: &str, name: &str, default: &str| {
            let space = search_space(policy, name)?;
            Some(Dimension { name: name.into(), default: default.into(), space })
        };
        let options = match base.component.origin() {
            PolicyOrigin::BuiltIn(policy) => {
                let searched = description.options.iter().filter(|option| !is_given(&option.name));
                searched.filter_map(|option| dimension(policy, &option.name, &option.default)).collect()
            }
            PolicyOrigin::File(_) | PolicyOrigin::Upload => Vec::new(),
        };
        Self { base, options }
    }

    /// The setting in which each searched option has its default.
    pub fn default_setting(&self) -> Setting {
        self.options.iter().map(Dimension::default_position).collect()
    }

    /// All settings without fractions, in a fixed order.
    pub fn grid(&self) -> Vec<Setting> {
        let extended = |settings: Vec<Setting>, option: &Dimension| {
            let positions = 0..=option.last() as usize;
            let with = |setting: &Setting| positions.clone().map(|at| [&setting[..], &[at as f64]].concat()).collect::<Vec<_>>();
            settings.iter().flat_map(with).collect()
        };
        self.options.iter().fold(vec![Vec::new()], extended)
    }

    /// The settings that differ from this one in one option: a number by `step` positions, a choice in any way.
    pub fn neighbours(&self, setting: &Setting, step: f64) -> Vec<Setting> {
        let positions = |at: usize, option: &Dimension| -> Vec<f64> {
            match option.space {
                SearchSpace::Numbers(_) => vec![(setting[at] - step).max(0.0), (setting[at] + step).min(option.last())],
                SearchSpace::Choices(choices) => (0..choices.len()).map(|choice| choice as f64).collect(),
            }
        };
        let moved = |(at, option): (usize, &Dimension)| {
            let to = |position: f64| {
                let mut neighbour = setting.clone();
                neighbour[at] = position;
                neighbour
            };
            positions(at, option).into_iter().map(to).collect::<Vec<_>>()
        };
        self.options.iter().enumerate().flat_map(moved).filter(|neighbour| neighbour != setting).collect()
    }

    /// The policy with a setting. Options with their default are left out.
    pub fn choice(&self, setting: &Setting) -> PolicyChoice {
        let mut choice = self.base.clone();
        let searched = self.options.iter().zip(setting).map(|(option, position)| (option, option.value(*position)));
        let changed = searched.filter(|(option, value)| *value != option.value(option.default_position()));
        choice.options.extend(changed.map(|(option, value)| (option.name.clone(), value)));
        choice
    }
}

impl Dimension {
    /// The last position.
    fn last(&self) -> f64 {
        let count = match self.space {
            SearchSpace::Numbers(numbers) => numbers.len(),
            SearchSpace::Choices(choices) => choices.len(),
        };
        (count - 1) as f64
    }

    fn value(&self, position: f64) -> String {
        let (below, fraction) = (position as usize, position.fract());
        match self.space {
            SearchSpace::Choices(choices) => choices[below].into(),
            SearchSpace::Numbers(numbers) if fraction == 0.0 => rounded(numbers[below]),
            SearchSpace::Numbers(numbers) => rounded(numbers[below] + (numbers[below + 1] - numbers[below]) * fraction),
        }
    }

    fn default_position(&self) -> f64 {
        let position = match self.space {
            SearchSpace::Numbers(numbers) => {
                self.default.parse().ok().and_then(|default: f64| numbers.iter().position(|number| *number == default))
            }
            SearchSpace::Choices(choices) => choices.iter().position(|choice| *choice == self.default),
        };
        position.unwrap_or_default() as f64
    }
}

/// A number with three significant digits.
fn rounded(number: f64) -> String {
    if number == 0.0 {
        return "0".into();
    }
    let unit = 10f64.powi(2 - number.abs().log10().floor() as i32);
    ((number * unit).round() / unit).to_string()
}

#[cfg(test)]
mod tests {
    use media_cache::policy::{OptionDescription, PolicyEngine, PolicySpec};

    use super::*;

    /// The dimensions of a built-in policy, of whose options those with these defaults are known.
    fn dimensions(spec: &str, options: &[(&str, &str)]) -> Dimensions {
        let base = spec.parse::<PolicySpec>().unwrap().choose(&PolicyEngine::new().unwrap()).unwrap();
        let option = |(name, default): &(&str, &str)| OptionDescription {
            name: (*name).into(),
            default: (*default).into(),
            doc: String::new(),
        };
        let description = Description {
            name: String::new(),
            version: String::new(),
            doc: String::new(),
            options: options.iter().map(option).collect(),
        };
        Dimensions::of(base, &description)
    }

    fn specs(dimensions: &Dimensions, settings: &[Setting]) -> Vec<String> {
        settings.iter().map(|setting| dimensions.choice(setting).spec().to_string()).collect()
    }

    #[test]
    fn grid_has_all_combinations_and_leaves_out_defaults() {
        let s3_fifo = dimensions("s3-fifo", &[("small", "10"), ("large", "refuse"), ("unknown", "7")]);
        let grid = specs(&s3_fifo, &s3_fifo.grid());
        assert_eq!((grid.len(), &grid[0][..], &grid[1][..]), (12, "s3-fifo:small=1", "s3-fifo:small=1,large=main"));
        assert_eq!((&grid[4][..], &grid[5][..]), ("s3-fifo", "s3-fifo:large=main"));
        assert_eq!(specs(&s3_fifo, &[s3_fifo.default_setting()]), ["s3-fifo"]);
    }

    #[test]
    fn given_option_is_not_searched() {
        let s3_fifo = dimensions("s3-fifo:large=main", &[("small", "10"), ("large", "refuse")]);
        let grid = specs(&s3_fifo, &s3_fifo.grid());
        assert_eq!((grid.len(), &grid[0][..], &grid[2][..]), (6, "s3-fifo:large=main,small=1", "s3-fifo:large=main"));
    }

    #[test]
    fn neighbours_differ_in_one_option_and_stay_in_the_space() {
        let s3_fifo = dimensions("s3-fifo", &[("small", "10"), ("large", "refuse")]);
        let neighbours = |setting: &[f64], step| specs(&s3_fifo, &s3_fifo.neighbours(&setting.to_vec(), step));
        assert_eq!(neighbours(&[2.0, 0.0], 1.0), ["s3-fifo:small=3", "s3-fifo:small=30", "s3-fifo:large=main"]);
        assert_eq!(neighbours(&[0.0, 1.0], 0.25), ["s3-fifo:small=1.5,large=main", "s3-fifo:small=1"]);
        assert_eq!(neighbours(&[5.0, 0.0], 0.125), ["s3-fifo:small=86.3", "s3-fifo:small=90,large=main"]);
    }

    #[test]
    fn numbers_have_three_significant_digits() {
        let numbers = [0.0, 0.12345, 0.5, 1.0, 86.25, 1234.5, 0.000_123_45];
        assert_eq!(numbers.map(rounded), ["0", "0.123", "0.5", "1", "86.3", "1230", "0.000123"]);
    }
}
