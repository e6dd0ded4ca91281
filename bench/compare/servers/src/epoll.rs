//! A loop around epoll, on one thread: `epoll_wait`, `read`, and one `writev` for the head and body of a response. On this kernel, no
//! server can respond at a lower cost without a different system interface.
//!
//! Requests have no bodies. A connection on which a head is too large, or on which reading or writing fails, is closed.

use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net,
};

use bytes::Bytes;
use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};

const LISTENER: Token = Token(usize::MAX);
const MAX_HEAD: usize = 16 << 10;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// A response, ready to be written.
pub struct Response {
    /// The status line, the headers, and the bytes before `body`, if any.
    pub head: Bytes,
    /// The body, or its remainder.
    pub body: Bytes,
    /// Whether the connection is closed after it.
    pub close: bool,
}

/// Chooses responses.
pub trait Respond {
    /// The response to a request with this head.
    fn respond(&mut self, head: &[u8]) -> Response;
}

/// Whether a connection stays open.
#[derive(PartialEq, Eq)]
enum State {
    Open,
    Ended,
}

struct Connection {
    stream: TcpStream,
    input: Box<[u8]>,
    filled: usize,
    /// The response that is being written, and how many of its bytes have been written.
    output: Option<(Response, usize)>,
}

/// Serves requests until waiting for them fails.
///
/// # Errors
/// If the kernel refuses to watch the listener, or waiting fails.
pub fn serve(listener: net::TcpListener, mut responder: impl Respond) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut connections: Vec<Option<Connection>> = Vec::new();
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut connections)?;
                continue;
            }
            let slot = connections.get_mut(event.token().0);
            if let Some(slot) = slot
                && slot.as_mut().is_some_and(|connection| connection.proceed(&mut responder) == State::Ended)
            {
                *slot = None;
            }
        }
    }
}

fn accept(listener: &TcpListener, poll: &Poll, connections: &mut Vec<Option<Connection>>) -> io::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // The client disconnected before its connection was accepted.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true)?;
        let slot = connections.iter().position(Option::is_none).unwrap_or_else(|| {
            connections.push(None);
            connections.len() - 1
        });
        poll.registry().register(&mut stream, Token(slot), Interest::READABLE | Interest::WRITABLE)?;
        connections[slot] = Some(Connection { stream, input: vec![0; MAX_HEAD].into(), filled: 0, output: None });
    }
}

impl Connection {
    /// Makes as much progress as possible without waiting.
    fn proceed(&mut self, responder: &mut impl Respond) -> State {
        // Whether all bytes that have arrived have been read. If so, another event follows when more arrive.
        let mut drained = false;
        loop {
            if let Some((response, sent)) = &mut self.output {
                match write(&mut self.stream, response, sent) {
                    Ok(()) if response.close => return State::Ended,
                    Ok(()) => self.output = None,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return State::Open,
                    Err(_) => return State::Ended,
                }
            }
            if let Some(length) = end_of_head(&self.input[..self.filled]) {
                self.output = Some((responder.respond(&self.input[..length]), 0));
                self.input.copy_within(length..self.filled, 0);
                self.filled -= length;
                continue;
            }
            if drained {
                return State::Open;
            }
            let space = &mut self.input[self.filled..];
            match self.stream.read(space) {
                Ok(0) => return State::Ended,
                Ok(read) => {
                    drained = read < space.len();
                    self.filled += read;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return State::Open,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return State::Ended,
            }
        }
    }
}

/// The end of the first head.
fn end_of_head(input: &[u8]) -> Option<usize> {
    input.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD).map(|start| start + END_OF_HEAD.len())
}

/// Writes the rest of a response.
fn write(stream: &mut TcpStream, response: &Response, sent: &mut usize) -> io::Result<()> {
    let (head, body) = (&response.head, &response.body);
    while *sent < head.len() + body.len() {
        let head_left = &head[(*sent).min(head.len())..];
        let body_left = &body[sent.saturating_sub(head.len())..];
        let written = match stream.write_vectored(&[IoSlice::new(head_left), IoSlice::new(body_left)]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        };
        *sent += written;
    }
    Ok(())
}
