//! The bytes of a body that have been received so far, shared by its writer and its readers.

use std::fs::File;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::source::{STREAM_CHUNK, read_at, read_chunk};

/// The bytes received so far: the first ones in a file, if there is one, and the following ones in a buffer.
#[derive(Debug, Default)]
pub(crate) struct Received(Mutex<Bytewise>);

#[derive(Debug, Default)]
struct Bytewise {
    file: Option<Arc<File>>,
    /// The bytes in the file.
    written: u64,
    buffer: Arc<Vec<u8>>,
}

/// A piece of a body that is arriving.
pub(crate) enum Piece {
    Memory(Bytes),
    /// Bytes of a file: their position and their number.
    File(Arc<File>, u64, usize),
}

impl Piece {
    pub async fn read(self) -> io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes),
            Self::File(file, position, count) => read_chunk(file, position, count).await,
        }
    }

    fn read_now(self) -> io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes),
            Self::File(file, position, count) => read_at(&file, position, count),
        }
    }
}

impl Received {
    pub fn len(&self) -> u64 {
        self.lock().len()
    }

    /// Appends bytes to the buffer. Returns how many it now contains.
    pub fn append(&self, bytes: &[u8]) -> usize {
        let buffer = &mut self.lock().buffer;
        let buffer = Arc::make_mut(buffer);
        buffer.extend_from_slice(bytes);
        buffer.len()
    }

    /// The contents of the buffer, and their position in the file.
    pub fn unwritten(&self) -> (Arc<Vec<u8>>, u64) {
        let state = self.lock();
        (state.buffer.clone(), state.written)
    }

    /// Records that the [unwritten](Self::unwritten) bytes are now in the file.
    pub fn has_written(&self) {
        let state = &mut *self.lock();
        state.written = state.len();
        match Arc::get_mut(&mut state.buffer) {
            Some(buffer) => buffer.clear(),
            None => state.buffer = Arc::default(),
        }
    }

    /// Continues in this file, which contains everything that has been written so far.
    pub fn set_file(&self, file: Arc<File>) {
        self.lock().file = Some(file);
    }

    /// Takes the contents of the buffer. This is the whole body if there is no file.
    pub fn take_buffer(&self) -> Vec<u8> {
        Arc::unwrap_or_clone(mem::take(&mut self.lock().buffer))
    }

    /// Closes the file and frees the buffer of a failed body, since no space is reserved for it any more.
    pub fn clear(&self) {
        *self.lock() = Bytewise::default();
    }

    /// The next bytes between `position` and `end`. `None` if there are none.
    pub fn piece(&self, position: u64, end: u64) -> Option<Piece> {
        let state = self.lock();
        let end = end.min(state.len());
        let limit = |end: u64| end.saturating_sub(position).min(STREAM_CHUNK as u64) as usize;
        if position >= end {
            None
        } else if let Some(file) = state.file.as_ref().filter(|_| position < state.written) {
            Some(Piece::File(file.clone(), position, limit(end.min(state.written))))
        } else {
            let from = (position - state.written) as usize;
            Some(Piece::Memory(Bytes::copy_from_slice(&state.buffer[from..from + limit(end)])))
        }
    }

    /// The first `count` bytes, or all if there are fewer. Blocks while it reads a file.
    pub fn head(&self, count: usize) -> io::Result<Bytes> {
        let mut head = Vec::new();
        while let Some(piece) = self.piece(head.len() as u64, count as u64) {
            head.extend_from_slice(&piece.read_now()?);
        }
        Ok(head.into())
    }

    fn lock(&self) -> MutexGuard<'_, Bytewise> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bytewise {
    fn len(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }
}
