//! Reads options from a file.

use std::ffi::OsString;
use std::ops::Range;
use std::path::Path;

use clap::Command;
use media_cache::{Pipes, read_small_file};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::option::{FILE, Kind, Scalar, nearest_option, options, refusal};
use crate::config::problems::Problems;
use crate::config::redact;

/// The maximum size of a file, in bytes. No real configuration is that large.
const MAX_BYTES: u64 = 1 << 20;

/// A key of a file.
pub struct Setting {
    /// The long name of the option.
    pub name: String,
    /// Its values, in the form of the command line.
    pub values: Vec<OsString>,
    /// Its line, counted from 1.
    pub line: usize,
}

/// Reads a file whose keys are the long names of the options of `command`. `None` if it cannot be read at all.
pub fn read(path: &Path, command: &Command, problems: &mut Problems) -> Option<Vec<Setting>> {
    match text_of(path) {
        Ok(text) => Reading { path, text: &text, command }.settings(problems),
        Err(why) => {
            problems.add(format!("cannot read the configuration {}: {why}", path.display()));
            None
        }
    }
}

fn text_of(path: &Path) -> std::io::Result<String> {
    let bytes = read_small_file(path, MAX_BYTES, Pipes::Accepted)?;
    String::from_utf8(bytes).map_err(|error| {
        std::io::Error::other(format!("it is not valid UTF-8, starting at byte {}", error.utf8_error().valid_up_to()))
    })
}

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    command: &'a Command,
}

impl Reading<'_> {
    fn settings(&self, problems: &mut Problems) -> Option<Vec<Setting>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            // Its own message would quote the whole line, including any secret.
            let span = error.span().unwrap_or_default();
            let word = self.text.get(span.clone()).filter(|word| is_key(word)).map(|word| format!(": {word}"));
            problems.add(format!("{}: {}{}", self.at(&span), error.message(), word.unwrap_or_default()));
        }
        if !errors.is_empty() {
            return None;
        }
        let mut entries: Vec<_> = table.get_ref().iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let read = |(key, value)| self.setting(key, value).map_err(|problem| problems.add(problem)).ok();
        Some(entries.into_iter().filter_map(read).collect())
    }

    fn setting(&self, key: &Spanned<std::borrow::Cow<'_, str>>, value: &Spanned<DeValue<'_>>) -> Result<Setting, String> {
        let (name, at) = (&**key.get_ref(), self.at(&key.span()));
        let option = options(self.command).find(|(known, ..)| *known == name && name != FILE);
        let Some((name, _, kind)) = option else {
            if value.get_ref().is_table() {
                return Err(format!("{at}: {name} is a table, but all keys must be at the top level"));
            }
            let meant = nearest_option(self.command, name).filter(|meant| meant != FILE);
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
            return Err(format!("{at}: {name} is not a known key{meant}"));
        };
        let written = self.text.get(value.span()).unwrap_or_default();
        let setting = format!("{at}: {name} = {}", redact::invalid_value(name, &one_line(written)));
        let texts = texts(kind, value.get_ref());
        let texts = texts.ok_or_else(|| redact::refused(&setting, &format!("it must be {}", kind.expected())))?;
        let values: Vec<OsString> = texts.into_iter().map(Into::into).collect();
        match refusal(self.command, name, kind, &values) {
            Some(why) => Err(redact::refused(&setting, &why)),
            None => Ok(Setting { name: name.into(), values, line: self.position(&key.span()).0 }),
        }
    }

    fn at(&self, span: &Range<usize>) -> String {
        let (line, column) = self.position(span);
        format!("{}:{line}:{column}", self.path.display())
    }

    /// The line and column where a span begins, both from 1.
    fn position(&self, span: &Range<usize>) -> (usize, usize) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }
}

/// The values in the form of the command line. `None` if they do not have the form of the option.
fn texts(kind: Kind, value: &DeValue<'_>) -> Option<Vec<String>> {
    match (kind, value) {
        (Kind::Flag, value) => Some(vec![text(Scalar::Boolean, value)?]),
        (Kind::One(scalar), value) => Some(vec![text(scalar, value)?]),
        (Kind::List(scalar), DeValue::Array(values)) => values.iter().map(|value| text(scalar, value.get_ref())).collect(),
        (Kind::List(_), _) => None,
    }
}

fn text(scalar: Scalar, value: &DeValue<'_>) -> Option<String> {
    match (scalar, value) {
        (Scalar::Boolean, DeValue::Boolean(value)) => Some(value.to_string()),
        (Scalar::Number, DeValue::Integer(number)) if number.radix() == 10 => Some(number.as_str().into()),
        (Scalar::Number, DeValue::Integer(number)) => Some(i128::from_str_radix(number.as_str(), number.radix()).ok()?.to_string()),
        (Scalar::Number, DeValue::Float(number)) => Some(number.as_str().into()),
        (Scalar::Text, DeValue::String(text)) => Some(text.clone().into_owned()),
        _ => None,
    }
}

/// Whether a piece of a file could be the name of an option, and is short enough for one.
fn is_key(word: &str) -> bool {
    (1..=40).contains(&word.len()) && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

/// A value, shortened to fit into a sentence.
fn one_line(written: &str) -> String {
    const MAX: usize = 100;
    let line = written.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
