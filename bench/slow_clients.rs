//! A load test: slow clients and a stream of distinct URLs, while an ordinary client requests a stored entry.
//!
//! ```sh
//! cargo bench --bench slow_clients -- [SECONDS] [SLOW CLIENTS] [CLIENTS OF NEW URLS]
//! ```
//!
//! The slow clients are of four kinds, in equal parts: some drip the head of a request, some drip a body, some read a response of 10 MiB a
//! few bytes at a time, and some send nothing. Each reconnects a second after its connection is closed. Each client of new URLs sends one
//! request after the other, and waits at most a tenth of a second for each; the origin answers seven of ten immediately, two after a
//! second, and one never. All clients share the machine with the service.
//!
//! The bench prints the memory, open files and threads of the service every second, and the latencies of the ordinary client before and
//! during the load.

mod load;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use media_cache_test_support::http_client::media_path;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use load::{LARGE, Load, SMALL};

fn main() -> anyhow::Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse::<u64>().ok());
    let mut number = |default| numbers.next().unwrap_or(default);
    let (seconds, slow, fresh) = (number(60), number(1000), number(48));
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let origin = runtime.block_on(load::origin())?;
    let directory = tempfile::tempdir()?;
    let mut service = Service::start(directory.path())?;
    let known = media_path(&format!("http://{origin}/known/picture.png"));
    let large = media_path(&format!("http://{origin}/large/film.mp4"));
    for (path, length) in [(&known, SMALL), (&large, LARGE)] {
        let got = Hits::new(service.address)?.get(path)?;
        ensure!(got == length, "{path}: {got} bytes instead of {length}");
    }

    let before = Hits::new(service.address)?.ask_for(&known, Duration::from_secs(seconds.min(10)), &AtomicBool::new(false))?;
    println!("{slow} slow clients and {fresh} clients of new URLs for {seconds} s, {} processors shared with them", processors());
    println!("at rest: {}", service.usage()?);
    println!("{:>4} {:>9} {:>9} {:>6} {:>8} {:>10} {:>9}", "s", "RSS MiB", "peak MiB", "files", "threads", "requests", "closed");
    let (load, over) = (Arc::new(Load::new(origin, service.address, large)), Arc::new(AtomicBool::new(false)));
    runtime.spawn(load.clone().start(slow, fresh));
    let (address, watched) = (service.address, over.clone());
    let hits = std::thread::spawn(move || Hits::new(address)?.ask_for(&known, Duration::from_secs(seconds), &watched));
    let start = Instant::now();
    for second in 1..=seconds {
        std::thread::sleep((start + Duration::from_secs(second)).saturating_duration_since(Instant::now()));
        let Usage { resident, peak, files, threads } = service.usage()?;
        let (asked, closed) = (load.requested(), load.closed.load(Ordering::Relaxed));
        println!("{second:>4} {resident:>9} {peak:>9} {files:>6} {threads:>8} {asked:>10} {closed:>9}");
    }
    over.store(true, Ordering::Relaxed);
    let during = hits.join().map_err(|_| anyhow::anyhow!("the ordinary client panicked"))??;
    println!("\nresponses for new URLs: {}", load.answers());
    println!("hits before: {before}\nhits during: {during}");
    println!("at the end: {}", service.usage()?);
    drop(runtime);
    service.stop()?;
    ensure!(during.failed == 0, "the ordinary client was not always served");
    Ok(())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The service, killed when it is dropped.
struct Service {
    child: Child,
    address: SocketAddr,
}

impl Service {
    fn start(directory: &std::path::Path) -> anyhow::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_media-cache"));
        let token = directory.join("token");
        std::fs::write(&token, load::TOKEN)?;
        command.arg("serve").arg("--admin-token-file").arg(token);
        command
            .args(["--listen", "127.0.0.1:0", "--max-size-mb", "300", "--allow-address", "127.0.0.0/8", "--dir"])
            .arg(directory.join("cache"));
        command.env("RUST_LOG", "error").stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("the service has no output")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://").context("the service did not print its address")?.parse()?;
        Ok(Self { child, address })
    }

    fn usage(&self) -> anyhow::Result<Usage> {
        let of = format!("/proc/{}", self.child.id());
        let status = std::fs::read_to_string(format!("{of}/status"))?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            number.with_context(|| format!("there is no {name}"))
        };
        let files = std::fs::read_dir(format!("{of}/fd"))?.count();
        let (resident, peak) = (number("VmRSS:")? >> 10, number("VmHWM:")? >> 10);
        Ok(Usage { resident, peak, files, threads: number("Threads:")? })
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        let pid = Pid::from_raw(self.child.id().try_into()?).context("the service has no process id")?;
        kill_process(pid, Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the service exited with {status}");
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may already have ended.
        let _ = self.child.kill();
    }
}

/// The resources of the service; memory in MiB.
struct Usage {
    resident: u64,
    peak: u64,
    files: usize,
    threads: u64,
}

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { resident, peak, files, threads } = self;
        write!(f, "{resident} MiB resident, {peak} MiB at most, {files} files, {threads} threads")
    }
}

/// An ordinary client on a separate thread, so that it measures the service rather than the other clients.
struct Hits {
    connection: BufReader<TcpStream>,
}

/// The results of an ordinary client.
struct Fared {
    latencies: Vec<Duration>,
    failed: usize,
}

impl Hits {
    fn new(address: SocketAddr) -> anyhow::Result<Self> {
        let connection = TcpStream::connect(address)?;
        connection.set_read_timeout(Some(Duration::from_secs(30)))?;
        connection.set_nodelay(true)?;
        Ok(Self { connection: BufReader::new(connection) })
    }

    /// Gets a path, and returns the size of the body.
    fn get(&mut self, path: &str) -> anyhow::Result<u64> {
        self.connection.get_mut().write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())?;
        let (mut status, mut length, mut line) = (String::new(), 0, String::new());
        self.connection.read_line(&mut status)?;
        while line != "\r\n" {
            line.clear();
            ensure!(self.connection.read_line(&mut line)? > 0, "the response was cut off");
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse()?;
            }
        }
        let taken = std::io::copy(&mut (&mut self.connection).take(length), &mut std::io::sink())?;
        ensure!(status.starts_with("HTTP/1.1 200 ") && taken == length, "{status}");
        Ok(taken)
    }

    /// Requests a path 200 times a second for this time, or until `over` is set.
    fn ask_for(mut self, path: &str, time: Duration, over: &AtomicBool) -> anyhow::Result<Fared> {
        let (mut fared, start) = (Fared { latencies: Vec::new(), failed: 0 }, Instant::now());
        while start.elapsed() < time && !over.load(Ordering::Relaxed) {
            let asked = Instant::now();
            match self.get(path) {
                Ok(_) => fared.latencies.push(asked.elapsed()),
                Err(error) => {
                    eprintln!("the ordinary client: {error}");
                    fared.failed += 1;
                    self = Self::new(self.connection.get_ref().peer_addr()?)?;
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        fared.latencies.sort_unstable();
        Ok(fared)
    }
}

impl std::fmt::Display for Fared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.latencies.len();
        let at = |share: f64| self.latencies.get(((count as f64 * share) as usize).min(count.saturating_sub(1)));
        let ms = |share| at(share).map_or(0.0, |time| time.as_secs_f64() * 1000.0);
        write!(
            f,
            "{count} served, {} failed; median {:.2} ms, 99 % within {:.1} ms, worst {:.1} ms",
            self.failed,
            ms(0.5),
            ms(0.99),
            ms(1.0)
        )
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
