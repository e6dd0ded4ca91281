//! The templates of `media-cache policy new`, one for each language.

use clap::ValueEnum;

/// A file of a template: its path, and its content, in which `{{name}}` and `{{crate}}` are placeholders.
pub type File = (&'static str, &'static str);

/// The interface, which all templates contain. It is the one that this program uses.
const INTERFACE: [File; 2] = [
    ("wit/world.wit", include_str!("../../wit/policy/world.wit")),
    ("wit/eviction.wit", include_str!("../../wit/policy/eviction.wit")),
];

/// A file of a template that has the same path in the directory of the template.
macro_rules! file {
    ($language:literal, $path:literal) => {
        file!($language, $path, $path)
    };
    ($language:literal, $path:literal, $stored:literal) => {
        ($path, include_str!(concat!("../../templates/policy/", $language, "/", $stored)))
    };
}

// Cargo packages no files below another manifest, and git ignores what a `.gitignore` in the template lists.
const RUST: [File; 8] = [
    file!("rust", "Cargo.toml", "Cargo.toml.template"),
    file!("rust", "Cargo.lock", "Cargo.lock.template"),
    file!("rust", "README.md"),
    file!("rust", "rust-toolchain.toml"),
    file!("rust", ".gitignore", "gitignore"),
    file!("rust", "src/lib.rs"),
    file!("rust", "src/queue.rs"),
    file!("rust", "src/tests.rs"),
];

const PYTHON: [File; 4] = [
    file!("python", "README.md"),
    file!("python", ".gitignore", "gitignore"),
    file!("python", "eviction.py"),
    file!("python", "requirements.txt"),
];

const JAVASCRIPT: [File; 5] = [
    file!("javascript", "README.md"),
    file!("javascript", ".gitignore", "gitignore"),
    file!("javascript", "package.json"),
    file!("javascript", "package-lock.json"),
    file!("javascript", "policy.js"),
];

const C: [File; 8] = [
    file!("c", "README.md"),
    file!("c", ".gitignore", "gitignore"),
    file!("c", "requirements.txt"),
    file!("c", "policy.c"),
    file!("c", "queue.c"),
    file!("c", "queue.h"),
    file!("c", "bindings/policy.c"),
    file!("c", "bindings/policy.h"),
];

/// Names that Rust and cargo reserve.
const RESERVED_IN_RUST: &str = "abstract alloc as async await become box break const continue core crate do dyn else enum extern false \
     final fn for gen if impl in let loop macro match mod move mut priv proc-macro pub ref return self static std struct super test trait \
     true try type typeof unsafe unsized use virtual where while yield";

/// The programming language of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust, with cargo
    Rust,
    /// Python, with componentize-py
    Python,
    /// JavaScript, with componentize-qjs
    #[value(name = "javascript")]
    JavaScript,
    /// C, with Zig's C compiler and wasm-tools
    C,
}

impl Language {
    /// The files of a new project.
    pub fn files(self) -> impl Iterator<Item = File> {
        let files: &[File] = match self {
            Self::Rust => &RUST,
            Self::Python => &PYTHON,
            Self::JavaScript => &JAVASCRIPT,
            Self::C => &C,
        };
        files.iter().chain(&INTERFACE).copied()
    }

    /// Checks that this language allows the name of a policy. Only in Rust is the name an identifier. In other languages, it is the name
    /// of a file and a text in the program.
    pub fn check_name(self, name: &str) -> anyhow::Result<()> {
        let reserved = self == Self::Rust && RESERVED_IN_RUST.split_whitespace().any(|word| word == name);
        anyhow::ensure!(!reserved, "{name} is a reserved word in Rust; choose another name for the policy");
        Ok(())
    }
}

/// Fills in the placeholders of a file.
pub fn filled_in(content: &str, name: &str) -> String {
    content.replace("{{name}}", name).replace("{{crate}}", &name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_word_is_refused_only_by_the_language_that_reserves_it() {
        for name in ["fn", "test", "std", "proc-macro"] {
            let refused: Vec<_> = Language::value_variants().iter().filter(|language| language.check_name(name).is_err()).collect();
            assert_eq!(refused, [&Language::Rust], "{name}");
        }
        for language in Language::value_variants() {
            assert!(language.check_name("s3-fifo").is_ok());
        }
    }

    #[test]
    fn placeholders_are_filled_in_in_every_file() {
        for language in Language::value_variants() {
            let project: Vec<_> = language.files().map(|(path, content)| (path, filled_in(content, "my-policy"))).collect();
            assert!(project.iter().all(|(_, content)| !content.contains("{{")), "{language:?}");
            let named = project.iter().filter(|(path, content)| *path != "README.md" && content.contains("\"my-policy\""));
            assert!(named.count() > 0, "{language:?}");
        }
        assert_eq!(filled_in("{{crate}} {{name}}", "my-policy"), "my_policy my-policy");
    }
}
