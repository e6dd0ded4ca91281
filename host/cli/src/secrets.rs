//! Files with keys, tokens and certificates.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;
use media_cache::{Pipes, read_small_file};
use media_cache_server::{AdminTokens, CamoKeys, SigningKeys, WeakSecret};

/// The maximum size of a file with secrets or certificates, in bytes. A larger file must be the wrong one.
const LARGEST: u64 = 1 << 20;

/// The keys in files, in order.
///
/// # Errors
/// Returns an error with a message for the user that contains no key.
pub fn signing_keys<P: AsRef<Path>>(files: &[P]) -> anyhow::Result<SigningKeys> {
    let mut keys = Vec::new();
    for file in files {
        keys.extend(read(file.as_ref(), |key| SigningKeys::new([key]).map(drop))?);
    }
    Ok(SigningKeys::new(keys)?)
}

/// The keys of links made for camo in files.
///
/// # Errors
/// Returns an error with a message for the user that contains no key.
pub fn camo_keys<P: AsRef<Path>>(files: &[P]) -> anyhow::Result<CamoKeys> {
    let mut keys = Vec::new();
    for file in files {
        keys.extend(read(file.as_ref(), |key| CamoKeys::new([key]).map(drop))?);
    }
    Ok(CamoKeys::new(keys)?)
}

/// The tokens in a file.
///
/// # Errors
/// Returns an error with a message for the user that contains no token.
pub fn admin_tokens(file: &Path) -> anyhow::Result<AdminTokens> {
    Ok(AdminTokens::new(lines_of_tokens(file)?)?)
}

/// The token that a client sends: the first in a file.
///
/// # Errors
/// Returns an error with a message for the user that contains no token.
pub fn first_token(file: &Path) -> anyhow::Result<String> {
    let token = lines_of_tokens(file)?.into_iter().next().context("there is no token")?;
    String::from_utf8(token).context("a token must be text")
}

fn lines_of_tokens(file: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    read(file, |token| AdminTokens::new([token]).map(drop))
}

/// The whole text of a file with a secret.
///
/// # Errors
/// Any error of the operating system, and [`ErrorKind::InvalidData`] if it is not UTF-8.
pub fn text(file: &Path) -> std::io::Result<String> {
    let text = read_small_file(file, LARGEST, Pipes::Accepted)?;
    String::from_utf8(text).map_err(|_| std::io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

/// The content of a file. If the file is too large, the error ends with `conclusion`.
///
/// # Errors
/// Returns an error with a message for the user.
pub fn content(file: &Path, conclusion: &str) -> anyhow::Result<Vec<u8>> {
    let name = file.display();
    match read_small_file(file, LARGEST, Pipes::Accepted) {
        Err(error) if error.kind() == ErrorKind::FileTooLarge => anyhow::bail!("{name} has more than {LARGEST} bytes{conclusion}"),
        content => content.with_context(|| format!("cannot read {name}")),
    }
}

/// The secrets in a file, one per line. Empty lines, lines that begin with `#`, and whitespace at both ends of a line are ignored.
fn read(file: &Path, check: impl Fn(&[u8]) -> Result<(), WeakSecret>) -> anyhow::Result<Vec<Vec<u8>>> {
    let name = file.display();
    warn_if_others_read(file);
    let text = content(file, "; it must have a key or a token on each line")?;
    let mut secrets = Vec::new();
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        check(line).with_context(|| format!("{name}, line {number}, cannot be used"))?;
        secrets.push(line.to_vec());
    }
    anyhow::ensure!(!secrets.is_empty(), "{name} contains neither a key nor a token; put one on each line");
    Ok(secrets)
}

/// Logs a warning if users other than the owner can read a file with secrets.
pub fn warn_if_others_read(name: &Path) {
    let mode = name.metadata().ok().filter(std::fs::Metadata::is_file).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        tracing::warn!(
            "{} is readable by users other than its owner (mode {:o}); fix this with `chmod 600`",
            name.display(),
            mode & 0o777
        );
    }
}
