//! Converts bodies to the form in which they are passed between processes.
//!
//! A small body is sent within the message. A body in a file is passed as the open file, and a large body in memory as an unnamed file in
//! memory that cannot be changed any more.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::SystemTime;

use media_cache::{Blob, FetchedMedia, Media, MediaInfo, Source};

use crate::connection::{Body, MAX_INLINE};
use crate::messages::MediaHead;

/// The form in which a body, which must be complete, is sent.
pub(crate) async fn sendable(blob: &Blob) -> io::Result<Body> {
    if blob.len() <= MAX_INLINE as u64 {
        return Ok(Body::Inline(blob.bytes().await?));
    }
    if let Some(file) = blob.file() {
        return Ok(Body::File(file.clone()));
    }
    let bytes = blob.bytes().await?;
    let write = move || Ok(Body::File(Arc::new(sealed_file(&bytes)?)));
    tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
}

/// The body of a message that announced `length` bytes.
pub(crate) fn received(body: Option<Body>, length: u64) -> io::Result<Blob> {
    let blob = match body {
        Some(Body::Inline(bytes)) => Blob::from(bytes),
        Some(Body::File(file)) => Blob::from_file(file)?,
        None => Blob::from(Vec::new()),
    };
    if blob.len() == length {
        return Ok(blob);
    }
    let why = format!("the body has {} bytes instead of {length}", blob.len());
    Err(io::Error::new(io::ErrorKind::InvalidData, why))
}

#[cfg(target_os = "linux")]
fn sealed_file(bytes: &[u8]) -> io::Result<File> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    let mut file: File = memfd_create("media-cache", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?.into();
    file.write_all(bytes)?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file)
}

#[cfg(not(target_os = "linux"))]
fn sealed_file(bytes: &[u8]) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    Ok(file)
}

impl MediaHead {
    /// Describes media of the cache, whose body is complete.
    pub fn of(media: &Media) -> Self {
        Self {
            mimetype: media.mimetype().into(),
            filename: media.filename().into(),
            stored_at: media.stored_at(),
            source: media.source,
            cache_control: media.cache_control(),
            validators: media.validators().clone(),
            length: media.body.len(),
        }
    }

    /// Describes media of a downloader, whose body is complete.
    pub fn of_fetched(media: &FetchedMedia) -> Self {
        Self {
            mimetype: media.mimetype.clone(),
            filename: media.filename.clone(),
            stored_at: SystemTime::UNIX_EPOCH,
            source: Source::Origin,
            cache_control: media.cache_control,
            validators: media.validators.clone(),
            length: media.body.len(),
        }
    }

    /// The media with its body.
    pub fn with(self, body: Option<Body>) -> io::Result<Media> {
        let body = received(body, self.length)?;
        let info = MediaInfo {
            cache_control: self.cache_control,
            validators: self.validators,
            ..MediaInfo::new(self.mimetype, self.filename, self.stored_at)
        };
        Ok(Media::new(info, body, self.source))
    }

    /// The media of a downloader with its body.
    pub fn with_fetched(self, body: Option<Body>) -> io::Result<FetchedMedia> {
        let body = received(body, self.length)?;
        let Self { mimetype, filename, cache_control, validators, .. } = self;
        Ok(FetchedMedia { body, mimetype, filename, cache_control, validators })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn large_body_in_memory_is_passed_as_a_file_that_cannot_be_changed() {
        let bytes = vec![7; MAX_INLINE + 1];
        let Body::File(file) = sendable(&Blob::from(bytes.clone())).await.unwrap() else { panic!("it is not a file") };
        if cfg!(target_os = "linux") {
            assert_eq!((&*file).write(b"x").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        }
        let body = received(Some(Body::File(file.clone())), bytes.len() as u64).unwrap();
        assert_eq!(body.bytes().await.unwrap(), bytes);
        assert!(received(Some(Body::File(file)), 1).is_err());
    }

    #[tokio::test]
    async fn small_body_is_sent_within_the_message() {
        let body = sendable(&Blob::from(vec![7; MAX_INLINE])).await.unwrap();
        assert!(matches!(&body, Body::Inline(bytes) if bytes.len() == MAX_INLINE));
        assert!(received(None, 1).is_err() && received(None, 0).unwrap().is_empty());
    }
}
