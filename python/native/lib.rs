//! The native module of the Python package `media-cache`.
//!
//! A call to a cache returns a [`Call`](call::Call), which Python awaits. A hit is answered on the spot, without the event loop. Everything
//! else runs on one Tokio runtime of the process, which resolves a future of the caller's event loop. Its threads leave what needs the
//! interpreter to that [event loop](event_loop::EventLoop).

mod cache;
mod call;
mod documents;
mod downloader;
mod event_loop;
mod failure;
mod lent_bytes;
mod loop_task;
mod media;
mod opened;
mod runtime;
mod settings;
mod view;

use pyo3::prelude::*;

/// The native module.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::cache::Cache;
    #[pymodule_export]
    use crate::call::Call;
    #[pymodule_export]
    use crate::failure::failure_kinds;
    #[pymodule_export]
    use crate::opened::close_all;
    #[pymodule_export]
    use crate::runtime::{is_started, mark_forked, open_descriptors};
    #[pymodule_export]
    use crate::settings::default_options;
    #[pymodule_export]
    use crate::view::Body;
}
