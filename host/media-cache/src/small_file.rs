//! Reads small files completely: settings, secrets, policies.
//!
//! A path may refer to anything: a pipe without a writer, an endless device, a directory. Here, these are errors. They neither block the
//! program nor fill its memory.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

/// How long a pipe may take to deliver everything.
const MAX_PIPE_TIME: Duration = Duration::from_secs(5);

/// Whether a pipe is accepted instead of a regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipes {
    /// A pipe is read to its end, for at most five seconds. For files that a user specifies, such as `/dev/fd/63`.
    Accepted,
    /// A pipe is an error. For files that the program finds itself.
    Refused,
}

/// Reads all bytes of a file. This blocks. Reading a regular file takes as long as its file system needs.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`] if there are more than `max_bytes`; [`io::ErrorKind::TimedOut`] if a pipe does not end in time;
/// [`io::ErrorKind::InvalidInput`] if the path is neither a regular file nor an accepted pipe; any error of the operating system.
pub fn read_small_file(path: &Path, max_bytes: u64, pipes: Pipes) -> io::Result<Vec<u8>> {
    let mut file = open_without_blocking(File::options().read(true), path)?;
    let kind = file.metadata()?.file_type();
    let mut bytes = Vec::new();
    if kind.is_file() {
        (&mut file).take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    } else if kind.is_fifo() && pipes == Pipes::Accepted {
        read_pipe(&mut file, max_bytes, &mut bytes)?;
    } else {
        return Err(not_a_file(kind));
    }
    if bytes.len() as u64 > max_bytes {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {max_bytes} bytes")));
    }
    Ok(bytes)
}

/// Opens a file of any kind without blocking. For a regular file, this is the same as opening it normally.
pub(crate) fn open_without_blocking(options: &mut std::fs::OpenOptions, path: &Path) -> io::Result<File> {
    // The flags have the same bits as in the C library.
    options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32).open(path)
}

/// The error for something that is not a regular file.
pub(crate) fn not_a_file(kind: std::fs::FileType) -> io::Error {
    let what = match kind {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        _ => "something else",
    };
    io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what} and not a regular file"))
}

/// Reads a pipe to its end, or until it has delivered more than `max_bytes` bytes.
fn read_pipe(pipe: &mut File, max_bytes: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let deadline = Instant::now() + MAX_PIPE_TIME;
    let mut chunk = [0; 16 * 1024];
    while bytes.len() as u64 <= max_bytes {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => {
                let why = format!("it is a pipe that did not end within {} s", MAX_PIPE_TIME.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        match pipe.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_regular_file_is_read_up_to_the_limit() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "12345").unwrap();
        for pipes in [Pipes::Accepted, Pipes::Refused] {
            assert_eq!(read_small_file(file.path(), 5, pipes).unwrap(), b"12345");
            assert_eq!(read_small_file(file.path(), 4, pipes).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        }
    }

    #[test]
    fn pipe_is_read_to_its_end_only_if_pipes_are_accepted() {
        let (reader, mut writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        let written = std::thread::spawn(move || {
            writer.write_all(b"first ").unwrap();
            writer.write_all(&[b'x'; 100_000]).unwrap();
        });
        assert_eq!(read_small_file(Path::new(&path), 1 << 20, Pipes::Accepted).unwrap().len(), 100_006);
        written.join().unwrap();
        let refused = read_small_file(Path::new(&path), 1 << 20, Pipes::Refused).unwrap_err();
        assert_eq!(refused.to_string(), "it is a pipe and not a regular file");
    }

    #[test]
    fn endless_pipe_is_read_up_to_the_limit() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(&[b'x'; 1000]).unwrap();
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        let error = read_small_file(Path::new(&path), 999, Pipes::Accepted).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn directories_and_devices_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        for (path, why) in [(directory.path(), "a directory"), (Path::new("/dev/zero"), "a device")] {
            let error = read_small_file(path, 1 << 20, Pipes::Accepted).unwrap_err();
            assert_eq!(error.to_string(), format!("it is {why} and not a regular file"));
        }
    }
}
