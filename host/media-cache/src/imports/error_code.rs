//! Translates errors of the operating system for the component, so that messages say what happened. wasmtime-wasi would turn a read-only
//! file system, an exceeded quota, and a lack of file descriptors into an input/output error.

use std::io;

use rustix::io::Errno;
use wasmtime_wasi::p3::bindings::filesystem::types::ErrorCode;

/// The error code for an error.
pub(crate) fn error_code(error: impl Into<io::Error>) -> ErrorCode {
    let error = error.into();
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::ROFS) => ErrorCode::ReadOnly,
        Some(Errno::DQUOT) => ErrorCode::Quota,
        Some(Errno::XDEV) => ErrorCode::CrossDevice,
        Some(Errno::MFILE | Errno::NFILE) => ErrorCode::Other(Some("too many files are open".into())),
        Some(Errno::STALE) => ErrorCode::Other(Some("the file is no longer on the server".into())),
        // Also the error for a file that was changed while it was read or copied.
        _ if error.kind() == io::ErrorKind::ExecutableFileBusy => ErrorCode::TextFileBusy,
        None if error.kind() == io::ErrorKind::Other => ErrorCode::Other(Some(error.to_string())),
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_errors_map_to_distinct_error_codes() {
        let code = |errno: Errno| format!("{:?}", error_code(errno));
        assert_eq!(
            [Errno::ROFS, Errno::DQUOT, Errno::NOSPC, Errno::IO, Errno::TXTBSY].map(code),
            ["ReadOnly", "Quota", "InsufficientSpace", "Io", "TextFileBusy"].map(|name| format!("ErrorCode::{name}"))
        );
        assert!(code(Errno::MFILE).contains("too many files are open"));
        assert!(matches!(error_code(io::ErrorKind::UnexpectedEof), ErrorCode::Io));
        assert!(matches!(error_code(io::Error::new(io::ErrorKind::ExecutableFileBusy, "why")), ErrorCode::TextFileBusy));
        assert!(matches!(error_code(io::Error::other("why")), ErrorCode::Other(Some(why)) if why == "why"));
    }
}
