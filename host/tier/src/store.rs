//! Requests to the store, with time limits. A store that fails is not used for a while.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use media_cache_entry_files::KeyDigest;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion};
use tokio::time::{Instant, timeout, timeout_at};

use crate::breaker::Breaker;
use crate::directory::Directory;
use crate::failure::StoreFailure;
use crate::location::{Location, LocationError};
use crate::names::Names;

/// For this many bytes of a body, as much time is allowed as for the response to a request.
const BYTES_PER_TIMEOUT: u64 = 1 << 20;

/// The maximum time for receiving an object, unless the time for a response is longer.
const MAX_RECEIVING: Duration = Duration::from_secs(30);

/// The store of a tier.
pub(crate) struct Store {
    objects: Arc<dyn ObjectStore>,
    /// The directory, if the store is one.
    directory: Option<Directory>,
    timeout_advice: Option<&'static str>,
    pub names: Names,
    pub timeout: Duration,
    pub reads: Breaker,
    pub writes: Breaker,
}

/// An object that is being received.
pub(crate) struct Object {
    pub meta: ObjectMeta,
    body: BoxStream<'static, object_store::Result<Bytes>>,
    deadline: Instant,
    limit: Duration,
    /// The maximum time until the next bytes arrive.
    pause: Duration,
}

/// The condition for writing an object.
pub(crate) enum When {
    Always,
    /// Only if it does not exist.
    New,
    /// Only if it is still this one.
    Unchanged(UpdateVersion),
}

impl Store {
    /// The store at a location. The library does not try again, since a caller rather uses an origin.
    pub fn open(location: &Location, timeout: Duration) -> Result<Self, LocationError> {
        Ok(Self::of(location, location.store(timeout, 0)?, timeout))
    }

    /// The same for a command, which has no alternative: requests are tried again, and may take longer.
    pub fn patient(location: &Location, timeout: Duration) -> Result<Self, LocationError> {
        const RETRIES: usize = 4;
        Ok(Self::of(location, location.store(timeout, RETRIES)?, timeout * (RETRIES as u32 + 1)))
    }

    fn of(location: &Location, objects: Arc<dyn ObjectStore>, timeout: Duration) -> Self {
        Self {
            objects,
            directory: location.directory().map(|path| Directory::new(path.into())),
            timeout_advice: location.timeout_advice(),
            names: Names::new(location.prefix().clone()),
            timeout,
            reads: Breaker::new("lookups", "media that is not stored here comes from its origin"),
            writes: Breaker::new("uploads and leases", "new media is not uploaded, and nodes do not wait for each other"),
        }
    }

    /// The time for a request with this many bytes.
    fn limit(&self, bytes: u64) -> Duration {
        let parts = u32::try_from(bytes / BYTES_PER_TIMEOUT).unwrap_or(u32::MAX);
        self.timeout.saturating_mul(parts.saturating_add(1))
    }

    async fn within<T>(
        &self,
        limit: Duration,
        what: &'static str,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, StoreFailure> {
        let request = async {
            if let Some(directory) = &self.directory {
                directory.check().await?;
            }
            Ok(request.await?)
        };
        timeout(limit, request).await.unwrap_or(Err(StoreFailure::Timeout { limit, what, advice: self.timeout_advice }))
    }

    /// Begins to receive an object of at most `max_bytes`.
    pub async fn object(&self, path: &Path, max_bytes: u64) -> Result<Object, StoreFailure> {
        let found = self.within(self.timeout, "respond", self.objects.get(path)).await?;
        let meta = found.meta.clone();
        if meta.size > max_bytes {
            return Err(StoreFailure::Unexpected(format!("{path} has {} bytes, not at most {max_bytes}", meta.size)));
        }
        let limit = self.limit(meta.size).min(MAX_RECEIVING.max(self.timeout));
        Ok(Object { body: found.into_stream(), meta, deadline: Instant::now() + limit, limit, pause: self.timeout })
    }

    /// Receives a whole object of at most `max_bytes`.
    pub async fn read(&self, path: &Path, max_bytes: u64) -> Result<(Bytes, ObjectMeta), StoreFailure> {
        let mut object = self.object(path, max_bytes).await?;
        let mut bytes = Vec::with_capacity(object.meta.size as usize);
        while let Some(chunk) = object.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok((bytes.into(), object.meta))
    }

    /// What the store knows about an object.
    pub async fn meta(&self, path: &Path) -> Result<ObjectMeta, StoreFailure> {
        self.within(self.timeout, "respond", self.objects.head(path)).await
    }

