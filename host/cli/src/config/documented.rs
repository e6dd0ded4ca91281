//! The lists of options in the documents, which are written from the definitions.

use std::path::Path;

use clap::{Arg, CommandFactory};

use crate::command_line::Cli;
use crate::config::option::{FILE, Kind, Scalar, options, variable};
use crate::config::reloadable::RELOADABLE;
use crate::config::resolve::service;

/// The units of numbers, by the names of their values in help texts.
const UNITS: [(&str, &str); 11] = [
    ("BYTES", "bytes"),
    ("BYTES/S", "bytes per second"),
    ("FRACTION", "fraction"),
    ("KB", "KiB"),
    ("MB", "MiB"),
    ("MILLIONS", "millions of pixels"),
    ("MS", "milliseconds"),
    ("N", "number"),
    ("PERCENT", "percent"),
    ("PIXELS", "pixels"),
    ("SECONDS", "seconds"),
];

/// Compares the part of a document between a comment and the next empty line with its expected content. With `UPDATE_DOCS=1`, it is
/// written instead.
fn check_part(document: &str, comment: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(document);
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(comment).unwrap();
    let rest = rest.trim_start();
    let (part, after) = rest.find("\n\n").map_or((rest.trim_end(), "\n"), |end| rest.split_at(end));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{comment}\n\n{expected}{after}")).unwrap();
        return;
    }
    assert_eq!(part, expected, "docs/{document} is outdated; UPDATE_DOCS=1 cargo test --bin media-cache writes it");
}

#[test]
fn documentation_lists_all_options() {
    check_part("configuration.md", "<!-- all options of serve -->", &table());
}

#[test]
fn documentation_lists_the_reloadable_options() {
    let program = Cli::command();
    let names: Vec<_> = options(service(&program)).map(|(name, ..)| name).filter(|name| RELOADABLE.contains(name)).collect();
    assert_eq!(names.len(), RELOADABLE.len(), "{names:?}");
    check_part("operations.md", "<!-- reloadable options -->", &RELOADABLE.map(|name| format!("`{name}`")).join(", "));
}

/// The options of the service as a table, with a row for each heading of the help.
fn table() -> String {
    let mut rows =
        vec!["| option | value or unit | default | reload | description |".to_owned(), "| --- | --- | --- | --- | --- |".into()];
    let mut heading = None;
    let program = Cli::command();
    for (name, option, kind) in options(service(&program)).filter(|(name, ..)| *name != FILE) {
        if heading != option.get_help_heading() {
            heading = option.get_help_heading();
            rows.extend(heading.map(|heading| format!("| **{heading}** | | | | |")));
        }
        let (help, default) = described(option, kind);
        let reload = if RELOADABLE.contains(&name) { "yes" } else { "no" };
        rows.push(format!("| `{name}`<br>`{}` | {} | {default} | {reload} | {help} |", variable(name), value(option, kind)));
    }
    rows.join("\n")
}

/// The values of an option, or the unit of its numbers.
fn value(option: &Arg, kind: Kind) -> String {
    let possible: Vec<_> = option.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    let name = option.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
    let unit = UNITS.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit);
    match kind {
        Kind::Flag => "`true`, `false`".into(),
        _ if !possible.is_empty() => possible.join(", "),
        Kind::One(Scalar::Number) => unit.unwrap_or_else(|| panic!("{name} has no unit")).into(),
        Kind::One(_) => unit.unwrap_or(name).into(),
        Kind::List(_) => format!("list of {name}"),
    }
}

/// The help and the default of an option. A default that is not a value is at the end of the help.
fn described(option: &Arg, kind: Kind) -> (String, String) {
    let help = option.get_help().map(ToString::to_string).unwrap_or_default().replace('|', "\\|");
    let values: Vec<_> = option.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    match help.strip_suffix(']').and_then(|help| help.rsplit_once(" [default: ")) {
        Some((help, default)) => (help.into(), default.into()),
        None if kind == Kind::Flag => (help, "`false`".into()),
        None if values.is_empty() => (help, "none".into()),
        None => (help, values.join(", ")),
    }
}
