//! Where the commands of a page run: a directory with the files that they name, an origin, and a service.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use media_cache_test_support::binary::shell;
use media_cache_test_support::command::{CommandOutput, finish_within};
use media_cache_test_support::http_client::ADMIN_TOKEN;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{gif, jpeg, png};
use media_cache_test_support::service_process::{Service, write_secret};
use media_cache_test_support::workspace::workspace_path;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tempfile::TempDir;

use crate::placeholders::{PLACEHOLDERS, Replacement};

/// Programs in the documents that a machine may lack.
const PROGRAMS: [&str; 3] = ["curl", "jq", "openssl"];

/// The time limit for the commands of a page. A search for a policy takes 20 s in an unoptimized build on an idle machine.
const LIMIT: Duration = Duration::from_secs(300);

/// A file with a built-in policy.
const POLICY: &str = "policy.wasm";

/// A directory with an origin, and a service once it is needed.
pub struct Stage {
    directory: TempDir,
    origin: HttpOrigin,
    /// Whether the services have an administration token.
    has_token: bool,
    /// The service, and how many there have been.
    service: Option<Service>,
    services: usize,
}

impl Stage {
    /// Prepares a directory and an origin. With a token, the services need it for administration.
    pub async fn prepare(has_token: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let origin = HttpOrigin::start().await;
        origin.serves("/wide.jpg", "image/jpeg", jpeg(1));
        origin.serves("/a.png", "image/png", png(1));
        origin.serves("/a.gif", "image/gif", gif(&[10, 20]));
        let stage = Self { directory, origin, has_token, service: None, services: 0 };
        let (_, lru) = media_cache::embedded::POLICIES.iter().find(|(name, _)| *name == "lru").unwrap();
        stage.write(POLICY, lru);
        stage.write("target/wasm32-wasip2/release/mine.wasm", lru);
        stage.write(concat!("policies/lru-", env!("CARGO_PKG_VERSION"), ".wasm"), lru);
        stage.write(concat!("media-cache-", env!("CARGO_PKG_VERSION"), ".wasm"), media_cache::embedded::CACHE);
        // With an empty custom section, it is a component other than the built-in one.
        stage.write("media_cache_component.wasm", &[media_cache::embedded::CACHE, b"\x00\x06\x05other"].concat());
        stage.write("b.png", &png(2));
        stage.write("trace.csv", b"1,a,1\n2,a,1\n");
        // A response that reports a failure makes curl fail.
        stage.write(".curlrc", b"silent\nshow-error\nfail-with-body\n");
        write_secret(&stage.path("tokens"), ADMIN_TOKEN);
        symlink(workspace_path("tests").canonicalize().unwrap(), stage.path("tests")).unwrap();
        stage
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file into the directory, or into one in it.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// A text of the documents with all placeholders replaced.
    pub fn replaced(&self, text: &str) -> String {
        let replace = |text: String, (written, replacement): &(&str, Replacement)| {
            if text.contains(written) { text.replace(written, &self.replacement(*replacement)) } else { text }
        };
        PLACEHOLDERS.iter().fold(text.into(), replace)
    }

    fn replacement(&self, replacement: Replacement) -> String {
        match replacement {
            Replacement::Origin(path) => self.origin.url(path),
            Replacement::EncodedOrigin => utf8_percent_encode(&self.origin.url(""), NON_ALPHANUMERIC).to_string(),
            Replacement::Service => format!("http://{}", self.service.as_ref().unwrap().address()),
            Replacement::Text(text) => text.into(),
        }
    }

    /// Starts a service in place of the current one, on free ports and with a separate directory.
    pub async fn serve(&mut self, command: &str) {
        self.services += 1;
        let directory = self.service_directory();
        let mut variables = vec![("MEDIA_CACHE_DIR", directory.as_str())];
        variables.extend(["MEDIA_CACHE_LISTEN", "MEDIA_CACHE_ADMIN_LISTEN"].map(|name| (name, "127.0.0.1:0")));
        variables.extend(self.has_token.then_some(("MEDIA_CACHE_ADMIN_TOKEN_FILE", "tokens")));
        let mut shell = self.shell(&format!("exec {}", self.replaced(command)));
        shell.envs(variables);
        let mut service = Service::start_command(shell, self.path("tokens")).await;
        service.admin_address().await;
        self.service = Some(service);
    }

    /// The directory of the current service.
    fn service_directory(&self) -> String {
        format!("service-{}", self.services)
    }

    /// Runs commands, which must succeed, and returns what they print.
    pub async fn run(&mut self, script: &str) -> String {
        let output = self.finish(script).await;
        assert_eq!(output.code, Some(0), "{}{}", output.text(), output.stderr);
        output.succeeded_text()
    }

    /// Runs a command, and returns its exit code, and what a terminal would show.
    pub async fn show(&mut self, command: &str) -> (Option<i32>, String) {
        let output = self.finish(&format!("set +x; exec 2>&1\n{command}")).await;
        (output.code, output.text().into())
    }

    async fn finish(&mut self, script: &str) -> CommandOutput {
        if self.service.is_none() {
            self.serve("media-cache serve").await;
        }
        let missing =
            |line: &str| PROGRAMS.iter().any(|program| is_used(program, line) && media_cache_test_skip::unless_installed(program));
        let script: Vec<_> = script.lines().filter(|line| !missing(line)).map(|line| self.replaced(line)).collect();
        let (script, service) = (script.join("\n"), self.service.as_ref().unwrap());
        let mut shell = self.shell(&script);
        // Commands for a running cache use that of the service. All others use a directory that no process uses.
        if script.contains("media-cache policy") {
            shell.env("MEDIA_CACHE_DIR", self.service_directory());
        } else if script.contains("media-cache component") {
            shell.env("MEDIA_CACHE_SERVER", format!("http://{}", service.address()));
        }
        finish_within(LIMIT, shell).await
    }

    fn shell(&self, script: &str) -> Command {
        let mut shell = shell(script);
        shell.current_dir(self.directory.path()).env("CURL_HOME", self.directory.path()).env("NO_PROXY", "*");
        shell.env("TOKEN", ADMIN_TOKEN).env("POLICY", self.path(POLICY)).env("MEDIA_CACHE_ALLOW_ADDRESS", "127.0.0.0/8");
        shell
    }
}

/// Whether a command line runs a program.
fn is_used(program: &str, line: &str) -> bool {
    line.split(|character: char| !character.is_ascii_alphanumeric() && character != '-').any(|word| word == program)
}
