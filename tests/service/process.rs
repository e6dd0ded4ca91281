//! The binary: as a service that runs until it is dropped, and as a command that runs to its end.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use http::Method;
use reqwest::RequestBuilder;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, kill_process, prlimit};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::watch;

pub use rustix::process::Signal;

use crate::client::{ADMIN_TOKEN, Answer, Client, media_of};
use crate::origin::Gate;

/// Waits for something that might never come, where a test is to fail rather than to hang.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it takes far too long")
}

/// The binary with arguments, on a directory. The first says what to do; what downloads may do so from the origins of these tests.
fn command<A: AsRef<OsStr>>(directory: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut arguments = arguments.into_iter().peekable();
    let downloads = arguments.peek().is_some_and(|name| ["serve", "get", "put"].map(OsStr::new).contains(&name.as_ref()));
    let mut command = binary(arguments);
    command.arg("--dir").arg(directory);
    if downloads {
        command.args(["--allow-address", "127.0.0.0/8"]);
    }
    command
}

/// The binary with arguments.
fn binary<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_media-cache"));
    command.args(arguments);
    command.env_remove("RUST_LOG").kill_on_drop(true);
    // What whoever runs the tests has set up for a service of their own is not for those of the tests.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"MEDIA_CACHE_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A service that may have so many files open, with a token for administration.
