//! The units for systemd: they are valid, sandboxed, and agree with the program and its configuration.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use media_cache_test_skip as skip;
use media_cache_test_support::binary::binary_path;
use media_cache_test_support::command::{CommandOutput, finish, run};
use media_cache_test_support::workspace::{workspace_file, workspace_path};

use crate::man_pages;

/// The directory of the units.
pub const UNITS: &str = "contrib/systemd";

/// The configuration that the units name.
pub const CONFIGURATION: &str = "contrib/config/media-cache.toml";

/// Where the units expect the program.
pub const PROGRAM: &str = "/usr/bin/media-cache";

/// The largest permitted exposure, in tenths.
const MAX_EXPOSURE: &str = "25";

/// The files of the units.
pub fn units() -> Vec<PathBuf> {
    let files = std::fs::read_dir(workspace_path(UNITS)).unwrap().map(|file| file.unwrap().path());
    let is_unit = |path: &PathBuf| path.extension().is_some_and(|extension| extension != "sysusers");
    let units: Vec<_> = files.filter(is_unit).collect();
    assert_eq!(units.len(), 7, "{units:?}");
    units
}

async fn analyze(arguments: &[&str]) -> CommandOutput {
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command, &[]).await
}

/// The value of a setting in a unit.
fn setting(unit: &str, name: &str) -> String {
    let text = workspace_file(PathBuf::from(UNITS).join(unit));
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("{unit} does not set {name}")).into()
}

#[tokio::test]
async fn units_are_valid() {
    if skip::unless_installed("systemd-analyze") {
        return;
    }
    // The same units with the program under test. Its manual pages are not installed.
    let directory = tempfile::tempdir().unwrap();
    let mut arguments = vec!["verify".to_owned(), "--man=no".into()];
    for unit in units() {
        let text = std::fs::read_to_string(&unit).unwrap().replace(PROGRAM, binary_path().to_str().unwrap());
        let copy = directory.path().join(unit.file_name().unwrap());
        std::fs::write(&copy, text).unwrap();
        arguments.push(copy.to_str().unwrap().into());
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    assert_eq!(analyze(&arguments).await.succeeded_silently(), "");
}

#[tokio::test]
async fn services_are_sandboxed() {
    if skip::unless_installed("systemd-analyze") {
        return;
    }
    for service in units().iter().filter(|unit| unit.extension().unwrap() == "service") {
        let threshold = format!("--threshold={MAX_EXPOSURE}");
        analyze(&["security", "--offline=true", "--no-pager", &threshold, service.to_str().unwrap()]).await.succeeded();
    }
}

#[tokio::test]
async fn trimming_unit_runs_a_valid_command() {
    let directory = tempfile::tempdir().unwrap();
    let configuration = directory.path().join("media-cache.toml");
    std::fs::write(&configuration, format!("tier = \"file://{}\"\n", directory.path().display())).unwrap();
    let command = setting("media-cache-trim.service", "ExecStart");
    let command =
        command.replace("${TIER_SIZE}", "500GB").replace("/etc/media-cache/media-cache.toml", configuration.to_str().unwrap());
    let arguments: Vec<&str> = command.strip_prefix(PROGRAM).unwrap().split_whitespace().collect();
    assert!(run(&arguments).await.succeeded_text().starts_with("0 entries deleted"));
    // The service gets its credentials from the same file.
    let file = setting("media-cache-trim.service", "EnvironmentFile");
    assert_eq!(setting("media-cache.service", "EnvironmentFile"), format!("-{file}"));
}

#[tokio::test]
async fn units_name_existing_manual_pages() {
    let directory = man_pages::written().await;
    let pages = man_pages::names(directory.path());
    for unit in units() {
        let text = std::fs::read_to_string(&unit).unwrap();
        for page in text.split("man:").skip(1).map(|rest| rest.split('(').next().unwrap()) {
            assert!(pages.contains(&format!("{page}.1")), "{} names {page}", unit.display());
        }
    }
}

#[tokio::test]
async fn configuration_is_valid_and_has_the_addresses_of_the_sockets() {
    let path = workspace_path(CONFIGURATION);
    let arguments = ["config", "show", "--json", "--config", path.to_str().unwrap()];
    let shown: serde_json::Value = serde_json::from_str(&run(&arguments).await.succeeded_text()).unwrap();
    assert_eq!(shown["listen"]["value"], setting("media-cache.socket", "ListenStream"));
    assert_eq!(shown["admin-listen"]["value"], setting("media-cache-admin.socket", "ListenStream"));
    let seconds = |name: &str| shown[name]["value"].as_u64().unwrap();
    let limit: u64 = setting("media-cache.service", "TimeoutStopSec").parse().unwrap();
    assert!(limit > seconds("grace-seconds") + seconds("shutdown-limit-seconds"));
}
