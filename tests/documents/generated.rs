//! Documents that are written by the program: the help texts, and the plot in the README.

use media_cache_test_support::command::run_blocking;
use media_cache_test_support::workspace::{workspace_file, workspace_path};

/// The page with the help texts.
const HELP: &str = "docs/cli.md";

/// Compares a document with its expected content. With `UPDATE_DOCS=1`, it is written instead.
fn check_document(path: &str, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(workspace_path(path), expected).unwrap();
    }
    assert!(workspace_file(path) == expected, "{path} is outdated; UPDATE_DOCS=1 cargo test --test documents writes it");
}

/// The commands that a help text lists.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.split_once("\nCommands:\n").map_or("", |(_, listed)| listed);
    let lines = listed.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(Into::into).collect()
}

/// Adds the help of a command and its subcommands, as sections.
fn add_help(command: &[String], page: &mut String) {
    let arguments: Vec<&str> =
        command.iter().map(String::as_str).chain([if command.is_empty() { "--help" } else { "-h" }]).collect();
    let help = run_blocking(&arguments, &[]).succeeded_text();
    let name = ["media-cache"].into_iter().chain(command.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    page.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", help.trim()));
    for subcommand in subcommands(&help) {
        add_help(&[command, &[subcommand]].concat(), page);
    }
}

#[test]
fn help_of_every_command_is_documented_as_the_program_prints_it() {
    let page = workspace_file(HELP);
    let (introduction, _) = page.split_once("\n## media-cache\n").unwrap();
    let mut expected = introduction.to_owned();
    add_help(&[], &mut expected);
    assert!(expected.contains("## media-cache policy swap\n"), "{expected}");
    check_document(HELP, &expected);
}

#[test]
fn readme_plot_matches_the_trace_in_the_repository() {
    let (directory, path) = (tempfile::tempdir().unwrap(), "docs/images/miss-ratios.svg");
    let plot = directory.path().join("plot.svg");
    let capacities = "64MiB,128MiB,256MiB,512MiB,1GiB,2GiB,4GiB";
    let trace = workspace_path("tests/data/media.csv.xz");
    let arguments = ["simulate", "--capacity", capacities, "--plot", plot.to_str().unwrap(), trace.to_str().unwrap()];
    run_blocking(&arguments, &[]).succeeded_text();
    check_document(path, &std::fs::read_to_string(plot).unwrap());
    assert!(workspace_file("README.md").contains(path));
}
