//! Every option of the service, set in every way.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use clap::{Command, CommandFactory};

use super::option::{FILE, Kind, Scalar, options, variable};
use super::settings::{Settings, Source};
use super::show::document;
use super::{resolve, service};
use crate::cli::Cli;

/// Values of each option that it does not have by default: three, one for each way to set it. Those of a list may have commas.
const VALUES: &[(&str, [&str; 3])] = &[
    ("component", ["a.wasm", "b.wasm", "c.wasm"]),
    ("dir", ["a", "b", "/c d/\"e'"]),
    ("grace-seconds", ["0", "1", "2"]),
    ("listen", ["127.0.0.1:1", "[::1]:2", "127.0.0.1:0"]),
    ("max-body-mb", ["1", "2", "3"]),
    ("max-memory-items", ["1", "2", "0"]),
    ("max-memory-mb", ["1", "2", "0"]),
    ("max-size-mb", ["1", "2", "18446744073709551615"]),
    ("policy", ["sieve", "gdsf:beta=0.5", "w-tinylfu:window=10"]),
    ("policy-call-ms", ["1", "2", "3"]),
    ("policy-memory-mb", ["1", "2", "3"]),
    ("record-trace", ["a.csv", "b.csv", "c.csv"]),
    ("transcoder", ["ffmpeg", "none", "embedded"]),
];

/// Options that another one has to be given with.
const COMPANIONS: &[(&str, &[&str])] = &[];

/// The values of an option that are tried.
fn values(name: &str, kind: Kind) -> [&'static str; 3] {
    if kind == Kind::Flag {
        return ["true", "false", "true"];
    }
    let found = VALUES.iter().find(|(known, _)| *known == name).map(|(_, values)| *values);
    found.unwrap_or_else(|| panic!("serve has the option --{name}, and VALUES in these tests has no values to try it with"))
}

fn program() -> Command {
    Cli::command()
}

/// The names of all options of the service but the one for the file, and how they are written.
fn service_options() -> Vec<(String, Kind)> {
    let program = program();
    options(service(&program)).filter(|(name, ..)| *name != FILE).map(|(name, _, kind)| (name.into(), kind)).collect()
}

/// A line of a file that sets an option.
fn key(name: &str, kind: Kind, value: &str) -> String {
    let one = |scalar, value: &str| if scalar == Scalar::Text { toml::Value::from(value).to_string() } else { value.into() };
    match kind {
        Kind::Flag => format!("{name} = {value}\n"),
        Kind::One(scalar) => format!("{name} = {}\n", one(scalar, value)),
        Kind::List(scalar) => {
            let all: Vec<_> = value.split(',').map(|value| one(scalar, value)).collect();
            format!("{name} = [{}]\n", all.join(", "))
        }
    }
}

struct Told<'a> {
    file: &'a Path,
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
}

impl<'a> Told<'a> {
    fn by_file(file: &'a Path, text: &str) -> Self {
        std::fs::write(file, text).unwrap();
        Self { file, variables: Vec::new(), arguments: Vec::new() }
    }

    fn settings(&self) -> Settings {
        let start = ["media-cache", "config", "show", "--config", self.file.to_str().unwrap()].map(OsString::from);
        let arguments = start.into_iter().chain(self.arguments.iter().map(Into::into));
        let variables = self.variables.iter().map(|(name, value)| (name.into(), value.into()));
        resolve(arguments, variables).unwrap_or_else(|error| panic!("{error:#}")).1
    }

    /// The values of an option, and where they came from.
    fn outcome(&self, name: &str) -> (Option<Vec<String>>, Source) {
        outcome(&self.settings(), name)
    }
}

fn outcome(settings: &Settings, name: &str) -> (Option<Vec<String>>, Source) {
    let setting = settings.iter().find(|setting| setting.name == name).unwrap();
    let values = setting.values.as_ref().map(|values| values.iter().map(|value| value.to_str().unwrap().into()).collect());
    (values, setting.source.clone())
}

/// How `config show` would begin the line of an option with this value and source.
fn shown(name: &str, kind: Kind, value: &str, source: &str) -> String {
    format!("{}  # {source}", key(name, kind, value).trim_end())
}

