//! `media-cache policy new`: creates the project of a new policy from a template.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use crate::policy::template::{Language, filled_in};
use crate::{output, user_files};

/// `media-cache policy new`.
#[derive(Args)]
pub struct New {
    /// The name of the policy: a-z, 0-9 and -, beginning with a letter
    #[arg(value_parser = check_name)]
    name: String,
    /// The programming language
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    language: Language,
    /// The parent directory of the new project, whose directory is named after the policy
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Print the path of the directory as a JSON object
    #[arg(long)]
    json: bool,
}

impl New {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        self.language.check_name(&self.name)?;
        let directory = self.dir.join(&self.name);
        write(&directory, &self.name, self.language)?;
        if self.json {
            output::json_value(&json!({ "directory": directory.to_string_lossy() }))?;
        } else {
            let readme = directory.join("README.md");
            output::line(format_args!("created {}; see {} for how to build it", directory.display(), readme.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write(directory: &Path, name: &str, language: Language) -> anyhow::Result<()> {
    let missing: Vec<_> =
        directory.ancestors().skip(1).take_while(|parent| !parent.as_os_str().is_empty() && !parent.exists()).collect();
    for parent in missing.into_iter().rev() {
        user_files::create_directory(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    // An existing directory is not used, even if it is empty.
    user_files::create_directory(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    for (file, content) in language.files() {
        let path = directory.join(file);
        if let Some(parent) = path.parent().filter(|parent| !parent.exists()) {
            user_files::create_directory(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        let text = filled_in(content, name);
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
    Ok(name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_name_consists_of_lower_case_letters_digits_and_hyphens() {
        for name in ["lru", "s3-fifo", "a", "mine2"] {
            assert_eq!(check_name(name).as_deref(), Ok(name));
        }
        let long = "a".repeat(41);
        for name in ["", "2q", "-a", "Mine", "my_policy", "a b", "../a", "a/b", "ä", &long] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
