//! A listener that detects forbidden connections.

use std::net::TcpListener;

/// A listener to which nothing may connect.
pub struct CanaryListener(TcpListener);

impl CanaryListener {
    /// Listens at an address.
    #[must_use]
    pub fn bind(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// Asserts that no process has connected.
    #[track_caller]
    pub fn assert_untouched(&self) {
        assert_eq!(self.0.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}
