//! Loads compiled components. Nothing else in this library is `unsafe`.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Loads the result of compiling a component. The caller must make sure that `artifact` is such a result, and that it was neither created
/// nor changed by anyone who must not run code in this process.
#[allow(unsafe_code, reason = "the only way to load compiled code")]
pub(crate) fn deserialize(engine: &Engine, artifact: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: callers only pass data that this program wrote: the result of a job whose key is secret, or a file that only the user of this
    // process can write. Wasmtime itself checks that its version and the engine's configuration match.
    unsafe { Component::deserialize(engine, artifact) }
}
