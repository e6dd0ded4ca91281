//! Where the parts of an HTTP/1 answer end (RFC 9112), found in its bytes as they come.
//!
//! This decides nothing of what an answer means: hyper does, and reads the same bytes. It follows hyper in what it tolerates.

/// Finds the blank line at the end of a head. Lines may end in LF alone, and blank lines before the first are skipped.
#[derive(Debug, Default)]
struct BlankLine {
    line: Line,
    begun: bool,
}

/// What there is of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    #[default]
    Nothing,
    Return,
    Text,
}

impl BlankLine {
    /// Whether a head ends with this byte.
    fn ends_with(&mut self, byte: u8) -> bool {
        match (byte, self.line) {
            (b'\n', Line::Text) => self.line = Line::Nothing,
            (b'\n', _) if self.begun => return true,
            (b'\n', _) => self.line = Line::Nothing,
            (b'\r', Line::Nothing) => self.line = Line::Return,
            _ => (self.line, self.begun) = (Line::Text, true),
        }
        false
    }
}

/// Finds the end of the head of an answer. Interim answers (1xx) come before it and are passed over, as often as they come.
#[derive(Debug, Default)]
pub(super) struct ResponseHead {
    end: BlankLine,
    /// Bytes since the status line began.
    length: u64,
    interim: bool,
    ended: bool,
}

impl ResponseHead {
    /// Where in the status line the status begins: behind `HTTP/1.1 `.
    const STATUS: u64 = 9;

    /// Reads on. Answers how many of these bytes belong to the head.
    pub(super) fn read(&mut self, bytes: &[u8]) -> usize {
        if self.ended {
            return 0;
        }
        for (index, &byte) in bytes.iter().enumerate() {
            if self.length == Self::STATUS {
                self.interim = byte == b'1';
            }
            if self.end.ends_with(byte) {
                if !self.interim {
                    self.ended = true;
                    return index + 1;
                }
                *self = Self::default();
            } else if self.end.begun {
                self.length += 1;
            }
        }
        bytes.len()
    }
}

/// Finds the end of a body that comes in chunks, its trailers included. Also fed with bodies that do not: those make no sense soon,
/// and an end that is found in them means nothing.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    at: At,
    /// Bytes up to the end, or as many as came.
    length: u64,
}

#[derive(Clone, Copy, Debug, Default)]
enum At {
    #[default]
    Start,
    Size(u64),
    Extension(u64),
    SizeFeed(u64),
    Data(u64),
    DataReturn,
    DataFeed,
    LineStart,
    Trailer,
    TrailerFeed,
    LastFeed,
    End,
    Nonsense,
}

impl Chunks {
    /// After how many bytes the body ended, if it did.
    pub(super) fn end(&self) -> Option<u64> {
        matches!(self.at, At::End).then_some(self.length)
    }

    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while let Some(&byte) = bytes.first() {
            let read = match self.at {
                At::End | At::Nonsense => return,
                At::Data(left) => {
                    let here = left.min(bytes.len() as u64);
                    self.at = if here == left { At::DataReturn } else { At::Data(left - here) };
                    here as usize
                }
                _ => {
                    self.at = self.at.after(byte);
                    1
                }
            };
            self.length += read as u64;
            bytes = &bytes[read..];
        }
    }
}

impl At {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Start, _) => Self::Size(0).after_digit(byte),
            (Self::Size(size) | Self::Extension(size), b'\r') => Self::SizeFeed(size),
            (Self::Size(size), b';' | b' ' | b'\t') => Self::Extension(size),
            (Self::Size(_), _) => self.after_digit(byte),
            (Self::Extension(_), b'\n') => Self::Nonsense,
            (Self::Extension(_), _) => self,
            (Self::SizeFeed(0), b'\n') => Self::LineStart,
            (Self::SizeFeed(size), b'\n') => Self::Data(size),
            (Self::DataReturn, b'\r') => Self::DataFeed,
            (Self::DataFeed, b'\n') => Self::Start,
            (Self::LineStart, b'\r') => Self::LastFeed,
            (Self::Trailer, b'\r') => Self::TrailerFeed,
            (Self::LineStart | Self::Trailer, _) => Self::Trailer,
            (Self::TrailerFeed, b'\n') => Self::LineStart,
            (Self::LastFeed, b'\n') => Self::End,
            _ => Self::Nonsense,
        }
    }

    fn after_digit(self, byte: u8) -> Self {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        match (self, digit) {
            (Self::Size(size), Some(digit)) => {
                size.checked_mul(16).and_then(|size| size.checked_add(digit)).map_or(Self::Nonsense, Self::Size)
            }
            _ => Self::Nonsense,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes belong to the head, fed at once and byte by byte.
    fn head(bytes: &str) -> Option<usize> {
        let (mut at_once, mut single) = (ResponseHead::default(), ResponseHead::default());
        let length = at_once.read(bytes.as_bytes());
        assert_eq!(length, bytes.bytes().map(|byte| single.read(&[byte])).sum::<usize>(), "{bytes:?}");
        assert_eq!(at_once.ended, single.ended, "{bytes:?}");
        at_once.ended.then_some(length)
    }

    /// How many bytes belong to the body, fed at once and byte by byte.
    fn body(bytes: &str) -> Option<u64> {
        let (mut at_once, mut single) = (Chunks::default(), Chunks::default());
        at_once.read(bytes.as_bytes());
        bytes.bytes().for_each(|byte| single.read(&[byte]));
        assert_eq!(at_once.end(), single.end(), "{bytes:?}");
        at_once.end()
    }

    #[test]
    fn a_head_ends_with_the_first_blank_line_after_its_status() {
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
    fn a_chunked_body_ends_behind_its_trailers() {
        for whole in [
            "0\r\n\r\n",
            "3\r\none\r\n0\r\n\r\n",
            "3;a=\"b\"\r\none\r\n9 \r\n\r\n0\r\n\r\n\r\n\r\n00;x\r\n\r\n",
            "3\r\none\r\n0\r\nExpires: never\r\nX: y\r\n\r\n",
        ] {
            assert_eq!(body(&format!("{whole}HTTP/1.1 200 OK\r\n\r\n")), Some(whole.len() as u64), "{whole:?}");
            assert_eq!(body(&whole[..whole.len() - 1]), None, "{whole:?}");
        }
        for nonsense in [
            "\r\n0\r\n\r\n",
            "x",
            "3\r\nfour\r\n0\r\n\r\n",
            "-1\r\n\r\n",
            "10000000000000000\r\n",
            "0\n\n",
            "3;a\nb\r\none\r\n0\r\n\r\n",
        ] {
            assert_eq!(body(nonsense), None, "{nonsense:?}");
        }
    }
}
