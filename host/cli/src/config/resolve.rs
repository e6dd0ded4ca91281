//! Combines options from the command line, the environment and the file.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};

use crate::config::option::{self, FILE, Kind, options};
use crate::config::problems::Problems;
use crate::config::settings::{Given, Settings, Source};
use crate::config::usage::{sentence, usage_error};
use crate::config::{environment, toml_file};

/// The options that name the cache that a command uses. An argument that names one overrides a variable or key that names the other.
const PLACES: [&str; 2] = ["dir", "server"];

/// The command that reports problems of the file and the environment together with those that it finds itself.
const REPORTING: [&str; 2] = ["config", "check"];

/// Combines the arguments of the program, the variables of its environment and the file that either of them names, and records the source
/// of each value.
///
/// # Errors
/// Returns an error with a message for the user, or a [`clap::Error`], which can also be the help that the user requested.
/// [`REPORTING`] gets the problems with the settings instead, unless they leave no settings.
pub fn resolve<Cli: CommandFactory + FromArgMatches>(
    arguments: impl IntoIterator<Item = OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> anyhow::Result<(Cli, Settings)> {
    let (program, mut arguments) = (Cli::command(), arguments.into_iter().collect::<Vec<_>>());
    // Options that are missing from the arguments may be in the file. All other errors are found below, together with those of the file and
    // the environment.
    let said = program.clone().ignore_errors(true).try_get_matches_from(&arguments).unwrap_or_default();
    let (path, said) = innermost(&said);
    let command = path.iter().try_fold(&program, |command, name| command.find_subcommand(name));
    let Some(command) = command.filter(|command| option::is_configured(command)) else {
        let matches = program.clone().try_get_matches_from(&arguments);
        let matches = matches.map_err(|error| usage_error(error, &path, command.unwrap_or(&program)))?;
        return Ok((Cli::from_arg_matches(&matches)?, Settings::default()));
    };

    let mut problems = Problems::default();
    let environment = environment::read(variables, &program, command, &mut problems);
    let of_variable = || environment.get(FILE).and_then(|values| values.first()).map(PathBuf::from);
    let file = said.get_raw(FILE).and_then(|mut values| values.next()).map(PathBuf::from).or_else(of_variable);
    let in_file = file.as_deref().map_or(Some(Vec::new()), |file| toml_file::read(file, service(&program), &mut problems));
    // Nothing is known about the other options of a file that cannot be read.
    let Some(in_file) = in_file else { return Err(problems.into()) };

    let is_given = |option: &Arg| said.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine);
    let mut sources = Vec::new();
    for (name, option, kind) in options(command) {
        let given = is_given(option);
        // A command uses one place.
        let excluded = PLACES.contains(&name) && command.get_arguments().any(|other| is_place(other) && is_given(other));
        let setting = in_file.iter().find(|setting| setting.name == name);
        let (source, values) = match (given, environment.get(name), setting) {
            (true, ..) => (Source::Flag, None),
            _ if excluded => (Source::Default, None),
            (false, Some(values), _) => (Source::Variable(option::variable(name)), Some(values.clone())),
            (false, None, Some(setting)) => (Source::File(setting.line), Some(setting.values.clone())),
            (false, None, None) => (Source::Default, None),
        };
        sources.push(Given { name: name.into(), kind, source, values });
    }
    let weaker = sources.iter().filter_map(|given| Some(option::arguments(&given.name, given.kind, given.values.as_ref()?)));
    let weaker: Vec<OsString> = weaker.flatten().collect();
    // Commands have no aliases and no options before their names, so the names are the first arguments.
    let start = (1 + path.len()).min(arguments.len());
    arguments.splice(start..start, weaker);

    let settled = emptied(program.clone(), &path, &sources).try_get_matches_from(arguments);
    let settled = match settled.map_err(|error| explained(error, &path, command, &sources, file.as_deref())) {
        Err(error) if !problems.is_empty() && !error.is::<clap::Error>() => {
            problems.add(format!("{error:#}"));
            return Err(problems.into());
        }
        settled => settled?,
    };
    if path != REPORTING {
        problems.none()?;
        problems = Problems::default();
    }
    let settings = Settings::new(command, innermost(&settled).1, sources, file, problems);
    Ok((Cli::from_arg_matches(&settled)?, settings))
}

fn is_place(option: &Arg) -> bool {
    option.get_long().is_some_and(|name| PLACES.contains(&name))
}

/// The names of the given commands, each a subcommand of the one before, and the matches of the last.
fn innermost(matches: &ArgMatches) -> (Vec<&str>, &ArgMatches) {
    let (mut path, mut matches) = (Vec::new(), matches);
    while let Some((name, inner)) = matches.subcommand() {
        path.push(name);
        matches = inner;
    }
    (path, matches)
}

/// The command whose options are the keys of a file.
pub fn service(program: &Command) -> &Command {
    program.find_subcommand("serve").unwrap_or(program)
}

/// The program without the defaults of those lists that are set to be empty. No argument could express an empty list.
fn emptied(program: Command, path: &[&str], sources: &[Given]) -> Command {
    match path {
        [name, rest @ ..] => program.mut_subcommand(name, |command| emptied(command, rest, sources)),
        [] => program.mut_args(|option| {
            let name = option.get_long();
            let is_empty =
                |given: &&Given| matches!((given.kind, &given.values), (Kind::List(_), Some(values)) if values.is_empty());
            match sources.iter().filter(is_empty).any(|given| Some(&*given.name) == name) {
                true => option.default_values(std::iter::empty::<&str>()),
                false => option,
            }
        }),
    }
}

/// An error of the command line, with a note on the source of options that were not given as arguments.
fn explained(
    error: clap::Error,
    path: &[&str],
    command: &Command,
    sources: &[Given],
    file: Option<&std::path::Path>,
) -> anyhow::Error {
    let concerned = [ContextKind::InvalidArg, ContextKind::PriorArg].into_iter().filter_map(|kind| error.get(kind));
    let concerned = concerned.flat_map(|value| match value {
        ContextValue::String(option) => vec![option.clone()],
        ContextValue::Strings(options) => options.clone(),
        _ => Vec::new(),
    });
    let notes = concerned.filter_map(|option| {
        let name = option.strip_prefix("--")?.split([' ', '=']).next()?;
        let given = sources.iter().find(|given| given.name == name)?;
        given.values.as_ref().map(|_| format!("--{name} is set by {}", given.source.describe(file)))
    });
    let notes: Vec<String> = notes.collect();
    match sentence(&error, path, command) {
        Some(what) if !notes.is_empty() => anyhow::anyhow!("{what}; {}", notes.join(", ")),
        _ => usage_error(error, path, command),
    }
}
