//! Jobs for the process that compiles policies, and how their results are loaded.
//!
//! Compiled code is trusted: it runs in this process, outside any sandbox. So only the output that `run_compile_job` wrote for this very
//! job, in a process of the same program, may be loaded. Each job has a secret key that seals its result. Output without this seal, such as
//! a truncated result or the result of another job, is refused.

use std::hash::{BuildHasher, Hasher, RandomState};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compiled_code::deserialize;
use crate::policy::compile_error::CompileError;

pub(super) const KEY: usize = 32;
const SEAL: usize = 32;

/// The first byte of a result.
pub(super) const COMPILED: u8 = 0;
pub(super) const INVALID: u8 = 1;

/// A policy to compile in another process.
pub struct CompileJob {
    key: [u8; KEY],
    component: Bytes,
}

impl CompileJob {
    pub(crate) fn new(component: Bytes) -> Self {
        let mut key = [0; KEY];
        for part in key.chunks_mut(8) {
            part.copy_from_slice(&RandomState::new().build_hasher().finish().to_ne_bytes());
        }
        Self { key, component }
    }

    /// The input of [`run_compile_job`](crate::policy::run_compile_job), in two parts.
    #[must_use]
    pub fn input(&self) -> [&[u8]; 2] {
        [&self.key, &self.component]
    }

    /// The compiled code in the result that `run_compile_job` wrote for this job.
    pub(crate) fn artifact<'a>(&self, output: &'a [u8]) -> Result<&'a [u8], CompileError> {
        let broken = || CompileError::Broken("the process that compiles policies did not return a complete result".into());
        let (seal, result) = output.split_at_checked(SEAL).ok_or_else(broken)?;
        if seal != sealed(&self.key, result) {
            return Err(broken());
        }
        match result {
            [COMPILED, artifact @ ..] => Ok(artifact),
            [INVALID, why @ ..] => Err(CompileError::Invalid(String::from_utf8_lossy(why).into_owned())),
            _ => Err(broken()),
        }
    }

    /// Loads the result that `run_compile_job` wrote for this job.
    pub(crate) fn load(&self, engine: &Engine, output: &[u8]) -> Result<Component, CompileError> {
        deserialize(engine, self.artifact(output)?)
            .map_err(|error| CompileError::Broken(format!("the compiled policy cannot be loaded: {error:#}")))
    }
}

/// Seals a result with the key of its job.
pub(super) fn sealed(key: &[u8; KEY], result: &[u8]) -> [u8; SEAL] {
    Sha256::new().chain_update(key).chain_update(Sha256::digest(result)).finalize().into()
}
