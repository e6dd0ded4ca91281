//! Sets every option of the service in every way.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use clap::{Command, CommandFactory};

use crate::command_line::Cli;
use crate::config::option::{FILE, JSON, Kind, Scalar, options, refusal, variable};
use crate::config::resolve::{resolve, service};
use crate::config::settings::{Settings, Source};
use crate::config::show::document;

/// Three values, one for each way to set them, for every option whose values are neither numbers nor from a fixed set of words. Values of
/// lists may contain commas.
const VALUES: &[(&str, [&str; 3])] = &[
    ("accept-type", ["image/*", "*/*,!text/html", "!image/gif"]),
    ("accept-type", ["image/*", "image/*,!image/gif,video/mp4", "audio/*"]),
    ("admin-listen", ["127.0.0.1:1", "[::1]:2", "127.0.0.1:3"]),
    ("admin-token-file", ["a", "b", "c"]),
    ("allow-address", ["127.0.0.0/8", "10.0.0.0/8,fd00::/8", "10.1.2.3/32"]),
    ("allow-host", ["example.com", "*.example.com,example.org", "example.net"]),
    ("allow-origin", ["https://example.com", "http://localhost:3000,https://example.org", "*"]),
    ("camo-key-file", ["a", "b,c", "d"]),
    ("component", ["a.wasm", "b.wasm", "c.wasm"]),
    ("deny-address", ["127.0.0.0/8", "10.0.0.0/8,fd00::/8", "10.1.2.3/32"]),
    ("deny-host", ["example.com", "*.example.com,example.org", "example.net"]),
    ("dir", ["a", "b", "/c d/\"e'"]),
    ("failure-memory", ["gone=1", "all=0,not-found=5", "unavailable=7"]),
    ("key-rules", ["discord", "fragments,host-case", "*.example.org:sig+expires"]),
    ("listen", ["127.0.0.1:1", "[::1]:2", "127.0.0.1:0"]),
    ("log-filter", ["debug", "info,media_cache=trace", "off"]),
    ("matrix-homeserver", ["https://matrix.example.org/", "http://localhost:8008/", "https://example.org/matrix"]),
    ("matrix-token-file", ["a", "b", "c"]),
    ("min-free", ["2GiB", "5%", "500000"]),
    ("metrics-host", ["example.com", "*.example.com,example.org", "example.net"]),
    ("otlp-endpoint", ["http://127.0.0.1:4318/", "https://otel.example.org/", "environment"]),
    ("origin-header", ["User-Agent: a", "example.org=Referer: https://example.org/", "Accept: image/png"]),
    ("objective", ["bytes", "wait", "requests=1,bytes=20KB"]),
    ("policy", ["sieve", "gdsf:beta=0.5", "w-tinylfu:window=10"]),
    ("record-trace", ["a.csv", "b.csv", "c.csv"]),
    ("shadow", ["lru", "gdsf:beta=0.5", "none"]),
    ("shadow-memory-mb", ["32", "64", "100"]),
    ("signing-key-file", ["a", "b,c", "d"]),
    ("spool-dir", ["a", "b", "c"]),
    ("tier", ["s3://bucket/a", "gs://bucket/a", "file:///a"]),
    ("tier-lease-host", ["example.com", "*.example.com,example.org", "example.net"]),
    ("tls-cert", ["a", "b", "c"]),
    ("tls-key", ["a", "b", "c"]),
    ("trace-ratio", ["0.5", "0", "1"]),
    ("via", ["a", "b", "c"]),
];

/// Options that require others.
const COMPANIONS: &[(&str, &[&str])] = &[
    ("matrix-homeserver", &["--matrix-token-file=token"]),
    ("admin-tls", &["--tls-cert=cert", "--tls-key=key", "--admin-listen=127.0.0.1:1"]),
    ("matrix-token-file", &["--matrix-homeserver=https://matrix.example.org/"]),
    ("tls-cert", &["--tls-key=key"]),
    ("tls-key", &["--tls-cert=cert"]),
];

/// Distinct values of an option, if it has enough.
fn values(name: &str, kind: Kind) -> [String; 3] {
    let known = VALUES.iter().find(|(known, _)| *known == name);
    if let Some((_, values)) = known {
        return values.map(Into::into);
    }
    let (program, words) = (program(), ["1", "2", "3", "60", "100", "1000", "0", "true", "false"]);
    let (_, option, _) = options(service(&program)).find(|(known, ..)| *known == name).unwrap();
    let possible = option.get_possible_values().into_iter().map(|value| value.get_name().to_owned());
    let scalar = match kind {
        Kind::One(scalar) | Kind::List(scalar) => scalar,
        Kind::Flag => Scalar::Boolean,
    };
    let fits = |word: &String| refusal(service(&program), name, kind, &[word.into()]).is_none();
    let tried = words.into_iter().filter(|_| scalar != Scalar::Text).map(Into::into).chain(possible).filter(fits);
    let mut tried: Vec<String> = tried.collect();
    assert!(!tried.is_empty(), "serve has the option --{name}, but VALUES in these tests has no values for it");
    if tried.len() < 3 {
        tried = tried.iter().cycle().take(3).cloned().collect();
    }
    [tried[0].clone(), tried[1].clone(), tried[2].clone()]
}

