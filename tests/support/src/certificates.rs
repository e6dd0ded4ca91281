//! Certificates for services, issued by an authority that only the tests trust. They are for localhost and 127.0.0.1.

use std::path::Path;

use crate::service_directory::ServiceDirectory;
use crate::service_process::{Service, write_secret};

/// The certificate of the authority.
pub const AUTHORITY: &str = include_str!("tls/authority.pem");

/// A certificate and its key, in PEM.
#[derive(Clone, Copy)]
pub struct Identity {
    /// The certificate.
    pub certificate: &'static str,
    /// The key.
    pub key: &'static str,
}

/// The certificate with which services start.
pub const FIRST: Identity = Identity { certificate: include_str!("tls/first.pem"), key: include_str!("tls/first.key") };

/// The certificate that replaces it.
pub const SECOND: Identity = Identity { certificate: include_str!("tls/second.pem"), key: include_str!("tls/second.key") };

/// A certificate that expired on 1 January 2021.
pub const EXPIRED: Identity = Identity { certificate: include_str!("tls/expired.pem"), key: include_str!("tls/expired.key") };

impl Identity {
    /// Writes the certificate and the key to files.
    pub fn write(&self, certificate: &Path, key: &Path) {
        std::fs::write(certificate, self.certificate).unwrap();
        write_secret(key, self.key);
    }
}

/// Starts a service with a certificate and more arguments.
pub async fn serve_tls(dir: &ServiceDirectory, identity: Identity, arguments: &[&str]) -> Service {
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| dir.path(name));
    identity.write(&certificate, &key);
    let files = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    dir.serve_with(&[&files, arguments].concat()).await
}
