//! The response that the servers without a cache send to every request, as recorded from another server.

use std::fs;

use anyhow::{Context, Result};
use bytes::Bytes;

/// A fixed response.
#[derive(Clone)]
pub struct Rendered {
    /// The status line and the headers, with the empty line at their end.
    pub head: Bytes,
    /// The body, whose length the head declares.
    pub body: Bytes,
}

impl Rendered {
    /// Reads a response from two files.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn read(head: &str, body: &str) -> Result<Self> {
        let read = |path: &str| fs::read(path).map(Bytes::from).with_context(|| format!("cannot read {path}"));
        Ok(Self { head: read(head)?, body: read(body)? })
    }

    /// The headers, without the status line.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let head = std::str::from_utf8(&self.head).unwrap_or_default();
        head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()))
    }
}
