//! The bare responder: the cost of a response when nothing is parsed, looked up or rendered.

use crate::{
    epoll::{Respond, Response},
    rendered::Rendered,
};

/// Sends the same response to every request.
pub struct Bare(Rendered);

impl Bare {
    /// A responder with this response.
    pub fn new(rendered: Rendered) -> Self {
        Self(rendered)
    }
}

impl Respond for Bare {
    fn respond(&mut self, _head: &[u8]) -> Response {
        Response { head: self.0.head.clone(), body: self.0.body.clone(), close: false }
    }
}
