//! Checks that the options and commands in the documents exist.

use std::collections::BTreeSet;

use media_cache_test_support::workspace::workspace_file;

use crate::blocks::pages;

/// The page with the options of all commands, which a test compares with the program.
const HELP: &str = "docs/cli.md";

/// Options of other programs: cargo, curl, docker, ffmpeg, systemctl, componentize-py, jco and build for Python.
const FOREIGN: [&str; 17] = [
    "--bench",
    "--build-arg",
    "--data-urlencode",
    "--disable",
    "--locked",
    "--now",
    "--package",
    "--profile",
    "--read-only",
    "--release",
    "--sdist",
    "--stop-timeout",
    "--stub-wasi",
    "--target",
    "--tmpfs",
    "--user-agent",
    "--workspace",
];

/// The options in a text, such as `--dir`.
fn options(text: &str) -> BTreeSet<&str> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '-');
    let is_option =
        |word: &&str| word.strip_prefix("--").is_some_and(|name| name.starts_with(|first: char| first.is_ascii_lowercase()));
    words.filter(is_option).collect()
}

#[test]
fn every_option_in_the_documents_exists() {
    let help = workspace_file(HELP);
    let exist = options(&help);
    let pages = pages().into_iter().filter(|page| page != HELP && (page.starts_with("docs/") || page == "README.md"));
    let mut foreign = BTreeSet::new();
    for page in pages {
        let text = workspace_file(&page);
        for option in options(&text).difference(&exist) {
            assert!(FOREIGN.contains(option), "{page}: there is no option {option}");
            foreign.insert(FOREIGN.iter().find(|known| *known == option));
        }
    }
    assert_eq!(foreign.len(), FOREIGN.len(), "{foreign:?}");
}

/// The commands in the text of a page, outside of its blocks, such as `policy swap`.
fn commands(page: &str) -> Vec<String> {
    let text: String = page.split("\n```").step_by(2).collect();
    let code = text.split('`').skip(1).step_by(2);
    let is_name = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
    let commands = code.filter_map(|code| code.strip_prefix("media-cache "));
    commands.map(|command| command.split_whitespace().take_while(is_name).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn every_command_in_the_documents_exists() {
    let help = workspace_file(HELP);
    let exists = |command: &str| help.contains(&format!("\n## media-cache {command}\n"));
    let mut found = 0;
    for page in pages() {
        for command in commands(&workspace_file(&page)).into_iter().filter(|command| !command.is_empty()) {
            // After a command without subcommands, there may be a value, such as `built-in`.
            let groups = ["component", "config", "policy"];
            let words = 1 + usize::from(groups.contains(&command.split(' ').next().unwrap()));
            let name = command.split(' ').take(words).collect::<Vec<_>>().join(" ");
            assert!(exists(&name), "{page}: there is no command media-cache {command}");
            found += 1;
        }
    }
    assert!(found > 20, "{found}");
}
