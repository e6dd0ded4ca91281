//! Converts media between its two forms: handles in the component's table, and bytes on the host.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use media_cache_interfaces::{Blob, CacheControl, Cacheability, FetchedMedia, Validators};

use crate::bindings::cache::exports::media_cache::cache::cache as wit;
use crate::bindings::cache::media_cache::cache::downloader as fetched;
use crate::host_state::HostState;
use crate::media::{Attachment, Delivered, Media, MediaInfo, Source};

/// Removes from the component's resource table the media that the component returned.
pub(crate) fn receive(state: &mut HostState, media: wit::Media) -> wasmtime::Result<Delivered> {
    let file = media.file.map(|file| state.take_blob(file)).transpose()?;
    let body = state.take_blob(media.body)?;
    let info = MediaInfo {
        mimetype: media.mimetype,
        filename: media.filename,
        stored_at: SystemTime::UNIX_EPOCH + Duration::from_millis(media.stored_at),
        cache_control: CacheControl {
            cacheability: match media.cache_control.cacheability {
                fetched::Cacheability::Public => Cacheability::Public,
                fetched::Cacheability::Private => Cacheability::Private,
                fetched::Cacheability::NoStore => Cacheability::NoStore,
            },
            max_age: media.cache_control.max_age,
            age: media.cache_control.age,
        },
        validators: from_component(media.validators),
        cost: media.cost,
        attachment: Attachment::default(),
    };
    Ok(Delivered {
        instance: state.instance,
        handle: media.handle,
        resident: if media.resident { Arc::downgrade(&body) } else { Weak::new() },
        file: file.as_ref().map(Arc::downgrade).unwrap_or_default(),
        sidecar: media.sidecar,
        media: Media::new(info, Blob::clone(&body), Source::of(media.source, &body)),
    })
}

/// A time as the component sees it. Times before 1970 become 0.
pub(crate) fn timestamp(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Adds media of this URL to the component's resource table.
pub(crate) fn hand_over(state: &mut HostState, url: &str, media: FetchedMedia) -> wasmtime::Result<fetched::FetchedMedia> {
    let FetchedMedia { body, mimetype, filename, cache_control, validators } = media;
    Ok(fetched::FetchedMedia {
        body: state.push_blob_of(Some(url.into()), Arc::new(body))?,
        mimetype,
        filename,
        cache_control: to_component(cache_control),
        validators: fetched::Validators { etag: validators.etag, last_modified: validators.last_modified },
    })
}

/// Converts validators from the component.
pub(crate) fn from_component(validators: fetched::Validators) -> Validators {
    Validators { etag: validators.etag, last_modified: validators.last_modified }
}

/// Converts cache control for the component.
pub(crate) fn to_component(cache_control: CacheControl) -> fetched::CacheControl {
    let cacheability = match cache_control.cacheability {
        Cacheability::Public => fetched::Cacheability::Public,
        Cacheability::Private => fetched::Cacheability::Private,
        Cacheability::NoStore => fetched::Cacheability::NoStore,
    };
    fetched::CacheControl { cacheability, max_age: cache_control.max_age, age: cache_control.age }
}