fn with_files(directory: &Path, files: u64, arguments: &[&str]) -> Command {
    let token_file = directory.with_file_name("admin-token");
    write_secret(&token_file, ADMIN_TOKEN);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_media-cache"), "serve"]);
    command.args(["--listen", "127.0.0.1:0", "--dir"]).arg(directory).arg("--admin-token-file").arg(token_file).args(arguments);
    command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Writes a file that nobody else can read.
pub fn write_secret(path: &Path, secret: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, format!("{secret}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// What a command left behind.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Finished {
    /// What it wrote, if all went well.
    #[track_caller]
    pub fn succeeded(self) -> Vec<u8> {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// What it wrote, as text, if all went well.
    #[track_caller]
    pub fn said(self) -> String {
        String::from_utf8(self.succeeded()).unwrap()
    }

    /// What it complained of: it has to have failed, in words of its own, and to have written nothing else.
    #[track_caller]
    pub fn complained(self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(self.stderr.contains("media-cache: ") && !self.stderr.contains("panicked"), "{}", self.stderr);
        assert!(self.stdout.is_empty(), "{}", String::from_utf8_lossy(&self.stdout));
        self.stderr
    }
}

/// Runs a command to its end, with nothing on standard input.
pub async fn run(directory: &Path, arguments: &[&str]) -> Finished {
    run_with_input(directory, arguments, &[]).await
}

/// Runs a command that has no directory to its end, with nothing on standard input.
pub async fn run_alone(arguments: &[&str]) -> Finished {
    finish(binary(arguments), &[]).await
}

/// Runs a command that has a directory to work in and these variables, and neither options nor input, to its end.
pub async fn run_within(directory: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Finished {
    let mut command = binary(arguments);
    command.current_dir(directory).envs(variables.iter().copied());
    finish(command, &[]).await
}

/// Runs a command to its end.
pub async fn run_with_input(directory: &Path, arguments: &[&str], input: &[u8]) -> Finished {
    finish(command(directory, arguments), input).await
}

async fn finish(mut command: Command, input: &[u8]) -> Finished {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feed = async {
        // A command that does not read what it is given has its reasons.
        let _ = stdin.write_all(input).await;
        drop(stdin);
    };
    let (output, ()) = soon(futures::future::join(child.wait_with_output(), feed)).await;
    let output = output.unwrap();
    Finished { code: output.status.code(), stdout: output.stdout, stderr: String::from_utf8(output.stderr).unwrap() }
}

/// A service that runs; killed when this is dropped.
pub struct Service {
    child: Child,
    address: SocketAddr,
    token_file: PathBuf,
    stdout: Lines<BufReader<ChildStdout>>,
    log: watch::Receiver<Vec<String>>,
    client: Client,
}

impl Service {
    /// Starts one on a port that the system picks, with a token for administration, and waits until it says which.
    pub async fn start(directory: &Path, arguments: &[&str]) -> Self {
        let token_file = directory.with_file_name("admin-token");
        write_secret(&token_file, ADMIN_TOKEN);
        let of_its_own = ["--listen", "127.0.0.1:0", "--admin-token-file", token_file.to_str().unwrap()];
        Self::start_with_only(directory, &[&of_its_own, arguments].concat()).await
    }

    /// Starts one with these arguments and no others, and waits until it says on which port.
    pub async fn start_with_only(directory: &Path, arguments: &[&str]) -> Self {
        let mut command = command(directory, ["serve"]);
        command.args(arguments);
        Self::spawn(command, directory.with_file_name("admin-token")).await
    }

    /// Starts one that has a directory to work in and these variables, and waits until it says where it listens.
    pub async fn start_within(directory: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut command = binary(["serve"]);
        command.args(arguments).current_dir(directory).envs(variables.iter().copied());
        Self::spawn(command, directory.join("admin-token")).await
    }

    /// Starts one that may have so many files open.
    pub async fn start_with_files(directory: &Path, files: u64, arguments: &[&str]) -> Self {
        Self::spawn(with_files(directory, files, arguments), directory.with_file_name("admin-token")).await
    }

    /// Starts one that may have so many files open, and waits for its end.
    pub async fn fail_with_files(directory: &Path, files: u64, arguments: &[&str]) -> Finished {
        finish(with_files(directory, files, arguments), &[]).await
    }

    async fn spawn(mut command: Command, token_file: PathBuf) -> Self {
        let mut child = command.spawn().unwrap();
        let log = collect(child.stderr.take().unwrap());
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = soon(stdout.next_line()).await.unwrap();
        let address = first.as_deref().and_then(|line| line.strip_prefix("listening on http://"));
        let address = address.unwrap_or_else(|| panic!("it said {first:?} and {:?}", *log.borrow())).parse().unwrap();
        Self { child, address, token_file, stdout, log, client: Client::new() }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A file with the token for administration.
    pub fn token_file(&self) -> &str {
        self.token_file.to_str().unwrap()
    }

    /// Where administration needs no token, which is the second line on standard output. There has to be such a listener.
    pub async fn administration(&mut self) -> SocketAddr {
        let second = soon(self.stdout.next_line()).await.unwrap().unwrap();
        second.strip_prefix("administration on http://").unwrap_or_else(|| panic!("it said {second:?}")).parse().unwrap()
    }

    /// A request for a path of the service, with the token if that is administration.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let administers =
            path.starts_with("/polic") || path.starts_with("/entries") || !matches!(method, Method::GET | Method::HEAD);
        let request = self.bare_request(method, path);
        if administers { request.bearer_auth(ADMIN_TOKEN) } else { request }
    }

    /// A request for a path of the service without any token.
    pub fn bare_request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, &format!("http://{}{path}", self.address))
    }

    /// A request for the media of a URL.
    pub fn about(&self, method: Method, url: &str) -> RequestBuilder {
        self.request(method, &media_of(url))
    }

    /// Asks for the media of a URL, and goes away when the origin has been reached.
    pub async fn ask_and_leave(&self, url: &str, gate: &Gate) {
        tokio::select! {
            answer = self.about(Method::GET, url).send() => panic!("{answer:?}"),
            () = gate.reached() => {}
        }
    }

    /// Gets a path of the service.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await
    }

    /// Gets the media of a URL.
    pub async fn media(&self, url: &str) -> Answer {
        Answer::to(self.about(Method::GET, url)).await
    }

    /// Puts media for a URL.
    pub async fn put(&self, url: &str, mimetype: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::to(self.about(Method::PUT, url).header("content-type", mimetype).body(body)).await
    }

    /// Deletes what is behind a URL.
    pub async fn delete(&self, url: &str) -> Answer {
        Answer::to(self.about(Method::DELETE, url)).await
    }

    /// What `/stats` says.
    pub async fn stats(&self) -> serde_json::Value {
        let answer = self.get("/stats").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        answer.json()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().unwrap() as i32).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// From now on it may open no file whose number is as large as this. Says what it was before.
    pub fn allow_files(&self, files: u64) -> u64 {
        let before = prlimit(Some(self.pid()), Resource::Nofile, getrlimit(Resource::Nofile)).unwrap();
        prlimit(Some(self.pid()), Resource::Nofile, Rlimit { current: Some(files), ..before }).unwrap();
        before.current.unwrap()
    }

    /// Waits until a line of the log contains `words`.
    pub async fn logs(&self, words: &str) {
        let mut log = self.log.clone();
        let logged = soon(log.wait_for(|lines| lines.iter().any(|line| line.contains(words)))).await.map(drop);
        assert!(logged.is_ok(), "it ended without a word of {words:?}: {:?}", *self.log.borrow());
    }

    /// Waits for the end. The line with the address has to have been the only one on standard output.
    pub async fn wait(mut self) -> ExitStatus {
        let status = soon(self.child.wait()).await.unwrap();
        let mut rest = String::new();
        soon(self.stdout.into_inner().read_to_string(&mut rest)).await.unwrap();
        assert_eq!(rest, "", "standard output is for the address");
        status
    }

    /// Stops it as it is meant to be stopped.
    pub async fn stop(self) {
        let log = self.log.clone();
        self.signal(Signal::TERM);
        let status = self.wait().await;
        assert_eq!(status.code(), Some(0), "{status}: {:?}", *log.borrow());
    }

    /// Stops it so that it has no say in it.
    pub async fn kill(self) {
        self.signal(Signal::KILL);
        assert_eq!(self.wait().await.code(), None);
    }

    /// All that it logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }
}

/// Reads the log as it is written: a pipe that nobody reads fills up.
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
