//! Phrases errors of the command line like all other errors: what is wrong, and what to do.

use std::fmt;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::config::nearest::nearest;
use crate::config::option::reason;
use crate::config::redact;

/// What is wrong with the arguments. The exit status is 2, as usual.
#[derive(Debug)]
pub struct UsageError(String);

impl UsageError {
    /// An error with this message.
    pub fn new(message: String) -> Self {
        Self(message)
    }
}

impl std::error::Error for UsageError {}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An error for the user. Help, whether requested or shown by default, remains a [`clap::Error`]. `path` has the names of the given
/// commands, and `command` is the last of them.
pub fn usage_error(error: clap::Error, path: &[&str], command: &Command) -> anyhow::Error {
    match sentence(&error, path, command) {
        Some(sentence) => UsageError(sentence).into(),
        None => error.into(),
    }
}

/// The message of an error. `None` for help and similar output.
pub fn sentence(error: &clap::Error, path: &[&str], command: &Command) -> Option<String> {
    let name = std::iter::once("media-cache").chain(path.iter().copied()).collect::<Vec<_>>().join(" ");
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let all = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        _ => String::new(),
    };
    let (argument, value) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue));
    let help = format!("see `{name} --help`");
    Some(match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => return None,
        ErrorKind::InvalidValue if value.is_empty() => format!("{argument} needs a value"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let option = argument.split([' ', '=']).next().unwrap_or_default().trim_matches(['<', '>', '[', ']', '.']);
            let value = redact::invalid_value(option.trim_start_matches('-'), value);
            redact::refused(&format!("{option} {value}"), &reason(error))
        }
        ErrorKind::UnknownArgument => match argument.strip_prefix("--") {
            Some(option) => {
                let option = option.split('=').next().unwrap_or_default();
                let known = command.get_arguments().filter_map(clap::Arg::get_long).chain(["help"]);
                let meant = nearest(option, known).map_or(help, |meant| format!("did you mean --{meant}?"));
                format!("{name} has no option --{option}; {meant}")
            }
            None if argument.starts_with('-') => format!("{name} has no option {argument}; {help}"),
            None => format!("{name} does not take the argument {argument:?} here; {help}"),
        },
        ErrorKind::InvalidSubcommand => {
            let given = text(ContextKind::InvalidSubcommand);
            let meant = nearest(given, command.get_subcommands().map(Command::get_name));
            format!("{name} has no command {given:?}; {}", meant.map_or(help, |meant| format!("did you mean {meant}?")))
        }
        ErrorKind::MissingRequiredArgument => format!("{name} needs {}; {help}", all(ContextKind::InvalidArg)),
        ErrorKind::ArgumentConflict if argument == all(ContextKind::PriorArg) => format!("{argument} can be given only once"),
        ErrorKind::ArgumentConflict => format!("{argument} cannot be used with {}", all(ContextKind::PriorArg)),
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".into(),
        // Other errors are rare, and clap describes them well.
        _ => {
            let text = error.to_string();
            let first: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
            let first = first.join(" ");
            format!("{}; {help}", first.strip_prefix("error: ").unwrap_or(&first))
        }
    })
}
