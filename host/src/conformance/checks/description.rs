//! What a policy says of itself, and which options it takes.

use super::quoted;
use crate::conformance::sequences::{Clock, Happenings, Sequence, Shape, Tier};
use crate::conformance::{Context, Known, Subject, Verdict, player::Player};
use crate::policy::{CreateError, Description, PolicyFault};

const DESCRIBES: &str = "says what it is";
const DEFAULTS: &str = "takes the defaults that it states";
const UNKNOWN: &str = "refuses an option that it does not have, by name";
const NONSENSE: &str = "takes any value of an option, or refuses it by name";

/// Values that hardly any option can have.
const VALUES: [&str; 12] =
    ["", " ", "0", "-1", "1e999", "NaN", "inf", "18446744073709551616", "-0.0000001", "\u{0}", "\u{1f4a5}\n=,:", "%s"];

pub fn check(context: &Context) -> Vec<Verdict> {
    let described = (context.start)().and_then(|first| Ok((first.description().clone(), (context.start)()?.description().clone())));
    let (description, again) = match described {
        Ok(described) => described,
        Err(fault) => {
            context.known.set(Known { never_starts: true, ..Known::default() });
            return vec![Verdict::failed(DESCRIBES, format!("it does not start: {fault}"))];
        }
    };
    let verdict = match is_sound(&description, &again) {
        Ok(()) => {
            let Description { name, version, doc, options } = &description;
            let names: Vec<&str> = options.iter().map(|option| option.name.as_str()).collect();
            let options = if names.is_empty() { "none".into() } else { names.join(", ") };
            Verdict::passed(DESCRIBES, format!("{name} {version}, {}, options: {options}", quoted(doc)))
        }
        Err(why) => Verdict::failed(DESCRIBES, why),
    };
    vec![
        verdict,
        verdict_of(DEFAULTS, takes_defaults(context, &description)),
        verdict_of(UNKNOWN, refuses_unknown(context, &description)),
        verdict_of(NONSENSE, survives_nonsense(context, &description)),
    ]
}

fn verdict_of(check: &'static str, result: Result<String, String>) -> Verdict {
    match result {
        Ok(detail) => Verdict::passed(check, detail),
        Err(why) => Verdict::failed(check, why),
    }
}

fn is_sound(description: &Description, again: &Description) -> Result<(), String> {
    let Description { name, version, doc, options } = description;
    if description != again {
        let (first, second) = (quoted(&format!("{description:?}")), quoted(&format!("{again:?}")));
        return Err(format!("a second instance says something else: {second} rather than {first}"));
    }
    check_name("its name", name)?;
    let numbers: Vec<&str> = version.split(['-', '+']).next().unwrap_or_default().split('.').collect();
    if numbers.len() != 3 || numbers.iter().any(|number| number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(format!("its version is {}; it has to be three numbers, such as 1.2.3", quoted(version)));
    }
    check_line("its doc", doc)?;
    for (at, option) in options.iter().enumerate() {
        check_name("the name of an option", &option.name)?;
        check_line(&format!("the doc of the option {}", option.name), &option.doc)?;
        if options[..at].iter().any(|earlier| earlier.name == option.name) {
            return Err(format!("it has the option {} twice", option.name));
        }
    }
    Ok(())
}

fn check_name(what: &str, name: &str) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.is_empty() && name.len() <= 40 && name.bytes().all(fits) {
        return Ok(());
    }
    Err(format!("{what} is {}; it has to be of the characters a-z, 0-9 and -, and 40 of them at most", quoted(name)))
}

fn check_line(what: &str, line: &str) -> Result<(), String> {
    if !line.trim().is_empty() && !line.contains(['\n', '\r']) && line.len() <= 300 {
        return Ok(());
    }
    Err(format!("{what} is {}; it has to be one line, of 300 bytes at most", quoted(line)))
}

fn takes_defaults(context: &Context, description: &Description) -> Result<String, String> {
    let defaults = description.options.iter().map(|option| (option.name.clone(), option.default.clone()));
    let defaults: Vec<(String, String)> = defaults.collect();
    let given = [Vec::new(), defaults.clone(), context.options.clone()];
    for options in given.iter().chain(defaults.iter().map(|option| vec![option.clone()]).collect::<Vec<_>>().iter()) {
        for capacity in [1, 64, 500 << 20, 1 << 50] {
            let mut subject = (context.start)().map_err(|fault| fault.to_string())?;
            let made = subject.create(capacity, options);
            made.map_err(|error| format!("with {options:?} and a capacity of {capacity}: {}", explained(error)))?;
        }
    }
    Ok(format!("{} of them; capacities from 1 to 2^50", defaults.len()))
}

fn explained(error: CreateError) -> String {
    match error {
        CreateError::Options(said) => quoted(&said),
        CreateError::Fault(fault) => fault.to_string(),
    }
}

fn refuses_unknown(context: &Context, description: &Description) -> Result<String, String> {
    let mut said = String::new();
    for name in ["no-such-option", ""] {
        let mut subject = (context.start)().map_err(|fault| fault.to_string())?;
        said = match subject.create(64, &[(name.into(), "1".into())]) {
            Err(CreateError::Options(said)) => said,
            Err(CreateError::Fault(fault)) => return Err(format!("with an option called {name:?}: {fault}")),
            Ok(_) => return Err(format!("it takes an option called {name:?}")),
        };
        let known = description.options.iter().find(|option| !said.contains(&option.name));
        if !said.contains(name) {
            return Err(format!("its error does not name the option {name:?}: {}", quoted(&said)));
        }
        if let Some(missing) = known {
            return Err(format!("its error should name the options that there are, but not {}: {}", missing.name, quoted(&said)));
        }
    }
    Ok(quoted(&said))
}

fn survives_nonsense(context: &Context, description: &Description) -> Result<String, String> {
    let long = "9".repeat(10_000);
    let (mut taken, mut refused) = (0, 0);
    for option in &description.options {
        for value in VALUES.into_iter().chain([long.as_str()]) {
            let with = || {
                let short: String = value.chars().take(30).collect();
                format!("{}={short:?}", option.name)
            };
            let fault = |fault: PolicyFault| format!("with {}: {fault}", with());
            let mut subject = (context.start)().map_err(fault)?;
            match try_option(&mut *subject, &option.name, value) {
                Ok(()) => taken += 1,
                Err(CreateError::Options(said)) if said.contains(&option.name) => refused += 1,
                Err(CreateError::Options(said)) => {
                    return Err(format!("with {}, its error does not name the option: {}", with(), quoted(&said)));
                }
                Err(CreateError::Fault(why)) => return Err(fault(why)),
            }
        }
    }
    match taken + refused {
        0 => Ok("it has none".into()),
        tried => Ok(format!("{tried} odd values, of which {refused} were refused")),
    }
}

/// A policy that takes a value has to live with it.
fn try_option(subject: &mut dyn Subject, name: &str, value: &str) -> Result<(), CreateError> {
    let sequence = Sequence {
        seed: 1,
        tier: Tier::Blocks(100),
        shape: Shape::Zipf(300, 0.9),
        turns: 100,
        batch: 16,
        clock: Clock::Runs,
        happenings: Happenings::default(),
    };
    let mut player = Player::new(sequence, subject, &[(name.into(), value.into())])?;
    Ok(player.play(subject)?)
}
