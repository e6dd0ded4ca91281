//! Options from a file and from the environment.
//!
//! A flag overrides a variable, a variable overrides the file, and the file overrides the default. A value from the environment or the file
//! that is not overridden is inserted before the given arguments. So all rules of the command line (which values are valid, which options
//! exclude or require each other) apply to all values, wherever they come from.

mod config_option;
#[cfg(test)]
mod documented;
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
pub use settings::{Setting, Settings};
pub use show::{document, json};
pub use usage::UsageError;