    /// Writes an object. Returns its version.
    pub async fn write(&self, path: &Path, bytes: Bytes, when: When) -> Result<UpdateVersion, StoreFailure> {
        let limit = self.limit(bytes.len() as u64);
        let mode = match when {
            When::Always => PutMode::Overwrite,
            When::New => PutMode::Create,
            When::Unchanged(version) => PutMode::Update(version),
        };
        let put = self.objects.put_opts(path, PutPayload::from_bytes(bytes), PutOptions::from(mode));
        let written = self.within(limit, "accept an object", put).await.map_err(StoreFailure::of_write)?;
        Ok(UpdateVersion { e_tag: written.e_tag, version: written.version })
    }

    /// Writes a large object in parts. Stops and deletes the parts when `stop` completes.
    pub async fn write_parts(
        &self,
        path: &Path,
        mut parts: BoxStream<'_, Result<Bytes, StoreFailure>>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), StoreFailure> {
        let begun = self.within(self.timeout, "begin an upload", self.objects.put_multipart(path)).await;
        let mut upload = begun.map_err(StoreFailure::of_write)?;
        let sending = async {
            while let Some(part) = parts.try_next().await? {
                let limit = self.limit(part.len() as u64);
                self.within(limit, "accept a part of an object", upload.put_part(part.into())).await?;
            }
            self.within(self.timeout, "complete an upload", upload.complete()).await.map(drop)
        };
        let sent = tokio::select! {
            sent = sending => sent,
            () = stop => Err(StoreFailure::Unexpected("the upload was stopped".into())),
        };
        if sent.is_err() {
            // Parts that remain cost money until the store's own rules delete them.
            let _ = self.within(self.timeout, "end an upload", upload.abort()).await;
        }
        sent
    }

    /// Deletes an object, if it exists.
    pub async fn delete(&self, path: &Path) -> Result<(), StoreFailure> {
        match self.within(self.timeout, "delete an object", self.objects.delete(path)).await {
            Err(StoreFailure::NotFound) => Ok(()),
            deleted => deleted,
        }
    }

    /// Removes both objects of an entry. Returns whether it had a sidecar.
    pub async fn remove(&self, digest: KeyDigest) -> Result<bool, StoreFailure> {
        // Some stores do not say whether what they delete existed.
        let existed = match self.meta(&self.names.sidecar(digest)).await {
            Err(StoreFailure::NotFound) => false,
            found => found.map(|_| true)?,
        };
        self.delete_entry(digest).await?;
        Ok(existed)
    }

    /// Removes both objects of an entry, if it exists, the sidecar first: an entry without one does not exist.
    pub async fn delete_entry(&self, digest: KeyDigest) -> Result<(), StoreFailure> {
        self.delete(&self.names.sidecar(digest)).await?;
        self.delete(&self.names.media(digest)).await
    }

    /// All objects below a path, in no particular order. There is a time limit for each page of the listing.
    pub fn list(&self, path: &Path) -> BoxStream<'static, Result<ObjectMeta, StoreFailure>> {
        let (listing, limit, advice) = (self.objects.list(Some(path)), self.limit(BYTES_PER_TIMEOUT * 4), self.timeout_advice);
        Box::pin(futures::stream::try_unfold(listing, move |mut listing| async move {
            let next = timeout(limit, listing.try_next()).await.map_err(|_| StoreFailure::Timeout {
                limit,
                what: "list its objects",
                advice,
            })?;
            Ok(next?.map(|meta| (meta, listing)))
        }))
    }

    /// How far the store's clock is ahead of this machine's, in seconds. Writes an object to find out, with an error of a few seconds.
    pub async fn clock_lead(&self) -> Result<f64, StoreFailure> {
        let path = self.names.clock();
        self.write(&path, Bytes::new(), When::Always).await?;
        let written = SystemTime::from(self.meta(&path).await?.last_modified);
        Ok(seconds_between(SystemTime::now(), written))
    }
}

impl Object {
    /// The next bytes, and `None` at the end. The length is not checked.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, StoreFailure> {
        let deadline = self.deadline.min(Instant::now() + self.pause);
        let next = timeout_at(deadline, self.body.try_next()).await;
        let limit = if deadline == self.deadline { self.limit } else { self.pause };
        Ok(next.map_err(|_| StoreFailure::Timeout { limit, what: "send an object", advice: None })??)
    }
}

/// The seconds from one time to another, negative if it is earlier.
pub(crate) fn seconds_between(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}
