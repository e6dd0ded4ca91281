//! Compiles policies outside this process, where the cost can be limited.

use futures::future::BoxFuture;

use crate::policy::compile_error::CompileError;
use crate::policy::compile_job::CompileJob;

/// Compiles policies in another process. Programs that accept uploaded policies should use one: compiling a component can use gigabytes of
/// memory, and several CPUs for minutes, even within the static limits.
pub trait PolicyCompiler: Send + Sync + 'static {
    /// Passes [the input](CompileJob::input) of a job to a process of the same program that calls
    /// [`run_compile_job`](crate::policy::run_compile_job), and returns the output of that process. Dropping the future must end the
    /// process.
    ///
    /// # Errors
    /// The process exceeds a limit, or cannot be started.
    fn compile<'a>(&'a self, job: &'a CompileJob) -> BoxFuture<'a, Result<Vec<u8>, CompileError>>;
}
