//! What is in force, as a file that says the same.

use std::fmt::Write;

use crate::config::option::{FILE, Kind, Scalar};
use crate::config::redact;
use crate::config::settings::{Setting, Settings};

/// All options as TOML, each with where it came from. It can be used as a file itself, which then says all that was in force, but for
/// lines that hide a secret or are no text: these are comments, and say so.
pub fn document(settings: &Settings) -> String {
    let mut document = String::new();
    let mut heading = None;
    for setting in settings.iter().filter(|setting| setting.name != FILE) {
        if setting.heading != heading {
            let _ = writeln!(document, "\n# {}", setting.heading.as_deref().unwrap_or("Options"));
            heading.clone_from(&setting.heading);
        }
        let _ = writeln!(document, "{}", line(setting, settings));
    }
    document.trim_start().into()
}

fn line(setting: &Setting, settings: &Settings) -> String {
    let name = &setting.name;
    let Some(values) = &setting.values else {
        return format!("# {name} is not set");
    };
    let source = setting.source.describe(settings.file());
    let lossy: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
    let shown = toml_of(setting.kind, &lossy.iter().map(|value| redact::hide(value)).collect::<Vec<_>>());
    if values.iter().any(|value| value.to_str().is_none()) {
        return format!("# {name} = {shown}  # {source}; not UTF-8");
    }
    if shown != toml_of(setting.kind, &lossy) {
        return format!("# {name} = {shown}  # {source}; not shown in full");
    }
    format!("{name} = {shown}  # {source}")
}

fn toml_of(kind: Kind, values: &[impl AsRef<str>]) -> String {
    let one = |scalar, value: &str| match scalar {
        Scalar::Boolean => value.into(),
        // What a parser takes and TOML does not, such as `007`, is written as TOML has it.
        Scalar::Number => value.parse().map_or_else(|_| value.into(), |number: i128| number.to_string()),
        Scalar::Text => toml::Value::from(value).to_string(),
    };
    match kind {
        Kind::Flag => one(Scalar::Boolean, values.first().map_or("false", AsRef::as_ref)),
        Kind::One(scalar) => one(scalar, values.first().map_or("", AsRef::as_ref)),
        Kind::List(scalar) => {
            let all: Vec<_> = values.iter().map(|value| one(scalar, value.as_ref())).collect();
            format!("[{}]", all.join(", "))
        }
    }
}
