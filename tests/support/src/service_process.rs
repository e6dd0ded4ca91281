//! The binary as a service that runs until it is dropped.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use http::Method;
use reqwest::RequestBuilder;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, kill_process, prlimit};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::sync::watch;

pub use rustix::process::Signal;

use crate::binary::{binary, binary_path, remove_settings};
use crate::command::{CommandOutput, finish};
use crate::http_client::{ADMIN_TOKEN, HttpResponse, http_client, https_client, media_path, send};
use crate::latch::Latch;
use crate::soon::soon;

/// Writes a file that only its owner can read.
pub fn write_secret(path: &Path, secret: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, format!("{secret}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Writes the administration token next to a directory.
fn write_admin_token(directory: &Path) -> PathBuf {
    let token_file = directory.with_file_name("admin-token");
    write_secret(&token_file, ADMIN_TOKEN);
    token_file
}

/// The command for a service with an administration token and a limit of `files` open files.
fn with_open_files(directory: &Path, files: u64, arguments: &[&str]) -> Command {
    let token_file = write_admin_token(directory);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\"")]).arg(binary_path()).arg("serve");
    command.args(["--listen", "127.0.0.1:0", "--dir"]).arg(directory).arg("--admin-token-file").arg(token_file).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    remove_settings(&mut command);
    command
}

/// A running service, killed when it is dropped.
pub struct Service {
    child: Child,
    scheme: &'static str,
    address: SocketAddr,
    token_file: PathBuf,
    stdout: Lines<BufReader<ChildStdout>>,
    log: watch::Receiver<Vec<String>>,
    client: reqwest::Client,
}

impl Service {
    /// Starts a service on a free port, with an administration token.
    pub async fn start(directory: &Path, arguments: &[&str]) -> Self {
        let token_file = write_admin_token(directory);
        let defaults = ["--listen", "127.0.0.1:0", "--admin-token-file", token_file.to_str().unwrap()];
        Self::start_with_only(directory, &[&defaults, arguments].concat()).await
    }

    /// Starts a service that may download from loopback addresses, without a token, and without a listener unless the arguments have one.
    pub async fn start_with_only(directory: &Path, arguments: &[&str]) -> Self {
        let mut command = binary(["serve", "--allow-address", "127.0.0.0/8", "--dir"]);
        command.arg(directory).args(arguments);
        Self::spawn(command, directory.with_file_name("admin-token")).await
    }

    /// Starts a service that may download from loopback addresses, with environment variables and an administration token.
    pub async fn start_with_variables(directory: &Path, variables: &[(&str, String)], arguments: &[&str]) -> Self {
        let token_file = write_admin_token(directory);
        let mut command = binary(["serve", "--allow-address", "127.0.0.0/8", "--dir"]);
        command.arg(directory).arg("--admin-token-file").arg(&token_file).args(arguments);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        Self::spawn(command, token_file).await
    }

    /// Starts a service on a free port, with an administration token, that writes its log to `stderr`.
    pub async fn start_logging_to(directory: &Path, stderr: impl Into<Stdio>, arguments: &[&str]) -> Self {
        let token_file = write_admin_token(directory);
        let mut command = binary(["serve", "--listen", "127.0.0.1:0", "--dir"]);
        command.arg(directory).arg("--admin-token-file").arg(&token_file).args(arguments).stderr(stderr);
        Self::spawn(command, token_file).await
    }

    /// Starts a service in a working directory, with environment variables and without default arguments.
    pub async fn start_in(directory: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut command = binary(["serve"]);
        command.args(arguments).current_dir(directory).envs(variables.iter().copied());
        Self::spawn(command, directory.join("admin-token")).await
    }

    /// Starts a service with a command. The process of the command must become the service.
    pub async fn start_command(command: Command, token_file: PathBuf) -> Self {
        Self::spawn(command, token_file).await
    }

    /// Starts a service with a limit of `files` open files.
    pub async fn start_with_open_files(directory: &Path, files: u64, arguments: &[&str]) -> Self {
        Self::spawn(with_open_files(directory, files, arguments), directory.with_file_name("admin-token")).await
    }

    /// Runs a service with a limit of `files` open files until it ends on its own.
    pub async fn fail_with_open_files(directory: &Path, files: u64, arguments: &[&str]) -> CommandOutput {
        finish(with_open_files(directory, files, arguments), &[]).await
    }

    async fn spawn(command: Command, token_file: PathBuf) -> Self {
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
        let log = child.stderr.take().map_or_else(|| watch::channel(Vec::new()).1, collect);
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = soon(stdout.next_line()).await.unwrap();
        let url = first.as_deref().and_then(|line| line.strip_prefix("listening on "));
        let url = url.unwrap_or_else(|| panic!("no address in {first:?}, log: {:?}", *log.borrow()));
        let schemes = ["http", "https"].into_iter();
        let with_scheme = |scheme| Some((scheme, url.strip_prefix(scheme)?.strip_prefix("://")?.parse().unwrap()));
        let (scheme, address) = schemes.filter_map(with_scheme).next().unwrap();
        let client = if scheme == "https" { https_client().build().unwrap() } else { http_client() };
        Self { child, scheme, address, token_file, stdout, log, client }
    }

    /// The address of the first listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file with the administration token.
    #[must_use]
    pub fn token_file(&self) -> &str {
        self.token_file.to_str().unwrap()
    }

