//! Finds the ends of the head and of the chunked body of an HTTP/1 response (RFC 9112), byte by byte as they arrive.
//!
//! It only counts: hyper reads the same bytes and interprets them. Deviations from the standard are tolerated in the same way as in hyper.

/// Finds the blank line at the end of a head. Lines may end in LF alone, and leading blank lines are skipped.
#[derive(Debug, Default)]
struct HeadEnd {
    line: LineState,
    has_text: bool,
}

/// What has been read of the current line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LineState {
    #[default]
    Empty,
    CarriageReturn,
    Text,
}

impl HeadEnd {
    /// Reads a byte. Returns whether the head ends with this byte.
    fn read(&mut self, byte: u8) -> bool {
        match (byte, self.line) {
            (b'\n', LineState::Text) => self.line = LineState::Empty,
            (b'\n', _) if self.has_text => return true,
            (b'\n', _) => self.line = LineState::Empty,
            (b'\r', LineState::Empty) => self.line = LineState::CarriageReturn,
            _ => (self.line, self.has_text) = (LineState::Text, true),
        }
        false
    }
}

/// Finds the end of the head of a response, including any interim responses (1xx) before it.
#[derive(Debug, Default)]
pub struct ResponseHead {
    end: HeadEnd,
    /// Bytes since the start of the status line.
    length: u64,
    is_interim: bool,
    is_complete: bool,
}

impl ResponseHead {
    /// The position of the status in the status line, after `HTTP/1.1 `.
    const STATUS: u64 = 9;

    /// Whether the end has been read.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Reads bytes. Returns how many of them belong to the head.
    pub fn read(&mut self, bytes: &[u8]) -> usize {
        if self.is_complete {
            return 0;
        }
        for (index, &byte) in bytes.iter().enumerate() {
            if self.length == Self::STATUS {
                self.is_interim = byte == b'1';
            }
            if self.end.read(byte) {
                if !self.is_interim {
                    self.is_complete = true;
                    return index + 1;
                }
                *self = Self::default();
            } else if self.end.has_text {
                self.length += 1;
            }
        }
        bytes.len()
    }
}

/// Finds the end of a body with chunked coding, including its trailers. Bodies without chunked coding are read as well: they soon become
/// invalid, and any end that is found in them is ignored.
#[derive(Debug, Default)]
pub struct ChunkedBody {
    state: ChunkState,
    /// The number of bytes so far, up to the end.
    length: u64,
}

/// The element that comes next. `Lf` is the line feed of a line that has been read up to its carriage return.
#[derive(Clone, Copy, Debug, Default)]
enum ChunkState {
    #[default]
    Start,
    Size(u64),
    Extension(u64),
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    LineStart,
    Trailer,
    TrailerLf,
    FinalLf,
    End,
    Invalid,
}

impl ChunkedBody {
    /// The length of the body, if its end has been read.
    pub fn end(&self) -> Option<u64> {
        matches!(self.state, ChunkState::End).then_some(self.length)
    }

    /// Reads the next bytes.
    pub fn read(&mut self, mut bytes: &[u8]) {
        while let Some(&byte) = bytes.first() {
            let read = match self.state {
                ChunkState::End | ChunkState::Invalid => return,
                ChunkState::Data(remaining) => {
                    let read = remaining.min(bytes.len() as u64);
                    self.state = if read == remaining { ChunkState::DataCr } else { ChunkState::Data(remaining - read) };
                    read as usize
                }
                _ => {
                    self.state = self.state.after(byte);
                    1
                }
            };
            self.length += read as u64;
            bytes = &bytes[read..];
        }
    }
}

impl ChunkState {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Start, _) => Self::Size(0).after_digit(byte),
            (Self::Size(size) | Self::Extension(size), b'\r') => Self::SizeLf(size),
            (Self::Size(size), b';' | b' ' | b'\t') => Self::Extension(size),
            (Self::Size(_), _) => self.after_digit(byte),
            (Self::Extension(_), b'\n') => Self::Invalid,
            (Self::Extension(_), _) => self,
            (Self::SizeLf(0), b'\n') => Self::LineStart,
            (Self::SizeLf(size), b'\n') => Self::Data(size),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::Start,
            (Self::LineStart, b'\r') => Self::FinalLf,
            (Self::Trailer, b'\r') => Self::TrailerLf,
            (Self::LineStart | Self::Trailer, _) => Self::Trailer,
            (Self::TrailerLf, b'\n') => Self::LineStart,
            (Self::FinalLf, b'\n') => Self::End,
            _ => Self::Invalid,
        }
    }

    fn after_digit(self, byte: u8) -> Self {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        match (self, digit) {
            (Self::Size(size), Some(digit)) => {
                size.checked_mul(16).and_then(|size| size.checked_add(digit)).map_or(Self::Invalid, Self::Size)
            }
            _ => Self::Invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length of the head. Checks that it is the same when read in one piece and byte by byte.
    fn head(bytes: &str) -> Option<usize> {
        let (mut at_once, mut single) = (ResponseHead::default(), ResponseHead::default());
        let length = at_once.read(bytes.as_bytes());
        assert_eq!(length, bytes.bytes().map(|byte| single.read(&[byte])).sum::<usize>(), "{bytes:?}");
        assert_eq!(at_once.is_complete, single.is_complete, "{bytes:?}");
        at_once.is_complete.then_some(length)
    }

    /// The length of the body. Checks that it is the same when read in one piece and byte by byte.
    fn body(bytes: &str) -> Option<u64> {
        let (mut at_once, mut single) = (ChunkedBody::default(), ChunkedBody::default());
        at_once.read(bytes.as_bytes());
        bytes.bytes().for_each(|byte| single.read(&[byte]));
        assert_eq!(at_once.end(), single.end(), "{bytes:?}");
        at_once.end()
    }

    #[test]
    fn head_ends_with_the_first_blank_line_after_the_status_line() {
        for whole in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\n\n",
            "HTTP/1.1 200 OK\na: b\r\n\n",
            "HTTP/1.0 404\r\na: 1\r\nb: \r\n\r\n",
            "\r\n\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\nLink: </a>\n\nHTTP/1.1 200 OK\r\n\r\n",
        ] {
            assert_eq!(head(&format!("{whole}body\r\n\r\n")), Some(whole.len()), "{whole:?}");
            assert_eq!(head(&whole[..whole.len() - 1]), None, "{whole:?}");
        }
        assert_eq!(head("HTTP/1.1 200 OK\r\na: \r \r\n"), None);
    }

    #[test]
    fn chunked_body_ends_after_its_trailers() {
        for whole in [
            "0\r\n\r\n",
            "3\r\none\r\n0\r\n\r\n",
            "3;a=\"b\"\r\none\r\n9 \r\n\r\n0\r\n\r\n\r\n\r\n00;x\r\n\r\n",
            "3\r\none\r\n0\r\nExpires: never\r\nX: y\r\n\r\n",
        ] {
            assert_eq!(body(&format!("{whole}HTTP/1.1 200 OK\r\n\r\n")), Some(whole.len() as u64), "{whole:?}");
            assert_eq!(body(&whole[..whole.len() - 1]), None, "{whole:?}");
        }
        for invalid in [
            "\r\n0\r\n\r\n",
            "x",
            "3\r\nfour\r\n0\r\n\r\n",
            "-1\r\n\r\n",
            "10000000000000000\r\n",
            "0\n\n",
            "3;a\nb\r\none\r\n0\r\n\r\n",
        ] {
            assert_eq!(body(invalid), None, "{invalid:?}");
        }
    }
}
