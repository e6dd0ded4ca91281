//! Converts media to the tuples that Python gets: the bytes, the media type and the file name.

use std::io;

use bytes::Bytes;
use media_cache::{FetchError, Media};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};

use crate::failure::Failure;
use crate::lent_bytes;
use crate::view::Body;

/// The largest file that is read on the thread of the event loop, in bytes, if it is in the system's page cache.
const MAX_READ_INLINE: u64 = 256 << 10;

/// The form in which Python gets the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `bytes`: the object that was stored, or a copy.
    Bytes,
    /// A `memoryview` of the bytes in the cache.
    Viewed,
}

/// Media with all of its bytes.
pub(crate) struct CompleteMedia {
    media: Media,
    bytes: Bytes,
}

impl CompleteMedia {
    /// Waits for the whole body, and reads it.
    pub async fn read(media: Media) -> Result<Self, Failure> {
        let unreadable = |error| Failure::Cache(FetchError::Other(format!("the body cannot be read: {error}")).into());
        media.finished().await.map_err(|error| Failure::Cache(error.into()))?;
        let bytes = media.body.bytes().await.map_err(unreadable)?;
        Ok(Self { media, bytes })
    }

    /// The tuple for Python.
    pub fn into_tuple(self, py: Python<'_>, form: Form) -> PyResult<Py<PyAny>> {
        tuple(py, &self.media, &self.bytes, form)
    }
}

/// The tuple for media whose bytes are in memory, or in the system's page cache if they are few. `None` if reading them could block.
pub(crate) fn tuple_of_available(py: Python<'_>, media: &Media, form: Form) -> PyResult<Option<Py<PyAny>>> {
    if let Some(bytes) = media.body.in_memory() {
        return tuple(py, media, bytes, form).map(Some);
    }
    let Some(length) = usize::try_from(media.body.len()).ok().filter(|_| media.body.len() <= MAX_READ_INLINE) else {
        return Ok(None);
    };
    if form == Form::Viewed {
        let mut buffer = vec![0; length];
        return read_cached(media, &mut buffer).ok().map(|()| tuple(py, media, &buffer.into(), form)).transpose();
    }
    let body = PyBytes::new_with(py, length, |buffer| Ok(read_cached(media, buffer)?));
    body.ok().map(|body| with_body(py, media, body.into_any())).transpose()
}

/// Fills the buffer, without waiting for a disk.
fn read_cached(media: &Media, mut buffer: &mut [u8]) -> io::Result<()> {
    let mut position = 0;
    while !buffer.is_empty() {
        let count = media.body.read_cached(position, buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        position += count as u64;
        buffer = &mut buffer[count..];
    }
    Ok(())
}

fn tuple(py: Python<'_>, media: &Media, bytes: &Bytes, form: Form) -> PyResult<Py<PyAny>> {
    let body = match form {
        Form::Bytes => lent_bytes::object(py, bytes).into_any(),
        Form::Viewed => PyMemoryView::from(Bound::new(py, Body(bytes.clone()))?.as_any())?.into_any(),
    };
    with_body(py, media, body)
}

fn with_body(py: Python<'_>, media: &Media, body: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    Ok((body, media.mimetype(), media.filename()).into_pyobject(py)?.into_any().unbind())
}
