//! Inert streams and pollables: output is discarded, input is at its end, and everything is ready.
//!
//! The implementations in `wasmtime-wasi` would block their thread on an executor. This panics on a thread that already runs an executor,
//! such as a cache's.

use wasmtime::Result;
use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::sync::io::{poll, streams};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, StreamError, StreamResult};

/// How many bytes may be written in one call.
const AT_ONCE: u64 = 1 << 16;

/// Streams whose handles are in a table.
pub(super) struct Inert<'a>(pub &'a mut ResourceTable);

/// Identifies [`Inert`] to a linker.
pub(super) struct Streams;

impl HasData for Streams {
    type Data<'a> = Inert<'a>;
}

impl poll::Host for Inert<'_> {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> Result<Vec<u32>> {
        match pollables.len() {
            0 => Err(wasmtime::Error::msg("it tried to wait for nothing")),
            len => Ok((0..len as u32).collect()),
        }
    }
}

impl poll::HostPollable for Inert<'_> {
    fn ready(&mut self, _pollable: Resource<DynPollable>) -> Result<bool> {
        Ok(true)
    }

    fn block(&mut self, _pollable: Resource<DynPollable>) -> Result<()> {
        Ok(())
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        poll::HostPollable::drop(self.0, pollable)
    }
}

impl streams::Host for Inert<'_> {
    fn convert_stream_error(&mut self, error: StreamError) -> Result<streams::StreamError> {
        streams::Host::convert_stream_error(self.0, error)
    }
}

impl streams::HostInputStream for Inert<'_> {
    fn read(&mut self, _stream: Resource<DynInputStream>, _len: u64) -> StreamResult<Vec<u8>> {
        Err(StreamError::Closed)
    }

    fn blocking_read(&mut self, _stream: Resource<DynInputStream>, _len: u64) -> StreamResult<Vec<u8>> {
        Err(StreamError::Closed)
    }

    fn skip(&mut self, _stream: Resource<DynInputStream>, _len: u64) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn blocking_skip(&mut self, _stream: Resource<DynInputStream>, _len: u64) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn subscribe(&mut self, stream: Resource<DynInputStream>) -> Result<Resource<DynPollable>> {
        streams::HostInputStream::subscribe(self.0, stream)
    }

    fn drop(&mut self, stream: Resource<DynInputStream>) -> Result<()> {
        self.0.delete(stream)?;
        Ok(())
    }
}

impl streams::HostOutputStream for Inert<'_> {
    fn check_write(&mut self, _stream: Resource<DynOutputStream>) -> StreamResult<u64> {
        Ok(AT_ONCE)
    }

    fn write(&mut self, _stream: Resource<DynOutputStream>, _bytes: Vec<u8>) -> StreamResult<()> {
        Ok(())
    }

    fn blocking_write_and_flush(&mut self, _stream: Resource<DynOutputStream>, _bytes: Vec<u8>) -> StreamResult<()> {
        Ok(())
    }

    fn write_zeroes(&mut self, _stream: Resource<DynOutputStream>, _len: u64) -> StreamResult<()> {
        Ok(())
    }

    fn blocking_write_zeroes_and_flush(&mut self, _stream: Resource<DynOutputStream>, _len: u64) -> StreamResult<()> {
        Ok(())
    }

    fn flush(&mut self, _stream: Resource<DynOutputStream>) -> StreamResult<()> {
        Ok(())
    }

    fn blocking_flush(&mut self, _stream: Resource<DynOutputStream>) -> StreamResult<()> {
        Ok(())
    }

    fn splice(&mut self, _to: Resource<DynOutputStream>, _from: Resource<DynInputStream>, _len: u64) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn blocking_splice(&mut self, _to: Resource<DynOutputStream>, _from: Resource<DynInputStream>, _len: u64) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn subscribe(&mut self, stream: Resource<DynOutputStream>) -> Result<Resource<DynPollable>> {
        streams::HostOutputStream::subscribe(self.0, stream)
    }

    fn drop(&mut self, stream: Resource<DynOutputStream>) -> Result<()> {
        self.0.delete(stream)?;
        Ok(())
    }
}
