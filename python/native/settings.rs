//! The options of a cache, as Python sets them.
//!
//! Some of them apply to the directory, and so to all processes that use it. These have the names of the command line's options.

use std::error::Error;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use media_cache::gif::ConvertGifs;
use media_cache::http::{AccessRules, HttpDownloader, HttpOptions, OriginHeader};
use media_cache::{Builder, Durability, Engine, FreeSpaceFloor, KeyRules, MediaCache, PolicySpec, defaults, spool_in};
use media_cache_attach::DirectoryOptions;
use pyo3::prelude::*;

/// Bytes in a MiB.
const MIB: u64 = 1 << 20;

type AnyError = Box<dyn Error + Send + Sync>;

/// The options of this process. They apply when it is the one that runs the cache, and to its downloads.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub directory: PathBuf,
    pub max_body_mb: u64,
    pub allow_addresses: Vec<String>,
    pub headers: Vec<String>,
    pub failure_memory: Duration,
}

/// The names of the options of a directory, with their defaults.
fn defaults() -> [(&'static str, String); 7] {
    [
        ("max-size-mb", (defaults::MAX_DISK_BYTES.get() / MIB).to_string()),
        ("max-memory-items", defaults::MAX_MEMORY_ITEMS.to_string()),
        ("max-memory-mb", (defaults::MAX_MEMORY_BYTES / MIB).to_string()),
        ("policy", PolicySpec::default().to_string()),
        ("durability", "none".into()),
        ("gif", "always".into()),
        ("key-rules", "none".into()),
    ]
}

/// The options of a directory with their defaults, as text.
#[pyfunction]
pub(crate) fn default_options() -> Vec<(&'static str, String)> {
    defaults().to_vec()
}

/// The options of a directory, some of which are set explicitly.
pub(crate) fn directory_options(explicit: &[(String, String)]) -> DirectoryOptions {
    let options = defaults().iter().fold(DirectoryOptions::default(), |all, (name, value)| all.with_default(name, value));
    explicit.iter().fold(options, |all, (name, value)| all.with(name, value))
}

/// The value of an option of a directory.
fn value<T: FromStr<Err: Into<AnyError>>>(options: &DirectoryOptions, name: &str) -> Result<T, AnyError> {
    let known = defaults();
    let default = known.iter().find(|(known, _)| *known == name).map_or("", |(_, default)| default);
    let text = options.get(name).unwrap_or(default);
    text.parse().map_err(|error: T::Err| format!("{name} is {text}: {}", error.into()).into())
}

/// The rules that say which URLs share an entry.
fn key_rules(options: &DirectoryOptions) -> Result<KeyRules, AnyError> {
    match options.get("key-rules") {
        None | Some("none") => Ok(KeyRules::default()),
        Some(_) => value(options, "key-rules"),
    }
}

/// One of several words.
fn word<T: Copy>(options: &DirectoryOptions, name: &str, words: &[(&str, T)]) -> Result<T, AnyError> {
    let text: String = value(options, name)?;
    let known = words.iter().find(|(word, _)| *word == text);
    let names = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    known.map(|(_, value)| *value).ok_or_else(|| format!("{name} is {text}, which is none of {}", names()).into())
}

impl Settings {
    /// The builder for the cache, if this process runs it.
    pub fn builder(&self, options: &DirectoryOptions) -> Result<Builder, AnyError> {
        let engine = engine()?;
        let policy: PolicySpec = value(options, "policy")?;
        let max_size_mb: NonZeroU64 = value(options, "max-size-mb")?;
        let mebibyte = NonZeroU64::MIN.saturating_mul(NonZeroU64::new(MIB).unwrap_or(NonZeroU64::MIN));
        let mut builder = MediaCache::builder()
            .key_rules(key_rules(options)?)
            .max_disk_bytes(max_size_mb.saturating_mul(mebibyte))
            .max_memory_items(value(options, "max-memory-items")?)
            .max_memory_bytes(value::<u64>(options, "max-memory-mb")?.saturating_mul(MIB))
            .durability(word(
                options,
                "durability",
                &[("none", Durability::None), ("batch", Durability::Batch), ("always", Durability::Always)],
            )?)
            .failure_memory(self.failure_memory)
            .policy(policy.compile(engine.policies())?);
        for (name, value) in &policy.options {
            builder = builder.policy_option(name, value);
        }
        let gifs = word(
            options,
            "gif",
            &[
                ("always", ConvertGifs::Always),
                ("animated", ConvertGifs::Animated),
                ("smaller", ConvertGifs::Smaller),
                ("never", ConvertGifs::Never),
            ],
        )?;
        let spool = spool_in(&self.directory, FreeSpaceFloor::default());
        let downloader = HttpDownloader::new(HttpOptions { spool: spool.clone(), ..self.http()? })?;
        Ok(builder.engine(engine).convert_gifs(gifs).spool(spool).downloader(downloader))
    }

    /// The options of the built-in downloader.
    fn http(&self) -> Result<HttpOptions, AnyError> {
        let access = AccessRules { allow_addresses: parse_all(&self.allow_addresses, parse_network)?, ..AccessRules::default() };
        let origin_headers = parse_all(&self.headers, |header| OriginHeader::from_str(header).map_err(Into::into))?;
        let max_body_bytes = self.max_body_mb.saturating_mul(MIB);
        Ok(HttpOptions { access, origin_headers, max_body_bytes, ..HttpOptions::default() })
    }

    /// Checks the options that need no file.
    pub fn check(&self) -> Result<(), AnyError> {
        self.http().map(drop)
    }
}

fn parse_all<T>(texts: &[String], parse: impl Fn(&str) -> Result<T, AnyError>) -> Result<Vec<T>, AnyError> {
    texts.iter().map(|text| parse(text).map_err(|error| format!("{text}: {error}").into())).collect()
}

/// An address, or a network in CIDR notation.
fn parse_network(text: &str) -> Result<ipnet::IpNet, AnyError> {
    if let Ok(address) = text.parse::<std::net::IpAddr>() {
        return Ok(address.into());
    }
    Ok(text.parse()?)
}

/// The engine that all caches of this process share. Like the command line, it keeps compiled components in the user's cache directory.
fn engine() -> Result<Engine, AnyError> {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    if let Some(engine) = ENGINE.get() {
        return Ok(engine.clone());
    }
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    let engine = caches.map_or_else(Engine::new, |caches| Engine::keeping_compiled(caches.join("media-cache/compiled")))?;
    Ok(ENGINE.get_or_init(|| engine).clone())
}
