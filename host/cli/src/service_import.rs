//! Imports entries into a running service, over HTTP.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use media_cache_entry_files::{Metadata, encode_hex};
use media_cache_maintenance::{Destination, Incoming, IncomingBody, Presence, StoreFailure};
use reqwest::{Body, Method, StatusCode, header};
use tokio::runtime::Handle;

use crate::service_client::{Answer, SPOOL_ABOVE, ServiceClient};

/// A running service to import entries into.
pub struct ServiceImport {
    client: ServiceClient,
    runtime: Handle,
}

impl ServiceImport {
    /// Imports with requests that run on this runtime. Must not be called on a thread of that runtime.
    pub fn new(client: ServiceClient, runtime: Handle) -> Self {
        Self { client, runtime }
    }
}

impl Destination for ServiceImport {
    fn presence(&mut self, entry: &Incoming) -> Result<Presence, StoreFailure> {
        let query = [("url".to_owned(), entry.sidecar.url.clone())];
        let url = self.client.url("media", &query).map_err(fatal)?;
        let request = self.client.request(Method::HEAD, url).header(header::CACHE_CONTROL, "only-if-cached");
        let response = self.runtime.block_on(self.client.send(request)).map_err(fatal)?;
        let status = response.status();
        let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
        match status {
            StatusCode::OK if tag == Some(&format!("\"{}\"", encode_hex(&entry.body_digest))) => Ok(Presence::Same),
            StatusCode::OK => Ok(Presence::Different),
            StatusCode::GATEWAY_TIMEOUT => Ok(Presence::Absent),
            // The PUT that follows returns the reason for a refusal.
            _ => Ok(Presence::Absent),
        }
    }

    fn store(&mut self, entry: &Incoming, body: &mut IncomingBody<'_>) -> Result<(), StoreFailure> {
        let size = entry.sidecar.size;
        let unkept = |error: io::Error| StoreFailure::Fatal(format!("cannot store a body in a temporary file: {error}"));
        let body = if size > SPOOL_ABOVE {
            let mut file = spool(body).map_err(unkept)?;
            body.check()?;
            file.seek(SeekFrom::Start(0)).map_err(unkept)?;
            Body::from(tokio::fs::File::from_std(file))
        } else {
            let mut bytes = Vec::new();
            body.read_to_end(&mut bytes).map_err(unkept)?;
            body.check()?;
            Body::from(bytes)
        };
        let url = self.client.url("media", &query(entry)).map_err(fatal)?;
        let request = self.client.request(Method::PUT, url).header(header::CONTENT_TYPE, &entry.sidecar.metadata.mimetype);
        let request = request.header(header::CONTENT_LENGTH, size).body(body);
        let answered = self.runtime.block_on(async { self.client.read(self.client.send(request).await?).await });
        match answered.map_err(fatal)? {
            Answer::Done(_) => Ok(()),
            Answer::Refused { status, detail, .. } => match status {
                StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::INSUFFICIENT_STORAGE => {
                    Err(StoreFailure::Refused(detail))
                }
                _ => Err(StoreFailure::Fatal(detail)),
            },
        }
    }
}

fn spool(body: &mut IncomingBody<'_>) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(body, &mut file)?;
    file.flush()?;
    Ok(file)
}

/// The parameters of a PUT. The service records the current time as the time of storage. The time that has passed since the original time
/// of storage is therefore added to the age, so that the import does not extend the time for which the entry is fresh.
fn query(entry: &Incoming) -> Vec<(String, String)> {
    let metadata: &Metadata = &entry.sidecar.metadata;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis());
    let stored_for = now.saturating_sub(metadata.stored_at.into()) / 1000;
    let age = u128::from(metadata.age).saturating_add(stored_for).min(u32::MAX.into());
    let mut query = vec![
        ("url", entry.sidecar.url.clone()),
        ("filename", metadata.filename.clone()),
        ("private", metadata.is_private().to_string()),
    ];
    query.extend(metadata.max_age.map(|max_age| ("max-age", max_age.to_string())));
    query.push(("age", age.to_string()));
    query.extend(metadata.etag.clone().map(|etag| ("etag", etag)));
    query.extend(metadata.last_modified.clone().map(|time| ("last-modified", time)));
    query.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn fatal(error: anyhow::Error) -> StoreFailure {
    StoreFailure::Fatal(format!("{error:#}"))
}
