//! Compiled policies are kept, and each is compiled once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use futures::future::BoxFuture;
use media_cache::policy::{CompileError, CompileJob, PolicyCompiler, run_compile_job};
use media_cache::{Engine, embedded};

/// Compiles in this process, and counts the jobs.
#[derive(Clone, Default)]
struct Compiler(Arc<AtomicU32>);

impl PolicyCompiler for Compiler {
    fn compile<'a>(&'a self, job: &'a CompileJob) -> BoxFuture<'a, Result<Vec<u8>, CompileError>> {
        self.0.fetch_add(1, Relaxed);
        let mut output = Vec::new();
        run_compile_job(job.input().concat().as_slice(), &mut output).unwrap();
        Box::pin(async { Ok(output) })
    }
}

fn engine(directory: &Path, compiler: &Compiler) -> Engine {
    Engine::keeping_compiled(directory.join("compiled")).unwrap().with_policy_compiler(Arc::new(compiler.clone()))
}

/// The component of a policy, followed by more bytes.
fn lru(more: &[u8]) -> Vec<u8> {
    [embedded::policy(embedded::LRU).unwrap(), more].concat()
}

#[tokio::test]
async fn uploaded_policy_is_compiled_once_for_all_engines_with_the_same_directory() {
    let (directory, compiler) = (tempfile::tempdir().unwrap(), Compiler::default());
    let first = engine(directory.path(), &compiler);
    let policy = first.compile_upload(lru(b"").into()).await.unwrap();
    for engine in [first, engine(directory.path(), &compiler)] {
        let again = engine.compile_upload(lru(b"").into()).await.unwrap();
        assert_eq!((again.digest(), again.origin()), (policy.digest(), policy.origin()));
    }
    assert_eq!(compiler.0.load(Relaxed), 1);

    // A section that changes only the bytes.
    engine(directory.path(), &compiler).compile_upload(lru(b"\0\x02\x01a").into()).await.unwrap();
    assert_eq!(compiler.0.load(Relaxed), 2);

    // Without the directory, nothing is kept.
    let forgetful = Engine::new().unwrap().with_policy_compiler(Arc::new(compiler.clone()));
    forgetful.compile_upload(lru(b"").into()).await.unwrap();
    forgetful.compile_upload(lru(b"").into()).await.unwrap();
    assert_eq!(compiler.0.load(Relaxed), 4);
}

#[tokio::test]
async fn policy_that_cannot_be_compiled_is_refused_every_time() {
    let (directory, compiler) = (tempfile::tempdir().unwrap(), Compiler::default());
    let engine = engine(directory.path(), &compiler);
    // A module with a function that returns a number, according to its type, but has no instructions.
    let invalid = lru(b"\x01\x19\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b");
    for jobs in 1..=2 {
        let error = engine.compile_upload(invalid.clone().into()).await.err().unwrap().to_string();
        assert!(error.contains("is not a component of the world `eviction-policy`"), "{error}");
        assert_eq!(compiler.0.load(Relaxed), jobs);
    }
}
