//! The commands of a page in order, and how each of them is run.

use std::collections::BTreeSet;

use crate::blocks::{Block, blocks};
use crate::placeholders::{OTHER_TOML, PLACEHOLDERS, SKIPPED};

/// An action of a test for a part of a page. Its texts are copied from the document.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Writes a configuration file, and checks it.
    Configuration(String),
    /// Starts a service, which serves the steps that follow.
    Serve(String),
    /// Runs commands in one shell.
    Run(String),
    /// Runs a command, and compares what it prints. If that is an error, the command must fail.
    Compare { command: String, printed: String },
}

/// The steps of a page.
#[derive(Default)]
pub struct Plan {
    /// The steps, with the line of the block that each is in.
    pub steps: Vec<(usize, Step)>,
    /// The rows of the tables in `placeholders.rs` that the page needs.
    pub used: BTreeSet<&'static str>,
}

impl Plan {
    /// The plan of a page.
    pub fn of(page: &str) -> Self {
        let mut plan = Self::default();
        for block in blocks(page) {
            plan.add(&block);
        }
        // Commands may name the file before the page shows it.
        plan.steps.sort_by_key(|(_, step)| !matches!(step, Step::Configuration(_)));
        plan
    }

    fn add(&mut self, block: &Block) {
        let before = self.steps.len();
        match &*block.language {
            "sh" => self.add_script(block),
            "console" => self.add_session(block),
            "toml" => self.add_configuration(block),
            _ => {}
        }
        for (_, step) in &self.steps[before..] {
            let (Step::Configuration(text) | Step::Serve(text) | Step::Run(text) | Step::Compare { command: text, .. }) = step;
            self.used.extend(PLACEHOLDERS.iter().map(|(written, _)| *written).filter(|written| text.contains(written)));
        }
    }

    fn add_script(&mut self, block: &Block) {
        let mut script = Vec::new();
        for command in joined(&block.lines) {
            let command = self.without_skipped(&command);
            if is_serve(&command) {
                self.add_run(block, &mut script);
                self.steps.push((block.line, Step::Serve(command)));
            } else if !command.is_empty() {
                script.push(command);
            }
        }
        self.add_run(block, &mut script);
    }

    fn add_run(&mut self, block: &Block, script: &mut Vec<String>) {
        if !script.is_empty() {
            self.steps.push((block.line, Step::Run(std::mem::take(script).join("\n"))));
        }
    }

    /// Adds the commands of a session. Each command follows a prompt, and its output follows the command.
    fn add_session(&mut self, block: &Block) {
        let text = block.lines.join("\n");
        let sessions = text.strip_prefix("$ ").unwrap_or_else(|| panic!("line {}: no prompt", block.line)).split("\n$ ");
        for session in sessions {
            let (command, printed) = session.split_once('\n').unwrap_or((session, ""));
            self.steps.push((block.line, Step::Compare { command: command.into(), printed: printed.into() }));
        }
    }

    fn add_configuration(&mut self, block: &Block) {
        let text = block.lines.join("\n");
        match OTHER_TOML.iter().find(|(beginning, _)| text.starts_with(beginning)) {
            Some((beginning, _)) => drop(self.used.insert(beginning)),
            None => self.steps.push((block.line, Step::Configuration(text))),
        }
    }

    /// A command line without those of its commands that no test runs.
    fn without_skipped(&mut self, line: &str) -> String {
        let mut kept = Vec::new();
        for command in line.split(" && ") {
            match SKIPPED.iter().find(|(beginning, _)| command.starts_with(beginning)) {
                Some((beginning, _)) => drop(self.used.insert(beginning)),
                None => kept.push(command),
            }
        }
        kept.join(" && ")
    }
}

fn is_serve(command: &str) -> bool {
    ["media-cache serve", "cargo run --release -- serve"].iter().any(|beginning| command.starts_with(beginning))
}

/// The lines of a script, with continuation lines joined.
fn joined(lines: &[String]) -> Vec<String> {
    let text = lines.join("\n").replace("\\\n", " ");
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn commands_are_skipped_one_by_one() {
    let lines = [
        "rustup show && media-cache serve \\",
        "  --public",
        "# a comment",
        "echo 1",
        "cargo test",
        "cd a && cargo test && echo 2",
    ];
    let block = |language: &str| Block { line: 3, language: language.into(), lines: lines.map(Into::into).into() };
    let mut plan = Plan::default();
    plan.add(&block("sh"));
    plan.add(&block("text"));
    let expected = [Step::Serve("media-cache serve    --public".into()), Step::Run("echo 1\ncd a && echo 2".into())];
    assert_eq!(plan.steps, expected.map(|step| (3, step)));
    assert_eq!(plan.used, BTreeSet::from(["rustup ", "cargo test"]));
}
