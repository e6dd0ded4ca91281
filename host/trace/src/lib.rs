//! Traces of requests: [`Trace`] reads them, for the simulator, and [`TraceRecorder`] writes them, for the service.
//!
//! A line of a trace is `time,key,size`: seconds, any text, bytes. Three more fields are optional: `cost`, the time that a fetch takes in
//! milliseconds, `waiters`, the number of other requests that wait for it, and `kind`, the kind of media. Recorded traces contain the
//! [`fingerprint`] of a cache key in place of the key.

mod fingerprint;
mod trace;
mod trace_line;
mod trace_recorder;
mod xz_memory;

pub use fingerprint::fingerprint;
pub use media_cache_entry_files::MediaKind;
pub use trace::{Request, Trace, TraceError};
pub use trace_line::{Excerpt, LineFault};
pub use trace_recorder::{RecordedRequest, TraceRecorder};
