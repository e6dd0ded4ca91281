//! The options that apply to all processes that use a directory. Python's options for the same have the same names.

use std::path::Path;

use media_cache::policy::PolicyOrigin;
use media_cache::{KeyRules, PolicySpec};
use media_cache_attach::{DirectoryOptions, SharedCache};

use crate::config::{Setting, Settings};

/// The names of these options.
const NAMES: [&str; 16] = [
    "component",
    "durability",
    "gif",
    "gif-max-frames",
    "gif-max-mb",
    "gif-max-megapixels",
    "gif-max-pixels",
    "gif-max-seconds",
    "gif-max-side",
    "gif-max-video-mb",
    "key-rules",
    "max-memory-items",
    "max-memory-mb",
    "max-size-mb",
    "policy",
    "transcoder",
];

/// The value of an option that has none, such as an empty list.
const NONE: &str = "none";

/// All of them, for the process that owns the directory.
pub fn effective(settings: &Settings) -> DirectoryOptions {
    shared(settings).fold(DirectoryOptions::default(), |options, setting| match setting.is_default() {
        true => options.with_default(&setting.name, value(setting)),
        false => options.with(&setting.name, value(setting)),
    })
}

/// Those that are set explicitly. They must not differ from those of the owner.
pub fn explicit(settings: &Settings) -> DirectoryOptions {
    let explicit = shared(settings).filter(|setting| !setting.is_default());
    explicit.fold(DirectoryOptions::default(), |options, setting| options.with(&setting.name, value(setting)))
}

fn shared(settings: &Settings) -> impl Iterator<Item = &Setting> {
    settings.iter().filter(|setting| NAMES.contains(&&*setting.name))
}

fn value(setting: &Setting) -> String {
    let values = setting.values.iter().flatten().map(|value| value.to_string_lossy());
    let text = values.collect::<Vec<_>>().join(",");
    if text.is_empty() { NONE.into() } else { anywhere(&setting.name, text) }
}

/// The key of a URL in a cache: according to the rules of the process that owns it.
pub fn key_in(cache: &SharedCache, url: &str) -> String {
    if let Some(cache) = cache.owned() {
        return cache.key(url).into_owned();
    }
    let rules = cache.options().get("key-rules").and_then(|rules| rules.parse::<KeyRules>().ok());
    rules.unwrap_or_default().key(url).into_owned()
}

/// A value that means the same in a process with another working directory.
fn anywhere(name: &str, value: String) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (name, value.parse::<PolicySpec>()) {
        ("policy", Ok(PolicySpec { origin: PolicyOrigin::File(path), options })) => {
            PolicySpec { origin: PolicyOrigin::File(absolute(&path)), options }.to_string()
        }
        ("component", _) => absolute(value.as_ref()).to_string_lossy().into_owned(),
        _ => value,
    }
}
