//! Who must not be connected to.

use std::net::TcpListener;

/// A listener to which nobody has connected and nobody shall.
pub struct Inside(TcpListener);

impl Inside {
    pub fn new(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// A connection would be there to be accepted, from whichever process it came.
    #[track_caller]
    pub fn heard_nothing(&self) {
        assert_eq!(self.0.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}
