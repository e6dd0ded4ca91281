//! `media-cache serve`.

mod endpoints;
mod options;
mod prepare;
mod problems;
mod run;

pub use options::Serve;
