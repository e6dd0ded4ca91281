//! Media on its way into the component and out of it: handles in its table on one side, bytes on the other.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use media_cache_interfaces::Blob;
use wasmtime::component::Resource;

use crate::bindings::cache::exports::media_cache::cache::cache as wit;
use crate::blob_handle::BlobHandle;
use crate::host_state::HostState;
use crate::media::{Delivered, Media, Offered};

/// Takes delivered media out of the component's table.
pub(crate) fn receive(state: &mut HostState, media: wit::Media) -> wasmtime::Result<Delivered> {
    let body = state.take_blob(media.body)?;
    Ok(Delivered {
        media: Media {
            mimetype: media.mimetype.into(),
            filename: media.filename.into(),
            body: Blob::clone(&body),
            source: media.source,
            stored_at: SystemTime::UNIX_EPOCH + Duration::from_millis(media.stored_at),
        },
        handle: media.ticket,
        resident: Arc::downgrade(&body),
    })
}

/// Puts offered media into the component's table.
pub(crate) fn hand_over(state: &mut HostState, offered: Offered) -> wasmtime::Result<(Resource<BlobHandle>, String, String)> {
    Ok((state.push_blob(Arc::new(offered.body))?, offered.mimetype, offered.filename))
}
