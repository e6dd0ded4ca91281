//! Receives the bodies of responses that are not needed, such as those of redirects and errors, so that their connections can serve other
//! requests.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::byte_counter::ByteCounter;

/// The maximum length of an unneeded body, in bytes, and the maximum time to wait for it. A short wait is worthwhile, since opening a new
/// connection takes time as well.
const MAX_BYTES: usize = 16 * 1024;
const MAX_TIME: Duration = Duration::from_millis(20);

/// Receives and drops the body if it is short and arrives soon. Otherwise, the connection is closed.
pub(crate) async fn discard(response: Response<Incoming>) {
    // A response without a counter came over HTTP/2.
    let Some(counter) = response.extensions().get::<ByteCounter>().filter(|counter| counter.permits_reuse()).cloned() else {
        return;
    };
    let receive = async {
        if is_short(response.into_body()).await {
            counter.body_received();
            counter.until_unused().await;
        }
    };
    // If the time is up, dropping the body closes the connection.
    let _ = timeout(MAX_TIME, receive).await;
}

async fn is_short(mut body: Incoming) -> bool {
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        received += frame.data_ref().map_or(0, Bytes::len);
        if received > MAX_BYTES {
            return false;
        }
    }
    true
}
