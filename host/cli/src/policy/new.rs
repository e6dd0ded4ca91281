//! `media-cache policy new`: a template for a new policy.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use crate::{output, user_files};

/// The names and contents of the files. The interface is the one that this program uses.
const FILES: [(&str, &str); 7] = [
    ("Cargo.toml", include_str!("../../templates/policy/Cargo.toml.template")),
    ("README.md", include_str!("../../templates/policy/README.md")),
    ("rust-toolchain.toml", include_str!("../../templates/policy/rust-toolchain.toml")),
    (".gitignore", include_str!("../../templates/policy/gitignore")),
    ("src/lib.rs", include_str!("../../templates/policy/src/lib.rs")),
    ("wit/world.wit", include_str!("../../wit/policy/world.wit")),
    ("wit/eviction.wit", include_str!("../../wit/policy/eviction.wit")),
];

/// Names that Rust reserves.
const RESERVED: [&str; 55] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// `media-cache policy new`.
#[derive(Args)]
pub struct New {
    /// The name of the policy: a-z, 0-9 and -, beginning with a letter
    #[arg(value_parser = check_name)]
    name: String,
    /// The parent directory of the new crate, whose directory is named after the policy
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Print the path of the directory as a JSON object
    #[arg(long)]
    json: bool,
}

impl New {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let directory = self.dir.join(&self.name);
        write(&directory, &self.name)?;
        if self.json {
            output::json_value(&json!({ "directory": directory.to_string_lossy() }))?;
        } else {
            let readme = directory.join("README.md");
            output::line(format_args!("created {}; see {} for how to build it", directory.display(), readme.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write(directory: &Path, name: &str) -> anyhow::Result<()> {
    let missing: Vec<_> =
        directory.ancestors().skip(1).take_while(|parent| !parent.as_os_str().is_empty() && !parent.exists()).collect();
    for parent in missing.into_iter().rev() {
        user_files::create_directory(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    // An existing directory is not used, even if it is empty.
    user_files::create_directory(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    for directory in ["src", "wit"].map(|name| directory.join(name)) {
        user_files::create_directory(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    for (file, template) in FILES {
        let path = directory.join(file);
        let text = template.replace("{{name}}", name).replace("{{crate}}", &name.replace('-', "_"));
        let written = user_files::create_file(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn check_name(name: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if !begins || name.len() > 40 || !name.bytes().all(fits) {
        return Err(
            "the name of a policy must begin with a letter and have at most 40 characters, all of them a-z, 0-9 or -".into()
        );
    }
    if RESERVED.contains(&name) {
        return Err(format!("{name} is a reserved word in Rust"));
    }
    Ok(name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_name_is_valid_for_a_crate_and_for_a_policy() {
        for name in ["lru", "s3-fifo", "a", "mine2"] {
            assert_eq!(check_name(name).as_deref(), Ok(name));
        }
        let long = "a".repeat(41);
        for name in ["", "2q", "-a", "Mine", "my_policy", "a b", "../a", "a/b", "ä", "fn", "test", "std", &long] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