#[test]
fn every_option_can_be_set_in_every_way_and_the_stronger_one_counts() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("media-cache.toml");
    for (name, kind) in service_options() {
        let companions = COMPANIONS.iter().filter(|(option, _)| *option == name).flat_map(|(_, companions)| *companions);
        let companions: Vec<String> = companions.map(|companion| (*companion).into()).collect();
        let [in_file, in_environment, given] = values(&name, kind);
        let listed = |value: &str| match kind {
            Kind::List(_) => value.split(',').map(Into::into).collect(),
            _ => vec![value.to_owned()],
        };
        let line = |settings: &Settings| {
            let start = format!("{name} = ");
            document(settings).lines().find(|line| line.starts_with(&start)).map(Into::into).unwrap_or_else(String::new)
        };

        let mut told = Told::by_file(&file, "");
        assert_eq!(told.outcome(&name).1, Source::Default, "{name}");

        told = Told::by_file(&file, &format!("\n{}", key(&name, kind, in_file)));
        told.arguments = companions;
        assert_eq!(told.outcome(&name), (Some(listed(in_file)), Source::File(2)));
        assert_eq!(line(&told.settings()), shown(&name, kind, in_file, &format!("{}:2", file.display())));

        told.variables.push((variable(&name), in_environment.into()));
        assert_eq!(told.outcome(&name), (Some(listed(in_environment)), Source::Variable(variable(&name))));
        assert_eq!(line(&told.settings()), shown(&name, kind, in_environment, &variable(&name)));

        told.arguments.push(if kind == Kind::Flag { format!("--{name}") } else { format!("--{name}={given}") });
        assert_eq!(told.outcome(&name), (Some(listed(given)), Source::Flag));
        assert_eq!(line(&told.settings()), shown(&name, kind, given, "flag"));
    }
}

#[test]
fn what_is_shown_says_the_same_as_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("media-cache.toml");
    let all = |settings: &Settings| -> BTreeMap<String, Option<Vec<OsString>>> {
        let others = settings.iter().filter(|setting| setting.name != FILE);
        others.map(|setting| (setting.name.clone(), setting.values.clone())).collect()
    };
    let mut texts = vec![String::new()];
    for (name, kind) in service_options() {
        texts.extend(values(&name, kind).map(|value| key(&name, kind, value)));
        if matches!(kind, Kind::List(_)) {
            texts.push(format!("{name} = []\n"));
        }
    }
    for text in texts {
        let mut told = Told::by_file(&file, &text);
        let name = text.split(' ').next().unwrap();
        for (_, companions) in COMPANIONS.iter().filter(|(option, _)| *option == name) {
            told.arguments.extend(companions.iter().map(|companion| (*companion).into()));
        }
        let first = told.settings();
        let again = Told::by_file(&file, &document(&first)).settings();
        assert_eq!(all(&first), all(&again), "{text}");
        assert!(
            again
                .iter()
                .all(|setting| setting.values.is_none() || setting.name == FILE || matches!(setting.source, Source::File(_)))
        );
    }
}

#[test]
fn a_list_can_be_made_empty() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("media-cache.toml");
    for (name, kind) in service_options().into_iter().filter(|(_, kind)| matches!(kind, Kind::List(_))) {
        let mut told = Told::by_file(&file, &format!("{name} = []\n"));
        assert_eq!(told.outcome(&name), (Some(Vec::new()), Source::File(1)));
        told = Told::by_file(&file, &key(&name, kind, values(&name, kind)[0]));
        told.variables.push((variable(&name), String::new()));
        assert_eq!(told.outcome(&name), (Some(Vec::new()), Source::Variable(variable(&name))));
    }
}

#[test]
fn the_definitions_hold_together() {
    program().debug_assert();
    for (name, option, kind) in options(service(&program())) {
        if matches!(kind, Kind::List(_)) {
            assert_eq!(option.get_value_delimiter(), Some(','), "--{name} is a list, and a variable has to hold several values");
        }
    }
}
