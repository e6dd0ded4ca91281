//! What the environment says.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::Command;

use crate::config::option::{Kind, PREFIX, configured, nearest_option, options, refusal, variable};
use crate::config::problems::Problems;
use crate::config::redact;

/// The values of the options of a command that the environment has, by the name of the option.
///
/// A variable that no command knows is a problem, and one that only others know is none.
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
            let meant = meant.map_or_else(String::new, |meant| format!("; there is {meant}"));
            problems.add(format!("{name} is not a variable that is known{meant}"));
        }
    }
    let mut values = BTreeMap::new();
    for (name, _, kind) in options(command) {
        let variable = variable(name);
        let Some(value) = ours.get(&variable) else { continue };
        // No value at all is how a list is said that has nothing in it.
        let said = if matches!(kind, Kind::List(_)) && value.is_empty() { Vec::new() } else { vec![value.clone()] };
        if let Some(why) = refusal(command, name, kind, &said) {
            problems.add(redact::refused(&format!("{variable}={}", redact::invalid_value(name, &value.to_string_lossy())), &why));
        }
        values.insert(name.into(), said);
    }
    values
}

/// Whether an orchestrator set this for a service that happens to be called `media-cache`: Kubernetes tells every container of the
/// services around it in the way of Docker's links, `MEDIA_CACHE_SERVICE_HOST` and `MEDIA_CACHE_PORT_80_TCP_ADDR` and their like.
fn is_service_link(name: &str, value: &str) -> bool {
    let rest = &name[PREFIX.len()..];
    rest == "SERVICE_HOST"
        || rest == "SERVICE_PORT"
        || rest.starts_with("SERVICE_PORT_")
        || (rest == "PORT" && value.contains("://"))
        || rest.strip_prefix("PORT_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
