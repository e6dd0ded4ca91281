//! If the log is not read, or cannot be stored, only log lines are lost.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, PipeReader, PipeWriter, Write};
use std::time::{Duration, Instant};

use media_cache_test_support::binary::binary;
use media_cache_test_support::http_client::http_client;
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::soon::soon;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};

use crate::scrape::Scrape;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

/// Much less than the time limits of a shutdown.
const PROMPT: Duration = Duration::from_secs(20);

/// A full pipe, on which every write waits for the reader.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    let line = [&[b'.'; 4095][..], b"\n"].concat();
    while let Ok(written) = writer.write(&line) {
        assert!(written > 0);
    }
    assert_eq!(writer.write(b"\n").unwrap_err().kind(), ErrorKind::WouldBlock);
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

/// The number of lost log lines.
async fn lost(service: &Service, reason: &str) -> f64 {
    Scrape::of(service).await.sum("media_cache_log_lines_lost_total", &[("reason", reason)])
}

/// Sends requests that are logged with about eight KiB each: in total more than the log keeps if nothing reads it.
async fn log_a_lot(service: &Service) {
    for number in 0..700 {
        let url = format!("no URL {number} {}", "x".repeat(8000));
        service.media(&url).await.problem(400);
    }
}

/// A service that logs failed requests with their URLs.
async fn serve(dir: &ServiceDirectory, stderr: impl Into<std::process::Stdio>) -> Service {
    let arguments = ["--log-requests", "errors", "--log-urls", "full"];
    let service = Service::start_logging_to(&dir.cache(), stderr, &arguments).await;
    assert_eq!(service.put(NOWHERE, "image/png", png(1)).await.status, 201);
    service
}

/// Stops a service. It must stop quickly and leave an index behind.
async fn stop_promptly(dir: &ServiceDirectory, service: Service) {
    let begun = Instant::now();
    service.stop().await;
    assert!(begun.elapsed() < PROMPT, "{:?}", begun.elapsed());
    let service = dir.serve().await;
    let load = &service.stats().await["load"];
    assert_eq!((&load["entries"], &load["from_index"]), (&1.into(), &1.into()));
}

#[tokio::test]
async fn full_log_pipe_blocks_neither_requests_nor_shutdown() {
    let (dir, (reader, writer)) = (ServiceDirectory::create(), full_pipe());
    let service = serve(&dir, writer).await;
    log_a_lot(&service).await;
    assert!(lost(&service, "queue-full").await > 100.0);
    assert_eq!(service.media(NOWHERE).await.is("hit").body, png(1));
    stop_promptly(&dir, service).await;
    drop(reader);
}

#[tokio::test]
async fn log_reports_the_number_of_lost_lines_once_it_is_read_again() {
    let (dir, (reader, writer)) = (ServiceDirectory::create(), full_pipe());
    let service = serve(&dir, writer).await;
    log_a_lot(&service).await;
    let lines = lost(&service, "queue-full").await;
    let (sender, mut log) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || BufReader::new(reader).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let report = soon(async {
        loop {
            let line = log.recv().await.unwrap();
            if line.contains("log lines were lost") {
                break line;
            }
        }
    });
    let report = report.await;
    assert!(report.contains(" WARN ") && report.ends_with(&format!("lost={lines}")), "{report}");
    service.media("no URL after that").await.problem(400);
    let next = soon(log.recv()).await.unwrap();
    assert!(next.contains("no URL after that"), "{next}");
    stop_promptly(&dir, service).await;
}

#[tokio::test]
async fn closed_log_pipe_blocks_neither_requests_nor_shutdown() {
    let dir = ServiceDirectory::create();
    let (reader, writer) = std::io::pipe().unwrap();
    let service = serve(&dir, writer).await;
    drop(reader);
    service.media("no URL").await.problem(400);
    service.media(NOWHERE).await.is("hit");
    soon(async { while lost(&service, "write-failed").await == 0.0 {} }).await;
    stop_promptly(&dir, service).await;
}

#[tokio::test]
async fn log_on_a_full_disk_blocks_neither_requests_nor_shutdown() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, File::options().write(true).open("/dev/full").unwrap()).await;
    service.media("no URL").await.problem(400);
    assert_eq!(service.media(NOWHERE).await.is("hit").body, png(1));
    soon(async { while lost(&service, "write-failed").await == 0.0 {} }).await;
    stop_promptly(&dir, service).await;
}

#[tokio::test]
async fn full_standard_output_pipe_does_not_block_requests() {
    let (dir, (_reader, writer)) = (ServiceDirectory::create(), full_pipe());
    let mut command = binary(["serve", "--listen", "127.0.0.1:0", "--dir"]);
    command.arg(dir.cache()).stdout(writer);
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
    let mut log = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stderr.take().unwrap()));
    let address = soon(async {
        loop {
            let line = log.next_line().await.unwrap().unwrap();
            if let Some((_, rest)) = line.split_once("serving version=") {
                break rest.split_once("address=").unwrap().1.split(' ').next().unwrap().to_owned();
            }
        }
    })
    .await;
    let response = soon(http_client().get(format!("http://{address}/healthz")).send()).await.unwrap();
    assert_eq!(response.status(), 200);
    kill_process(Pid::from_raw(child.id().unwrap() as i32).unwrap(), Signal::TERM).unwrap();
    assert_eq!(soon(child.wait()).await.unwrap().code(), Some(0));
}