    /// The address of the administration listener, from the second line of standard output.
    pub async fn admin_address(&mut self) -> SocketAddr {
        let second = soon(self.stdout.next_line()).await.unwrap().unwrap();
        second
            .strip_prefix("administration on ")
            .and_then(|url| url.split_once("://"))
            .map(|(_, address)| address)
            .unwrap_or_else(|| panic!("no address in {second:?}"))
            .parse()
            .unwrap()
    }

    /// A request for a path, with the token if it needs one.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let is_administration = ["/polic", "/component", "/entries", "/shadows"].iter().any(|prefix| path.starts_with(prefix));
        let needs_token = is_administration || !matches!(method, Method::GET | Method::HEAD);
        let request = self.anonymous_request(method, path);
        if needs_token { request.bearer_auth(ADMIN_TOKEN) } else { request }
    }

    /// A request for a path without a token.
    pub fn anonymous_request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}://{}{path}", self.scheme, self.address))
    }

    /// A request for the media of a URL.
    pub fn media_request(&self, method: Method, url: &str) -> RequestBuilder {
        self.request(method, &media_path(url))
    }

    /// Requests the media of a URL, and disconnects once the request has reached the origin.
    pub async fn request_and_disconnect(&self, url: &str, latch: &Latch) {
        tokio::select! {
            response = self.media_request(Method::GET, url).send() => panic!("{response:?}"),
            () = latch.reached() => {}
        }
    }

    /// Gets a path.
    pub async fn get(&self, path: &str) -> HttpResponse {
        send(self.request(Method::GET, path)).await
    }

    /// Gets the media of a URL.
    pub async fn media(&self, url: &str) -> HttpResponse {
        send(self.media_request(Method::GET, url)).await
    }

    /// Puts media for a URL.
    pub async fn put(&self, url: &str, mimetype: &str, body: impl Into<reqwest::Body>) -> HttpResponse {
        send(self.media_request(Method::PUT, url).header("content-type", mimetype).body(body)).await
    }

    /// Deletes the entry of a URL.
    pub async fn delete(&self, url: &str) -> HttpResponse {
        send(self.media_request(Method::DELETE, url)).await
    }

    /// Waits until this many entries have been stored: a response may end before its media is stored.
    pub async fn until_stored(&self, entries: u64) {
        soon(async { while self.stats().await["storage"]["stored"].as_u64().unwrap() < entries {} }).await;
    }

    /// The document at `/stats`.
    pub async fn stats(&self) -> serde_json::Value {
        let response = self.get("/stats").await;
        assert_eq!((response.status, response.header("content-type")), (200, "application/json"));
        response.json()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().unwrap() as i32).unwrap()
    }

    /// The processes that the service has started and that are still running.
    #[must_use]
    pub fn children(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid().as_raw_pid())).unwrap();
        let children = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        children.flat_map(|children| children.split_whitespace().map(Into::into).collect::<Vec<_>>()).collect()
    }

    /// The number of unnamed files that the service has open, not counting those in memory.
    #[must_use]
    pub fn unnamed_files(&self) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.pid().as_raw_pid())).unwrap();
        let targets = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
        let on_disk = targets.filter(|target| !target.to_string_lossy().starts_with("/memfd:"));
        on_disk.filter(|target| target.to_string_lossy().ends_with(" (deleted)")).count()
    }

    /// The resident memory of the service, in KiB.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Sets the limit on open files, and returns the previous one.
    pub fn limit_open_files(&self, files: u64) -> u64 {
        let before = prlimit(Some(self.pid()), Resource::Nofile, getrlimit(Resource::Nofile)).unwrap();
        prlimit(Some(self.pid()), Resource::Nofile, Rlimit { current: Some(files), ..before }).unwrap();
        before.current.unwrap()
    }

    /// Everything logged so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    /// Waits until a line of the log contains `words`.
    pub async fn wait_for_log(&self, words: &str) {
        let mut log = self.log.clone();
        let logged = soon(log.wait_for(|lines| lines.iter().any(|line| line.contains(words)))).await.map(drop);
        assert!(logged.is_ok(), "the log ended without {words:?}: {:?}", *self.log.borrow());
    }

    /// Waits for the service to end, and asserts that standard output had only the lines with addresses.
    pub async fn wait(mut self) -> ExitStatus {
        let status = soon(self.child.wait()).await.unwrap();
        let mut rest = String::new();
        soon(self.stdout.into_inner().read_to_string(&mut rest)).await.unwrap();
        assert_eq!(rest, "", "standard output is only for the addresses");
        status
    }

    /// Stops the service gracefully, and asserts that it exits successfully.
    pub async fn stop(self) {
        let log = self.log.clone();
        self.signal(Signal::TERM);
        let status = self.wait().await;
        assert_eq!(status.code(), Some(0), "{status}: {:?}", *log.borrow());
    }

    /// Kills the service.
    pub async fn kill(self) {
        self.signal(Signal::KILL);
        assert_eq!(self.wait().await.code(), None);
    }
}

/// Reads the log as it is written, so that the pipe never fills up.
fn collect(stderr: ChildStderr) -> watch::Receiver<Vec<String>> {
    let (lines, log) = watch::channel(Vec::new());
    tokio::spawn(async move {
        let mut stderr = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = stderr.next_line().await {
            lines.send_modify(|lines| lines.push(line));
        }
    });
    log
}