fn program() -> Command {
    Cli::command()
}

/// The names and kinds of all options of the service, except the option that names the file.
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
        resolve::<Cli>(arguments, variables).unwrap_or_else(|error| panic!("{error:#}")).1
    }

    /// The values of an option, and their source.
    fn outcome(&self, name: &str) -> (Option<Vec<String>>, Source) {
        outcome(&self.settings(), name)
    }
}

fn outcome(settings: &Settings, name: &str) -> (Option<Vec<String>>, Source) {
    let setting = settings.iter().find(|setting| setting.name == name).unwrap();
    let values = setting.values.as_ref().map(|values| values.iter().map(|value| value.to_str().unwrap().into()).collect());
    (values, setting.source.clone())
}

/// The beginning of the line of `config show` for an option with this value and source.
fn shown(name: &str, kind: Kind, value: &str, source: &str) -> String {
    format!("{}  # {source}", key(name, kind, value).trim_end())
}

#[test]
fn flags_take_precedence_over_the_environment_and_the_environment_over_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("media-cache.toml");
    for (name, kind) in service_options() {
        let companions = COMPANIONS.iter().filter(|(option, _)| *option == name).flat_map(|(_, companions)| *companions);
        let companions: Vec<String> = companions.map(|companion| (*companion).into()).collect();
        let [in_file, in_environment, given] = values(&name, kind);
        let listed = |value: &String| match kind {
            Kind::List(_) => value.split(',').map(Into::into).collect(),
            _ => vec![value.clone()],
        };
        let line = |settings: &Settings| {
            let start = format!("{name} = ");
            document(settings).lines().find(|line| line.starts_with(&start)).map(Into::into).unwrap_or_else(String::new)
        };

        let mut told = Told::by_file(&file, "");
        assert_eq!(told.outcome(&name).1, Source::Default, "{name}");

        told = Told::by_file(&file, &format!("\n{}", key(&name, kind, &in_file)));
        told.arguments = companions;
        assert_eq!(told.outcome(&name), (Some(listed(&in_file)), Source::File(2)));
        assert_eq!(line(&told.settings()), shown(&name, kind, &in_file, &format!("{}:2", file.display())));

        told.variables.push((variable(&name), in_environment.clone()));
        assert_eq!(told.outcome(&name), (Some(listed(&in_environment)), Source::Variable(variable(&name))));
        assert_eq!(line(&told.settings()), shown(&name, kind, &in_environment, &variable(&name)));

        told.arguments.push(if kind == Kind::Flag { format!("--{name}") } else { format!("--{name}={given}") });
        assert_eq!(told.outcome(&name), (Some(listed(&given)), Source::Flag));
        assert_eq!(line(&told.settings()), shown(&name, kind, &given, "flag"));
    }
}

#[test]
fn shown_configuration_read_as_a_file_gives_the_same_settings() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("media-cache.toml");
    let all = |settings: &Settings| -> BTreeMap<String, Option<Vec<OsString>>> {
        let others = settings.iter().filter(|setting| setting.name != FILE && setting.name != JSON);
        others.map(|setting| (setting.name.clone(), setting.values.clone())).collect()
    };
    let mut texts = vec![String::new()];
    for (name, kind) in service_options() {
        texts.extend(values(&name, kind).map(|value| key(&name, kind, &value)));
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
                .filter(|setting| setting.name != FILE && setting.name != JSON)
                .all(|setting| setting.values.is_none() || matches!(setting.source, Source::File(_)))
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
        told = Told::by_file(&file, &key(&name, kind, &values(&name, kind)[0]));
        told.variables.push((variable(&name), String::new()));
        assert_eq!(told.outcome(&name), (Some(Vec::new()), Source::Variable(variable(&name))));
    }
}

#[test]
fn option_definitions_are_consistent() {
    program().debug_assert();
    for (name, option, kind) in options(service(&program())) {
        if matches!(kind, Kind::List(_)) {
            // Headers contain commas.
            let delimiter = if ["origin-header", "shadow"].contains(&name) { '\n' } else { ',' };
            let message = format!("--{name} is a list, so a variable must be able to hold several values");
            assert_eq!(option.get_value_delimiter(), Some(delimiter), "{message}");
        }
    }
}
