//! Checks that a policy describes itself correctly, and which options it accepts.

use media_cache::policy::{CreateError, Description, PolicyFault};

use crate::access_pattern::AccessPattern;
use crate::context::{Context, Findings};
use crate::player::Player;
use crate::sequence::{Clock, ExtraOperations, Sequence};
use crate::subject::Subject;
use crate::text::quoted;
use crate::tier::Tier;
use crate::verdict::{CheckResult, Verdict};

const DESCRIPTION: &str = "describes itself";
const DEFAULTS: &str = "accepts its own defaults";
const UNKNOWN_OPTION: &str = "rejects an unknown option by name";
const ODD_VALUES: &str = "accepts any value of an option, or rejects it by name";

/// Values that are invalid for almost every option.
const VALUES: [&str; 12] =
    ["", " ", "0", "-1", "1e999", "NaN", "inf", "18446744073709551616", "-0.0000001", "\u{0}", "\u{1f4a5}\n=,:", "%s"];

pub(crate) fn check(context: &Context) -> Vec<Verdict> {
    let described = context.start().and_then(|first| Ok((first.description().clone(), context.start()?.description().clone())));
    let (description, again) = match described {
        Ok(described) => described,
        Err(fault) => {
            context.set_findings(Findings { never_starts: true, ..Findings::default() });
            return vec![Verdict::failed(DESCRIPTION, format!("it failed to start: {fault}"))];
        }
    };
    vec![
        Verdict::from_result(DESCRIPTION, is_valid(&description, &again).map(|()| summary(&description))),
        Verdict::from_result(DEFAULTS, accepts_defaults(context, &description)),
        Verdict::from_result(UNKNOWN_OPTION, refuses_unknown_option(context, &description)),
        Verdict::from_result(ODD_VALUES, survives_odd_values(context, &description)),
    ]
}

fn summary(description: &Description) -> String {
    let Description { name, version, doc, options } = description;
    let names: Vec<&str> = options.iter().map(|option| option.name.as_str()).collect();
    let options = if names.is_empty() { "none".into() } else { names.join(", ") };
    format!("{name} {version}, {}, options: {options}", quoted(doc))
}

fn is_valid(description: &Description, again: &Description) -> Result<(), String> {
    let Description { name, version, doc, options } = description;
    if description != again {
        let (first, second) = (quoted(&format!("{description:?}")), quoted(&format!("{again:?}")));
        return Err(format!("a second instance describes itself differently: {second} instead of {first}"));
    }
    check_name("its name", name)?;
    let numbers: Vec<&str> = version.split(['-', '+']).next().unwrap_or_default().split('.').collect();
    if numbers.len() != 3 || numbers.iter().any(|number| number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(format!("its version is {}; it must be three numbers, such as 1.2.3", quoted(version)));
    }
    check_line("its doc", doc)?;
    for (at, option) in options.iter().enumerate() {
        check_name("the name of an option", &option.name)?;
        check_line(&format!("the doc of the option {}", option.name), &option.doc)?;
        if options[..at].iter().any(|earlier| earlier.name == option.name) {
            return Err(format!("it declares the option {} twice", option.name));
        }
    }
    Ok(())
}

fn check_name(what: &str, name: &str) -> Result<(), String> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.is_empty() && name.len() <= 40 && name.bytes().all(is_allowed) {
        return Ok(());
    }
    Err(format!("{what} is {}; it must be at most 40 characters, all of them a-z, 0-9 or -", quoted(name)))
}

fn check_line(what: &str, line: &str) -> Result<(), String> {
    if !line.trim().is_empty() && !line.contains(['\n', '\r']) && line.len() <= 300 {
        return Ok(());
    }
    Err(format!("{what} is {}; it must be a single line of at most 300 bytes", quoted(line)))
}

fn accepts_defaults(context: &Context, description: &Description) -> CheckResult {
    let defaults = description.options.iter().map(|option| (option.name.clone(), option.default.clone()));
    let defaults: Vec<(String, String)> = defaults.collect();
    let mut accepted = vec![Vec::new(), defaults.clone(), context.options.clone()];
    accepted.extend(defaults.iter().map(|option| vec![option.clone()]));
    for options in &accepted {
        for capacity in [1, 64, 500 << 20, 1 << 50] {
            let mut subject = context.start().map_err(|fault| fault.to_string())?;
            let created = subject.create(capacity, options);
            created.map_err(|error| format!("with {options:?} and a capacity of {capacity}: {}", explain(error)))?;
        }
    }
    Ok(format!("{} of them; capacities from 1 to 2^50", defaults.len()))
}

fn explain(error: CreateError) -> String {
    match error {
        CreateError::Options(message) => quoted(&message),
        CreateError::Fault(fault) => fault.to_string(),
    }
}

fn refuses_unknown_option(context: &Context, description: &Description) -> CheckResult {
    let mut message = String::new();
    for name in ["no-such-option", ""] {
        let mut subject = context.start().map_err(|fault| fault.to_string())?;
        message = match subject.create(64, &[(name.into(), "1".into())]) {
            Err(CreateError::Options(message)) => message,
            Err(CreateError::Fault(fault)) => return Err(format!("with an option called {name:?}: {fault}")),
            Ok(_) => return Err(format!("it accepts an option called {name:?}")),
        };
        if !message.contains(name) {
            return Err(format!("its error does not name the option {name:?}: {}", quoted(&message)));
        }
        if let Some(missing) = description.options.iter().find(|option| !message.contains(&option.name)) {
            let (missing, message) = (&missing.name, quoted(&message));
            return Err(format!("its error should name all existing options, but does not name {missing}: {message}"));
        }
    }
    Ok(quoted(&message))
}

fn survives_odd_values(context: &Context, description: &Description) -> CheckResult {
    let long = "9".repeat(10_000);
    let (mut accepted, mut refused) = (0, 0);
    for option in &description.options {
        for value in VALUES.into_iter().chain([long.as_str()]) {
            let option_text = || {
                let short: String = value.chars().take(30).collect();
                format!("{}={short:?}", option.name)
            };
            let explain = |fault: PolicyFault| format!("with {}: {fault}", option_text());
            let mut subject = context.start().map_err(explain)?;
            match play_with_option(&mut *subject, &option.name, value) {
                Ok(()) => accepted += 1,
                Err(CreateError::Options(message)) if message.contains(&option.name) => refused += 1,
                Err(CreateError::Options(message)) => {
                    return Err(format!("with {}, its error does not name the option: {}", option_text(), quoted(&message)));
                }
                Err(CreateError::Fault(fault)) => return Err(explain(fault)),
            }
        }
    }
    match accepted + refused {
        0 => Ok("it has no options".into()),
        tried => Ok(format!("{tried} odd values, {refused} of which were refused")),
    }
}

/// Plays a short sequence if the policy accepts the value, since the policy must then work with that value.
fn play_with_option(subject: &mut dyn Subject, name: &str, value: &str) -> Result<(), CreateError> {
    let sequence = Sequence {
        seed: 1,
        tier: Tier::Blocks(100),
        pattern: AccessPattern::Zipf(300, 0.9),
        requests: 100,
        batch: 16,
        clock: Clock::Advances,
        extra: ExtraOperations::default(),
    };
    let ranking = subject.create(sequence.tier.capacity(), &[(name.into(), value.into())])?;
    Ok(Player::new(sequence, ranking).play(subject)?)
}
