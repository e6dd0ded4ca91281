//! The effective settings and their sources.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command};

use crate::config::option::{Kind, options};
use crate::config::problems::Problems;

/// The source of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag,
    /// This variable.
    Variable(String),
    /// This line of the file.
    File(usize),
    /// The default.
    Default,
}

impl Source {
    /// Describes the source for the user.
    pub fn describe(&self, file: Option<&Path>) -> String {
        match (self, file) {
            (Self::Flag, _) => "flag".into(),
            (Self::Variable(name), _) => name.clone(),
            (Self::File(line), Some(file)) => format!("{}:{line}", file.display()),
            (Self::File(line), None) => format!("line {line}"),
            (Self::Default, _) => "default".into(),
        }
    }
}

/// The setting of an option from the environment or the file.
pub struct Given {
    /// The long name of the option.
    pub name: String,
    /// The form of its value.
    pub kind: Kind,
    /// The source that applies.
    pub source: Source,
    /// Its values, if they come from the environment or the file.
    pub values: Option<Vec<OsString>>,
}

/// An effective option.
pub struct Setting {
    /// The long name of the option.
    pub name: String,
    /// Its heading in the help.
    pub heading: Option<String>,
    /// The form of its value.
    pub kind: Kind,
    /// Its values; `None` if it has none.
    pub values: Option<Vec<OsString>>,
    /// Their source.
    pub source: Source,
}

impl Setting {
    /// Whether the value is an argument.
    pub fn is_flag(&self) -> bool {
        self.source == Source::Flag
    }

    /// Whether the value is the default because no other is set.
    pub fn is_default(&self) -> bool {
        self.source == Source::Default
    }
}

/// All effective options of a command.
#[derive(Default)]
pub struct Settings {
    settings: Vec<Setting>,
    file: Option<PathBuf>,
    problems: Problems,
}

impl Settings {
    /// The settings of a command, with the final result of parsing.
    pub(super) fn new(
        command: &Command,
        told: &ArgMatches,
        sources: Vec<Given>,
        file: Option<PathBuf>,
        problems: Problems,
    ) -> Self {
        let setting = |((name, option, kind), given): ((&str, &clap::Arg, Kind), Given)| {
            let values = told.get_raw(option.get_id().as_str()).map(|values| values.map(Into::into).collect());
            let empty = || given.values.as_ref().filter(|values| values.is_empty()).cloned();
            let heading = option.get_help_heading().map(Into::into);
            Setting { name: name.into(), heading, kind, values: values.or_else(empty), source: given.source }
        };
        Self { settings: options(command).zip(sources).map(setting).collect(), file, problems }
    }

    /// What is wrong in the environment and the file, whose other options are settings. Always empty except for `config check`.
    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// All settings, in the order of the help.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.settings.iter()
    }

    /// Whether an option has its default because no other value is set.
    pub fn is_default(&self, name: &str) -> bool {
        self.iter().any(|setting| setting.name == name && setting.is_default())
    }

    /// Whether the value of an option is an argument.
    pub fn is_flag(&self, name: &str) -> bool {
        self.iter().any(|setting| setting.name == name && setting.is_flag())
    }

    /// The value of an option, if it has one that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        let setting = self.iter().find(|setting| setting.name == name)?;
        setting.values.as_ref()?.first()?.to_str()
    }

    /// The file, if there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The names of the options whose values differ from those of `other`, settings of the same command.
    pub fn differing(&self, other: &Self) -> Vec<String> {
        let both = self.settings.iter().zip(&other.settings);
        both.filter(|(setting, other)| setting.values != other.values).map(|(setting, _)| setting.name.clone()).collect()
    }

    /// Replaces the values of these options with those in `other`, settings of the same command.
    pub fn adopt(&mut self, other: &Self, names: &[String]) {
        let both = self.settings.iter_mut().zip(&other.settings);
        for (setting, other) in both.filter(|(setting, _)| names.contains(&setting.name)) {
            setting.values.clone_from(&other.values);
        }
    }

    /// Logs where the options come from.
    pub fn log(&self) {
        let count = |is: fn(&Source) -> bool| self.settings.iter().filter(|setting| is(&setting.source)).count();
        let flags = count(|source| matches!(source, Source::Flag));
        let variables = count(|source| matches!(source, Source::Variable(_)));
        let keys = count(|source| matches!(source, Source::File(_)));
        let file = self.file.as_deref().map(|file| tracing::field::display(file.display()));
        tracing::info!(flags, variables, keys, file, "configured");
    }
}
