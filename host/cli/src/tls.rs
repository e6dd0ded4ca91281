//! TLS for clients: the certificate of the service and its key.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use clap::Args;
use media_cache_server::{Certificate, SharedTls};
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore, ServerConfig};

use crate::secrets::{content, warn_if_others_read};

/// The options of `serve` for TLS.
#[derive(Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsOptions {
    /// A file with the certificate of the service, followed by its intermediate certificates, in PEM: `--listen` then serves HTTPS, with
    /// HTTP/2 and HTTP/1.1
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// A file with the private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Serve HTTPS on `--admin-listen`, too, with the same certificate
    #[arg(long, requires = "tls_cert", requires = "admin_listen")]
    admin_tls: bool,
}

/// The TLS of each listener that has it.
#[derive(Clone)]
pub struct ListenerTls {
    pub main: Option<SharedTls>,
    pub admin: Option<SharedTls>,
}

impl TlsOptions {
    /// The TLS of the listeners. Reads the files.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn listeners(&self) -> anyhow::Result<ListenerTls> {
        let main = self.certificate()?.map(SharedTls::from);
        let admin = main.clone().filter(|_| self.admin_tls);
        Ok(ListenerTls { main, admin })
    }

    /// The certificate with the parameters of TLS, if there is one. Reads the files, and logs until when the certificate is valid.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn certificate(&self) -> anyhow::Result<Option<Certificate>> {
        let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        let provider = Arc::new(default_provider());
        let chain = certificates(cert)?;
        let leaf = chain.first().cloned();
        let config = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let config = config.with_no_client_auth().with_single_cert(chain, private_key(key)?);
        let mut config = config.map_err(|error| unusable(&error, cert, key))?;
        config.ticketer = Ticketer::new().context("cannot create keys for TLS session tickets")?;
        if leaf.as_ref().is_some_and(names_no_host) {
            tracing::warn!("the certificate in {} names no host (subjectAltName), so clients refuse it", cert.display());
        }
        let validity = leaf.and_then(|leaf| Validity::of(leaf, provider));
        if let Some(validity) = &validity {
            validity.log(cert, SystemTime::now());
        }
        Ok(Some(Certificate { config, not_after: validity.map(|validity| validity.not_after) }))
    }
}

impl ListenerTls {
    /// Replaces the certificate for new connections.
    pub fn replace(&self, certificate: Certificate) {
        if let Some(main) = &self.main {
            main.replace(certificate);
        }
    }
}

/// The URL of a listener with or without TLS.
pub fn listener_url(address: std::net::SocketAddr, tls: Option<&SharedTls>) -> String {
    let scheme = if tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// The certificates in a file.
fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let (name, text) = (file.display(), read(file)?);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| anyhow::anyhow!("{name} cannot be used for --tls-cert: {}", pem_problem(&error)))?;
    anyhow::ensure!(
        !chain.is_empty(),
        "{name} cannot be used for --tls-cert: it contains no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"
    );
    // The first is checked together with the key.
    for (number, certificate) in (1..).zip(&chain).skip(1) {
        RootCertStore::empty().add(certificate.clone()).map_err(|error| {
            anyhow::anyhow!("{name} cannot be used for --tls-cert: certificate {number} in it is not valid: {}", reason(&error))
        })?;
    }
    Ok(chain)
}

/// The private key in a file.
fn private_key(file: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    warn_if_others_read(file);
    let (name, text) = (file.display(), read(file)?);
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let why = match error {
            _ if String::from_utf8_lossy(&text).contains("ENCRYPTED") => {
                "it is encrypted; `openssl pkey -in FILE -out NEW_FILE` writes it without encryption"
            }
            pem::Error::NoItemsFound => "it contains no private key in PEM, which begins with -----BEGIN PRIVATE KEY-----",
            _ => pem_problem(&error),
        };
        anyhow::anyhow!("{name} cannot be used for --tls-key: {why}")
    })
}

/// What is wrong with a file in PEM, without what it contains.
fn pem_problem(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "it is cut short: an END line is missing",
        _ => "it is not valid PEM",
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    content(file, ", so it is neither a certificate nor a key")
}

/// Why a certificate and a key cannot be used.
fn unusable(error: &Error, cert: &Path, key: &Path) -> anyhow::Error {
    let (cert, key) = (cert.display(), key.display());
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => anyhow::anyhow!(
            "the key in {key} does not belong to the certificate in {cert}; the certificate of the service must be the first in its file"
        ),
        Error::InvalidCertificate(_) => {
            anyhow::anyhow!("{cert} cannot be used for --tls-cert: certificate 1 in it is not valid: {}", reason(error))
        }
        _ => anyhow::anyhow!(
            "{key} cannot be used for --tls-key: it must be RSA with 2048 to 4096 bits, ECDSA with P-256 or P-384, or Ed25519"
        ),
    }
}

/// Why a certificate is not valid. The library calls all of them those of a peer.
fn reason(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::Other(other)) => format!("{other:?}"),
        Error::InvalidCertificate(invalid) => format!("{invalid:?}"),
        _ => error.to_string(),
    }
}

/// Whether a certificate has a subject at most, of which clients take no notice (RFC 9525, section 2).
fn names_no_host(certificate: &CertificateDer<'_>) -> bool {
    let (Ok(parsed), Ok(name)) = (ParsedCertificate::try_from(certificate), ServerName::try_from("media-cache.invalid")) else {
        return false;
    };
    let checked = verify_server_name(&parsed, &name);
    matches!(checked, Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) if presented.is_empty())
}

/// When a certificate is valid.
struct Validity {
    not_before: SystemTime,
    not_after: SystemTime,
}

impl Validity {
    /// `None` if the certificate has a form that hides it.
    fn of(leaf: CertificateDer<'static>, provider: Arc<CryptoProvider>) -> Option<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(leaf.clone()).ok()?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()?;
        let name = ServerName::try_from("localhost").ok()?;
        // A certificate is checked for its time before anything else, and the error has the date.
        let error_at = |time| verifier.verify_server_cert(&leaf, &[], &name, &[], UnixTime::since_unix_epoch(time)).err();
        let Some(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) = error_at(Duration::MAX) else {
            return None;
        };
        let not_before = match error_at(Duration::ZERO) {
            Some(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => not_before,
            _ => UnixTime::since_unix_epoch(Duration::ZERO),
        };
        let time = |time: UnixTime| SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs());
        Some(Self { not_before: time(not_before), not_after: time(not_after) })
    }

    fn log(&self, cert: &Path, now: SystemTime) {
        let (cert, not_after) = (cert.display(), httpdate::fmt_http_date(self.not_after));
        if now > self.not_after {
            tracing::warn!("the certificate in {cert} expired on {not_after}, so clients refuse it");
        } else if now < self.not_before {
            let not_before = httpdate::fmt_http_date(self.not_before);
            tracing::warn!("the certificate in {cert} is not valid before {not_before}, so clients refuse it");
        } else {
            tracing::info!("the certificate in {cert} is valid until {not_after}");
        }
    }
}
