//! Shows the effective options as a file with the same meaning.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::config::option::{FILE, JSON, Kind, Scalar};
use crate::config::redact;
use crate::config::settings::{Setting, Settings};
use crate::visible::Visible;

/// All options as TOML, each with its source. The output is a valid file with the same settings, except for values that contain a secret or
/// are not text: their lines are commented out, with the reason.
pub fn document(settings: &Settings) -> String {
    let mut document = String::new();
    let mut heading = None;
    for setting in shown(settings) {
        if setting.heading != heading {
            let _ = writeln!(document, "\n# {}", setting.heading.as_deref().unwrap_or("Options"));
            heading.clone_from(&setting.heading);
        }
        let _ = writeln!(document, "{}", line(setting, settings));
    }
    document.trim_start().into()
}

/// All options as a JSON object: for each, its value (null if it has none), its source, and whether a part of it is hidden.
pub fn json(settings: &Settings) -> Value {
    let described = |setting: &Setting| {
        let values = setting.values.iter().flatten();
        let lossy: Vec<_> = values.map(|value| value.to_string_lossy().into_owned()).collect();
        let hidden: Vec<_> = lossy.iter().map(|value| redact::value(&setting.name, value).into_owned()).collect();
        let value = match (setting.kind, &setting.values) {
            (_, None) => Value::Null,
            (Kind::Flag, Some(_)) => json_of(Scalar::Boolean, hidden.first().map_or("false", String::as_str)),
            (Kind::One(scalar), Some(_)) => json_of(scalar, hidden.first().map_or("", String::as_str)),
            (Kind::List(scalar), Some(_)) => hidden.iter().map(|value| json_of(scalar, value)).collect(),
        };
        let source = setting.source.describe(settings.file());
        (setting.name.clone(), json!({ "value": value, "source": source, "hidden": hidden != lossy }))
    };
    Value::Object(shown(settings).map(described).collect())
}

fn json_of(scalar: Scalar, value: &str) -> Value {
    match scalar {
        Scalar::Boolean => (value == "true").into(),
        Scalar::Number => value.parse::<u64>().map_or_else(|_| value.into(), Into::into),
        Scalar::Text => value.into(),
    }
}

/// The options of the service, except the one that names the file and the one that selects the output format.
fn shown(settings: &Settings) -> impl Iterator<Item = &Setting> {
    settings.iter().filter(|setting| setting.name != FILE && setting.name != JSON)
}

fn line(setting: &Setting, settings: &Settings) -> String {
    let name = &setting.name;
    let Some(values) = &setting.values else {
        return format!("# {name} is not set");
    };
    let source = setting.source.describe(settings.file());
    let lossy: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
    let shown = toml_of(setting.kind, &lossy.iter().map(|value| redact::value(name, value)).collect::<Vec<_>>());
    if values.iter().any(|value| value.to_str().is_none()) {
        return format!("# {name} = {shown}  # {source}; not UTF-8");
    }
    if shown != toml_of(setting.kind, &lossy) {
        return format!("# {name} = {shown}  # {source}; not shown in full");
    }
    format!("{name} = {shown}  # {source}")
}

/// A TOML string, with hidden characters as escapes.
fn toml_string(value: &str) -> String {
    if Visible(value).to_string() == value {
        return toml::Value::from(value).to_string();
    }
    let escaped = value.chars().map(|character| match character {
        '"' | '\\' => format!("\\{character}"),
        _ if Visible(character).to_string() == character.to_string() => character.to_string(),
        _ => format!("\\U{:08x}", u32::from(character)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

fn toml_of(kind: Kind, values: &[impl AsRef<str>]) -> String {
    let one = |scalar, value: &str| match scalar {
        Scalar::Boolean => value.into(),
        // A number that is valid as an argument but not in TOML, such as `007`, is written in TOML's form.
        Scalar::Number => value.parse().map_or_else(|_| value.into(), |number: i128| number.to_string()),
        Scalar::Text => toml_string(value),
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
