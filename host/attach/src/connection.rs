//! A connection between two processes of one user: messages in JSON, each with an optional body in the message or in an open file.
//!
//! A message begins with the length of its JSON and of its inline body, as 32-bit numbers in the machine's byte order, and a byte that is 1
//! if a file descriptor comes with it. Both processes are on one machine and speak the same version, see [`crate::messages`].

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use bytes::Bytes;
use media_cache::ListedDescriptor;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// The longest body that is sent within a message, in bytes. Longer bodies are passed as open files.
pub(crate) const MAX_INLINE: usize = 64 << 10;

/// The longest JSON, in bytes. A page of entries is the longest message.
const MAX_JSON: usize = 64 << 20;

/// The largest buffer that a connection keeps for the next message, in bytes.
const MAX_KEPT: usize = 1 << 20;

/// Two lengths, and whether a file comes with the message.
const HEAD: usize = 9;

/// The number of bytes to read at a time.
const PIECE: usize = 16 << 10;

/// The body of a message.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Inline(Bytes),
    File(Arc<File>),
}

/// A connection to another process.
#[derive(Debug)]
pub(crate) struct Connection {
    // Dropped before the stream is closed.
    _listed: ListedDescriptor,
    stream: UnixStream,
    received: Vec<u8>,
    files: VecDeque<OwnedFd>,
}

impl Connection {
    /// Takes over a connection, if the other process belongs to the same user.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        let peer = stream.peer_cred()?.uid();
        if peer != rustix::process::geteuid().as_raw() {
            let why = format!("the process at the other end belongs to another user (user id {peer})");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        Ok(Self { _listed: ListedDescriptor::new(&stream), stream, received: Vec::new(), files: VecDeque::new() })
    }

    /// The id of the other process, if it is known here.
    pub fn peer_process(&self) -> Option<i32> {
        self.stream.peer_cred().ok()?.pid().filter(|process| *process > 0)
    }

