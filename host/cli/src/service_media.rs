//! Gets and stores media in a running service.

use anyhow::Context;
use indicatif::ProgressBar;
use media_cache::{Blob, FetchedMedia, Spool, SpooledBody};
use media_cache_http_downloader::filename_for;
use reqwest::{Body, Method, Response, header};
use serde_json::Value;
use url::Url;

use crate::progress;
use crate::service_client::{Answer, SPOOL_ABOVE, ServiceClient, unexpected};

/// Media that a service sent.
pub struct ServedMedia {
    pub mimetype: String,
    pub filename: String,
    pub body: Blob,
    /// Where the service had it from: `cache`, `tier` or `origin`.
    pub source: &'static str,
}

impl ServiceClient {
    /// Gets the complete media of a URL. The service downloads it if necessary.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn get(&self, url: &str, bar: &ProgressBar) -> anyhow::Result<ServedMedia> {
        let response = self.send(self.request(Method::GET, self.url("media", &[("url".into(), url.into())])?)).await?;
        if !response.status().is_success() {
            return match self.read(response).await? {
                Answer::Refused { detail, .. } => Err(anyhow::anyhow!(detail)),
                Answer::Done(_) => Err(unexpected()),
            };
        }
        let text = |name| response.headers().get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
        let mimetype = text(header::CONTENT_TYPE).unwrap_or("application/octet-stream").to_owned();
        let source = match response.headers().get("x-cache").map(header::HeaderValue::as_bytes) {
            Some(b"miss") => "origin",
            Some(b"tier") => "tier",
            _ => "cache",
        };
        let disposition = response.headers().get(header::CONTENT_DISPOSITION).map(|value| value.as_bytes());
        let parsed = Url::parse(url).with_context(|| format!("{url} is not a URL"))?;
        let filename = filename_for(disposition, &parsed, &mimetype);
        let body = receive(response, bar).await.context("the response of the service was cut off")?;
        Ok(ServedMedia { mimetype, filename, body, source })
    }

    /// Stores media for a URL. Returns the document in the response.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn put(&self, url: &str, media: FetchedMedia) -> anyhow::Result<Value> {
        let query = [("url".into(), url.into()), ("filename".into(), media.filename)];
        let request = self.request(Method::PUT, self.url("media", &query)?).header(header::CONTENT_TYPE, media.mimetype);
        let request = request.header(header::CONTENT_LENGTH, media.body.len());
        let length = media.body.len();
        self.ask(request.body(Body::wrap_stream(media.body.stream(0..length)))).await
    }
}

async fn receive(mut response: Response, bar: &ProgressBar) -> anyhow::Result<Blob> {
    let total = response.content_length();
    let mut body = SpooledBody::new(SPOOL_ABOVE, Spool::temporary(), total);
    let mut received = 0;
    while let Some(piece) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        received += piece.len() as u64;
        progress::downloaded(bar, received, total);
        body.append(piece).await?;
    }
    Ok(body.finish().await?)
}
