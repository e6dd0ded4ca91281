//! Compiles uploaded policies in a child process of this program, under resource limits: if compiling a component exceeds a limit, only
//! that process ends, and the service continues.

use std::io;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use futures::future::BoxFuture;
use media_cache::policy::{CompileError, CompileJob, PolicyCompiler, run_compile_job};
use rustix::process::{Resource, Rlimit, nice, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::storage::MIB;

/// The maximum size of a compiled policy, in bytes. A policy that contains an interpreter has about a hundred million.
const MAX_COMPILED_BYTES: u64 = 512 << 20;

/// The niceness of the compiler, so that serving requests has priority.
const NICENESS: i32 = 10;

/// Resource limits for compiling an uploaded policy.
#[derive(Args, Clone, Copy)]
#[command(next_help_heading = "Eviction policy")]
pub struct CompileLimits {
    /// The maximum memory for compiling an uploaded policy, in MiB; a policy that contains an interpreter needs about 500
    #[arg(long, value_name = "MB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(256..=1 << 20))]
    policy_compile_memory_mb: u64,
    /// The maximum processor time for compiling an uploaded policy, in seconds, summed over all cores
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    policy_compile_cpu_seconds: u64,
    /// The maximum time for compiling an uploaded policy, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    policy_compile_seconds: u64,
}

impl CompileLimits {
    /// A compiler with these limits.
    pub fn compiler(self) -> Arc<dyn PolicyCompiler> {
        Arc::new(ChildCompiler(self))
    }

    fn out_of_memory(self) -> CompileError {
        let limit = self.policy_compile_memory_mb;
        CompileError::TooCostly(format!("it takes more memory than {limit} MiB (--policy-compile-memory-mb)"))
    }

    fn out_of_processor_time(self) -> CompileError {
        let limit = self.policy_compile_cpu_seconds;
        CompileError::TooCostly(format!("it takes more processor time than {limit} s (--policy-compile-cpu-seconds)"))
    }

    fn out_of_time(self) -> CompileError {
        CompileError::TooCostly(format!("it takes longer than {} s (--policy-compile-seconds)", self.policy_compile_seconds))
    }
}

/// Compiles each policy in a child process, which ends when its future is dropped.
struct ChildCompiler(CompileLimits);

impl PolicyCompiler for ChildCompiler {
    fn compile<'a>(&'a self, job: &'a CompileJob) -> BoxFuture<'a, Result<Vec<u8>, CompileError>> {
        let Self(limits) = *self;
        Box::pin(async move {
            let child = start(limits).map_err(|error| broken("cannot start the process that compiles policies", &error))?;
            let limit = Duration::from_secs(limits.policy_compile_seconds);
            timeout(limit, exchange(child, job, limits)).await.unwrap_or_else(|_| Err(limits.out_of_time()))
        })
    }
}

fn start(limits: CompileLimits) -> io::Result<Child> {
    Command::new(this_program()?)
        .args([COMMAND, &limits.policy_compile_memory_mb.to_string(), &limits.policy_compile_cpu_seconds.to_string()])
        .env_clear()
        // Otherwise the allocator would reserve a gigabyte up front, which counts as used.
        .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}

/// This program as it runs, even if its file has been replaced by another version in the meantime.
fn this_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// Sends the job to the child, and receives its output.
async fn exchange(mut child: Child, job: &CompileJob, limits: CompileLimits) -> Result<Vec<u8>, CompileError> {
    let failed = |error| broken("cannot communicate with the process that compiles policies", &error);
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(failed(io::ErrorKind::BrokenPipe.into()));
    };
    for part in job.input() {
        // The exit status of a child that ends early shows why.
        if input.write_all(part).await.is_err() {
            break;
        }
    }
    drop(input);
    let mut result = Vec::new();
    output.take(MAX_COMPILED_BYTES + 1).read_to_end(&mut result).await.map_err(failed)?;
    if result.len() as u64 > MAX_COMPILED_BYTES {
        return Err(CompileError::TooCostly(format!("its compiled form exceeds {} MiB", MAX_COMPILED_BYTES / MIB)));
    }
    match child.wait().await.map_err(failed)? {
        status if status.success() => Ok(result),
        status => Err(limits.exceeded(status)),
    }
}

impl CompileLimits {
    /// The limit that a process with this exit status has exceeded.
    fn exceeded(self, status: ExitStatus) -> CompileError {
        use rustix::process::Signal;
        use std::os::unix::process::ExitStatusExt;
        match status.signal().and_then(Signal::from_named_raw) {
            Some(Signal::XCPU) => self.out_of_processor_time(),
            // The program aborts if it cannot allocate memory; the system may also kill it.
            Some(Signal::ABORT | Signal::SEGV | Signal::BUS | Signal::KILL) => self.out_of_memory(),
            _ => CompileError::Broken(format!("the process that compiles policies ended with {status}")),
        }
    }
}

fn broken(what: &str, error: &io::Error) -> CompileError {
    CompileError::Broken(format!("{what}: {error}"))
}

/// The name of the command, which only this program itself runs.
const COMMAND: &str = "compile-policy";

/// `media-cache compile-policy`: compiles the policy of a job on standard input.
#[derive(Args)]
pub struct CompilePolicy {
    memory_mb: u64,
    cpu_seconds: u64,
}

impl CompilePolicy {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let limit = |resource, limit: u64| setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) });
        limit(Resource::Data, self.memory_mb.saturating_mul(MIB)).context("cannot limit the memory")?;
        // If the hard limit is above the soft one, the signal shows which limit was exceeded.
        let time = Rlimit { current: Some(self.cpu_seconds), maximum: Some(self.cpu_seconds.saturating_add(1)) };
        setrlimit(Resource::Cpu, time).context("cannot limit the processor time")?;
        limit(Resource::Core, 0).context("cannot limit the size of dumps")?;
        // This is optional, so an error is ignored.
        let _ = nice(NICENESS);
        #[expect(clippy::disallowed_methods, reason = "the output is a compiled policy for the service, and not for a terminal")]
        run_compile_job(io::stdin().lock(), io::stdout().lock())?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn error_for_an_exceeded_limit_names_its_option() {
        let limits = CompileLimits { policy_compile_memory_mb: 64, policy_compile_cpu_seconds: 7, policy_compile_seconds: 9 };
        let named = |signal| limits.exceeded(ExitStatus::from_raw(signal)).to_string();
        assert_eq!(named(24), "it takes more processor time than 7 s (--policy-compile-cpu-seconds)");
        assert_eq!(named(6), "it takes more memory than 64 MiB (--policy-compile-memory-mb)");
        assert!(matches!(limits.exceeded(ExitStatus::from_raw(1 << 8)), CompileError::Broken(_)));
    }
}
