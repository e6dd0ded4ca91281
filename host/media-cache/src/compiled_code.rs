//! Loads compiled components. Nothing else in this library is `unsafe`.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Loads what compiling a component gave. The caller has made sure that this is what `artifact` is, and that it was neither made nor changed
/// by anybody who may not run code in this process.
#[allow(unsafe_code, reason = "the only way to load compiled code")]
pub(crate) fn deserialize(engine: &Engine, artifact: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: callers pass only what this program wrote: the result of a job whose key nobody else knows, or a file that nobody but the user of
    // this process can write. Wasmtime itself checks that its version and the configuration of the engine are the same.
    unsafe { Component::deserialize(engine, artifact) }
}
