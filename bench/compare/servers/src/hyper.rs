//! Plain hyper: the cost of a response with the HTTP library of the service and nothing else.

use std::{convert::Infallible, net};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header::DATE};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, runtime};

use crate::rendered::Rendered;

/// Sends the same response to every request, on this thread.
///
/// # Errors
/// If a header of the response is not valid, or the listener fails.
pub fn serve(listener: net::TcpListener, rendered: &Rendered) -> Result<()> {
    let mut headers = HeaderMap::new();
    for (name, value) in rendered.headers() {
        let name: HeaderName = name.parse().with_context(|| format!("the response has a header named {name:?}"))?;
        headers.insert(name, HeaderValue::from_str(value)?);
    }
    // Hyper adds the current date.
    headers.remove(DATE);
    let body = rendered.body.clone();
    listener.set_nonblocking(true)?;
    runtime::Builder::new_current_thread().enable_io().build()?.block_on(accept(listener, headers, body))
}

async fn accept(listener: net::TcpListener, headers: HeaderMap, body: Bytes) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (headers, body) = (headers.clone(), body.clone());
        let service = service_fn(move |_| {
            let mut response = Response::new(Full::new(body.clone()));
            response.headers_mut().clone_from(&headers);
            async { Ok::<_, Infallible>(response) }
        });
        // A failed connection affects only its client.
        tokio::spawn(async { drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await) });
    }
}
