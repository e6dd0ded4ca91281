//! The bytes of media as a buffer, so that Python can read them without a copy.
//!
//! This is the only module of the package with `unsafe`: Python's buffer protocol consists of raw pointers.

use std::ffi::c_int;
use std::ptr;

use bytes::Bytes;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;

/// Immutable bytes. Python reads them through a `memoryview`.
#[pyclass(frozen, module = "media_cache._native")]
pub(crate) struct Body(pub Bytes);

#[pymethods]
impl Body {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    #[expect(unsafe_code, reason = "the buffer protocol")]
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("the view is null"));
        }
        let bytes = slf.get().0.clone();
        let length = ffi::Py_ssize_t::try_from(bytes.len())?;
        let start: *const u8 = if bytes.is_empty() { ptr::NonNull::dangling().as_ptr() } else { bytes.as_ptr() };
        // SAFETY: `view` is a valid pointer to a buffer that Python asks to fill in. The bytes do not move and are not freed before `slf`,
        // which the view keeps alive, and they are never written to: the view is read-only.
        let filled = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start.cast_mut().cast(), length, 1, flags) };
        if filled == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}
