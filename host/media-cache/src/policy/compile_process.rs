//! The process that compiles a policy for another process.

use std::io::{self, Read, Write};

use crate::policy::compile_job::{COMPILED, INVALID, KEY, sealed};
use crate::policy::engine::PolicyEngine;

/// Compiles a policy: reads a job, and writes its result. This runs in the process that a [`PolicyCompiler`](crate::policy::PolicyCompiler)
/// starts, which should be the same program.
///
/// # Errors
/// The job cannot be read, the result cannot be written, or this machine cannot run WebAssembly. If a component cannot be compiled, that is
/// a result, not an error.
pub fn run_compile_job(mut job: impl Read, mut result: impl Write) -> io::Result<()> {
    let mut key = [0; KEY];
    job.read_exact(&mut key)?;
    let mut component = Vec::new();
    job.read_to_end(&mut component)?;
    let engine = PolicyEngine::new().map_err(io::Error::other)?;
    let (kind, bytes) = match engine.wasmtime().precompile_component(&component) {
        Ok(artifact) => (COMPILED, artifact),
        Err(error) => (INVALID, format!("{error:#}").into_bytes()),
    };
    drop(component);
    let bytes = [&[kind], &bytes[..]].concat();
    result.write_all(&sealed(&key, &bytes))?;
    result.write_all(&bytes)?;
    result.flush()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::policy::compile_error::CompileError;
    use crate::policy::compile_job::CompileJob;

    fn run(job: &CompileJob) -> Vec<u8> {
        let mut result = Vec::new();
        run_compile_job(job.input().concat().as_slice(), &mut result).unwrap();
        result
    }

    #[test]
    fn result_is_loaded_only_for_its_own_job_and_only_if_complete() {
        let engine = PolicyEngine::new().unwrap();
        let component = Bytes::from_static(crate::embedded::policy("lru").unwrap());
        let (job, other) = (CompileJob::new(component.clone()), CompileJob::new(component));
        let result = run(&job);
        assert!(job.load(engine.wasmtime(), &result).is_ok());
        let refused = |job: &CompileJob, result: &[u8]| match job.load(engine.wasmtime(), result) {
            Err(CompileError::Broken(why)) => why.contains("did not return a complete result"),
            _ => false,
        };
        assert!(refused(&other, &result), "it is not the result of this job");
        assert!(refused(&job, &result[..result.len() - 1]) && refused(&job, &result[1..]) && refused(&job, b""));
        let mut changed = result;
        *changed.last_mut().unwrap() ^= 1;
        assert!(refused(&job, &changed));
    }

    #[test]
    fn compile_error_is_returned_as_the_result_of_its_job() {
        let job = CompileJob::new(Bytes::from_static(b"\0asm\x0d\0\x01\0\xff"));
        let loaded = job.load(PolicyEngine::new().unwrap().wasmtime(), &run(&job));
        assert!(matches!(loaded, Err(CompileError::Invalid(why)) if !why.is_empty()));
    }
}