    /// Sends a message. If this fails or is dropped, the connection cannot be used any more.
    pub async fn send(&mut self, message: &impl Serialize, body: Option<&Body>) -> io::Result<()> {
        let json = serde_json::to_vec(message)?;
        let (inline, file) = match body {
            Some(Body::Inline(bytes)) => (bytes.as_ref(), None),
            Some(Body::File(file)) => (&[][..], Some(file.as_fd())),
            None => (&[][..], None),
        };
        let mut bytes = Vec::with_capacity(HEAD + json.len() + inline.len());
        bytes.extend(length(json.len(), MAX_JSON)?.to_ne_bytes());
        bytes.extend(length(inline.len(), MAX_INLINE)?.to_ne_bytes());
        bytes.push(u8::from(file.is_some()));
        bytes.extend(&json);
        bytes.extend(inline);
        // The descriptor is sent with the first bytes, and only once.
        let mut files: &[_] = &file.into_iter().collect::<Vec<_>>();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let sent = self.stream.async_io(Interest::WRITABLE, || send_some(&self.stream, rest, files)).await?;
            (rest, files) = (&rest[sent..], &[]);
        }
        Ok(())
    }

    /// Receives a message. `None` if the other process has closed the connection between two messages. If this is dropped, nothing is lost.
    pub async fn receive<M: DeserializeOwned>(&mut self) -> io::Result<Option<(M, Option<Body>)>> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            let Self { stream, received, files, .. } = self;
            if stream.async_io(Interest::READABLE, || receive_some(stream, received, files)).await? == 0 {
                let is_between = received.is_empty();
                return if is_between { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    /// Takes the first message from the bytes received so far, if it is complete.
    fn take<M: DeserializeOwned>(&mut self) -> io::Result<Option<(M, Option<Body>)>> {
        let Some((head, rest)) = self.received.split_first_chunk::<HEAD>() else { return Ok(None) };
        let [a, b, c, d, e, f, g, h, has_file] = *head;
        let json_length = read_length([a, b, c, d], MAX_JSON)?;
        let inline_length = read_length([e, f, g, h], MAX_INLINE)?;
        let Some((content, _)) = rest.split_at_checked(json_length + inline_length) else { return Ok(None) };
        let (json, inline) = content.split_at(json_length);
        let message = serde_json::from_slice(json)?;
        let body = if has_file == 1 {
            let file = self.files.pop_front().ok_or_else(|| invalid("a file descriptor is missing"))?;
            Some(Body::File(Arc::new(file.into())))
        } else {
            (inline_length > 0).then(|| Body::Inline(Bytes::copy_from_slice(inline)))
        };
        self.received.drain(..HEAD + json_length + inline_length);
        if self.received.is_empty() && self.received.capacity() > MAX_KEPT {
            self.received = Vec::new();
        }
        Ok(Some((message, body)))
    }
}

fn length(length: usize, limit: usize) -> io::Result<u32> {
    u32::try_from(length).ok().filter(|_| length <= limit).ok_or_else(|| invalid("the message is too long"))
}

fn read_length(bytes: [u8; 4], limit: usize) -> io::Result<usize> {
    let length = u32::from_ne_bytes(bytes) as usize;
    if length > limit { Err(invalid("the message is too long")) } else { Ok(length) }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn send_some(stream: &UnixStream, bytes: &[u8], files: &[std::os::fd::BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(invalid("there is no room for the file descriptor"));
    }
    Ok(sendmsg(stream, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)?)
}

fn receive_some(stream: &UnixStream, received: &mut Vec<u8>, files: &mut VecDeque<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut piece = [0; PIECE];
    let message = recvmsg(stream, &mut [IoSliceMut::new(&mut piece)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            files.extend(descriptors);
        }
    }
    received.extend(&piece[..message.bytes]);
    Ok(message.bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    fn pair() -> (Connection, Connection) {
        let (one, other) = UnixStream::pair().unwrap();
        (Connection::new(one).unwrap(), Connection::new(other).unwrap())
    }

    #[tokio::test]
    async fn messages_arrive_in_order_with_their_bodies_and_files() {
        let (mut one, mut other) = pair();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"in a file").unwrap();
        let file = Body::File(Arc::new(file));
        let long = "x".repeat(1 << 20);
        let inline = Body::Inline(vec![7; MAX_INLINE].into());
        let send = async {
            one.send(&"first", None).await.unwrap();
            one.send(&long, Some(&file)).await.unwrap();
            one.send(&"third", Some(&inline)).await.unwrap();
            drop(one);
        };
        let receive = async {
            let (first, none) = other.receive::<String>().await.unwrap().unwrap();
            assert_eq!((first.as_str(), none.is_none()), ("first", true));
            let (second, body) = other.receive::<String>().await.unwrap().unwrap();
            let Some(Body::File(file)) = body else { panic!("no file: {body:?}") };
            (&*file).rewind().unwrap();
            assert_eq!((second == long, io::read_to_string(&*file).unwrap().as_str()), (true, "in a file"));
            let (third, body) = other.receive::<String>().await.unwrap().unwrap();
            assert!(third == "third" && matches!(body, Some(Body::Inline(bytes)) if bytes.len() == MAX_INLINE));
            assert!(other.receive::<String>().await.unwrap().is_none());
        };
        tokio::join!(send, receive);
    }

    #[tokio::test]
    async fn message_that_is_too_long_or_cut_off_is_an_error() {
        let (mut one, mut other) = pair();
        let body = Body::Inline(vec![7; MAX_INLINE + 1].into());
        assert_eq!(one.send(&"first", Some(&body)).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        one.stream.try_write(&[0xff; HEAD]).unwrap();
        assert_eq!(other.receive::<String>().await.unwrap_err().kind(), io::ErrorKind::InvalidData);

        let (one, mut other) = pair();
        one.stream.try_write(&[1, 0, 0]).unwrap();
        drop(one);
        assert_eq!(other.receive::<String>().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
