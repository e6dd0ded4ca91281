//! The options that a configuration can set. They are derived from the definitions of the command line, so that no option is listed twice.

use std::any::TypeId;
use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::num::{IntErrorKind, NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize, ParseIntError};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

use crate::config::nearest::nearest;

/// The option that names the file, and cannot be set in it.
pub const FILE: &str = "config";

/// The option that prints results as JSON, and is not a setting of the service.
pub const JSON: &str = "json";

/// The prefix of the variables for this program.
pub const PREFIX: &str = "MEDIA_CACHE_";

/// The form of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Present or absent.
    Flag,
    /// One value.
    One(Scalar),
    /// Any number of values.
    List(Scalar),
}

/// The type of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// `true` or `false`.
    Boolean,
    /// A number without a unit.
    Number,
    /// Anything else.
    Text,
}

impl Kind {
    /// The kind of an option. `None` if it is not a setting, such as `--help`.
    pub fn of(option: &Arg) -> Option<Self> {
        let scalar = || Scalar::of(option);
        match option.get_action() {
            ArgAction::SetTrue => Some(Self::Flag),
            ArgAction::Set => Some(Self::One(scalar())),
            ArgAction::Append => Some(Self::List(scalar())),
            _ => None,
        }
    }

    /// The expected form of a value in a file.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Flag | Self::One(Scalar::Boolean) => "true or false",
            Self::One(Scalar::Number) => "a number",
            Self::One(Scalar::Text) => "a string, in quotes",
            Self::List(Scalar::Boolean) => "a list of true and false, in brackets",
            Self::List(Scalar::Number) => "a list of numbers, in brackets",
            Self::List(Scalar::Text) => "a list of strings, in brackets",
        }
    }
}

impl Scalar {
    fn of(option: &Arg) -> Self {
        let parsed = option.get_value_parser().type_id();
        let numbers = [
            TypeId::of::<u8>(),
            TypeId::of::<u16>(),
            TypeId::of::<u32>(),
            TypeId::of::<u64>(),
            TypeId::of::<usize>(),
            TypeId::of::<i64>(),
            TypeId::of::<f32>(),
            TypeId::of::<f64>(),
            TypeId::of::<NonZeroU8>(),
            TypeId::of::<NonZeroU16>(),
            TypeId::of::<NonZeroU32>(),
            TypeId::of::<NonZeroU64>(),
            TypeId::of::<NonZeroUsize>(),
        ];
        match () {
            () if parsed == TypeId::of::<bool>() => Self::Boolean,
            () if numbers.into_iter().any(|number| parsed == number) => Self::Number,
            () => Self::Text,
        }
    }
}

/// The options of a command that the file and the environment can set, in the order of its help: those that have a long name and are
/// settings.
pub fn options(command: &Command) -> impl Iterator<Item = (&str, &Arg, Kind)> {
    let options = command.get_arguments().filter_map(|option| Some((option.get_long()?, option, Kind::of(option)?)));
    let mut options: Vec<_> = options.collect();
    let mut headings = vec![None];
    headings.extend(options.iter().map(|(_, option, _)| option.get_help_heading()));
    options.sort_by_key(|(_, option, _)| headings.iter().position(|heading| *heading == option.get_help_heading()));
    options.into_iter()
}

/// Whether a command reads a configuration. If not, it depends only on its arguments.
pub fn is_configured(command: &Command) -> bool {
    command.get_arguments().any(|option| option.get_long() == Some(FILE))
}

/// All commands that take a configuration, at any depth.
pub fn configured(command: &Command) -> Vec<&Command> {
    let own = is_configured(command).then_some(command);
    own.into_iter().chain(command.get_subcommands().flat_map(configured)).collect()
}

/// The variable of an option in the environment.
pub fn variable(name: &str) -> String {
    format!("{}{}", PREFIX, name.replace('-', "_").to_ascii_uppercase())
}

/// The arguments that set an option to these values.
pub fn arguments(name: &str, kind: Kind, values: &[OsString]) -> Vec<OsString> {
    match kind {
        Kind::Flag => values.iter().filter(|value| *value == "true").map(|_| format!("--{name}").into()).collect(),
        Kind::One(_) | Kind::List(_) => {
            let assign = |value: &OsString| [OsStr::new("--"), OsStr::new(name), OsStr::new("="), value].into_iter().collect();
            values.iter().map(assign).collect()
        }
    }
}

/// Why an option of a command cannot have these values, or `None` if it can. Other missing arguments of the command are ignored.
pub fn refusal(command: &Command, name: &str, kind: Kind, values: &[OsString]) -> Option<String> {
    if kind == Kind::Flag && values.iter().any(|value| value != "true" && value != "false") {
        return Some(format!("it must be {}", kind.expected()));
    }
    let arguments = std::iter::once("media-cache".into()).chain(arguments(name, kind, values));
    let error = command.clone().try_get_matches_from(arguments).err()?;
    match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::InvalidUtf8 => Some(reason(&error)),
        _ => None,
    }
}

/// Why a value is invalid, without the value itself.
pub fn reason(error: &clap::Error) -> String {
    let given = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(given)) => given.as_str(),
        _ => "",
    };
    if let Some(why) = error.source() {
        return match why.downcast_ref().map(ParseIntError::kind) {
            Some(IntErrorKind::Zero) => "it must be at least 1".into(),
            Some(IntErrorKind::PosOverflow) => "it is too large".into(),
            Some(_) => "it must be a whole number, and not negative".into(),
            None => match why.to_string().strip_prefix(&format!("{given} is not in ")).and_then(|range| range.split_once("..")) {
                Some((least, most)) => range(least, most),
                None => why.to_string(),
            },
        };
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(known)) if !known.is_empty() => {
            let meant = nearest(given, known.iter().map(String::as_str));
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
            format!("it must be one of {}{meant}", known.join(", "))
        }
        _ if error.kind() == ErrorKind::InvalidUtf8 => "it is not UTF-8".into(),
        _ => "it must not be empty".into(),
    }
}

/// A range of numbers, as clap writes it: `1..=20`, or `1..` if there is no end.
fn range(least: &str, most: &str) -> String {
    match most.strip_prefix('=') {
        Some(most) if least.is_empty() => format!("it must be a number of at most {most}"),
        Some(most) => format!("it must be a number from {least} to {most}"),
        None => format!("it must be a number of at least {least}"),
    }
}

/// The option of a command that the user probably meant.
pub fn nearest_option(command: &Command, name: &str) -> Option<String> {
    nearest(name, options(command).map(|(known, ..)| known)).map(Into::into)
}
