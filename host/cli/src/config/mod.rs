//! Options that are set in other ways than by giving them: in a file, and in the environment.
//!
//! A flag outweighs a variable, a variable outweighs the file, and the file outweighs the default. What is weaker and counts becomes an
//! argument in front of those that were given, so that every rule of the command line (what a value may be, which options exclude or
//! need each other) holds for the whole, wherever a part of it came from.

mod config_option;
mod environment;
mod nearest;
mod option;
mod problems;
mod redact;
mod reloadable;
mod resolve;
mod settings;
mod show;
#[cfg(test)]
mod tests;
mod toml_file;
mod usage;

pub use config_option::ConfigurationFile;
pub use problems::Problems;
pub use redact::hide;
pub use reloadable::RELOADABLE;
pub use resolve::resolve;
pub use settings::Settings;
pub use show::{document, json};
pub use usage::UsageError;
