//! Reads options from the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::Command;

use crate::config::option::{Kind, PREFIX, configured, nearest_option, options, refusal, variable};
use crate::config::problems::Problems;
use crate::config::redact;

/// The values of a command's options that are set in the environment, by the name of the option.
///
/// A variable that is unknown to every command is a problem. A variable that only other commands use is ignored.
pub fn read(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    program: &Command,
    command: &Command,
    problems: &mut Problems,
) -> BTreeMap<String, Vec<OsString>> {
    let ours = variables.into_iter().filter_map(|(name, value)| {
        let name = name.to_string_lossy().into_owned();
        name.starts_with(PREFIX).then_some((name, value))
    });
    let ours: BTreeMap<String, OsString> = ours.collect();
    let commands = configured(program);
    let known = |variable_name: &str| {
        commands.iter().flat_map(|command| options(command)).any(|(name, ..)| variable(name) == variable_name)
    };
    for (name, value) in &ours {
        if !known(name) && !is_service_link(name, &value.to_string_lossy()) {
            let option = name[PREFIX.len()..].replace('_', "-").to_ascii_lowercase();
            let meant = commands.iter().find_map(|command| nearest_option(command, &option)).map(|name| variable(&name));
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
            problems.add(format!("{name} is not a known variable{meant}"));
        }
    }
    let mut values = BTreeMap::new();
    for (name, _, kind) in options(command) {
        let variable = variable(name);
        let Some(value) = ours.get(&variable) else { continue };
        // An empty value means an empty list.
        let said = if matches!(kind, Kind::List(_)) && value.is_empty() { Vec::new() } else { vec![value.clone()] };
        if let Some(why) = refusal(command, name, kind, &said) {
            problems.add(redact::refused(&format!("{variable}={}", redact::invalid_value(name, &value.to_string_lossy())), &why));
            continue;
        }
        values.insert(name.into(), said);
    }
    values
}

/// Whether an orchestrator set this for a service that happens to be called `media-cache`: Kubernetes announces services to every container
/// in the style of Docker's links, such as `MEDIA_CACHE_SERVICE_HOST` and `MEDIA_CACHE_PORT_80_TCP_ADDR`.
fn is_service_link(name: &str, value: &str) -> bool {
    let rest = &name[PREFIX.len()..];
    rest == "SERVICE_HOST"
        || rest == "SERVICE_PORT"
        || rest.starts_with("SERVICE_PORT_")
        || (rest == "PORT" && value.contains("://"))
        || rest.strip_prefix("PORT_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
