//! Serves an HTTP/1 connection.

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use crate::connections::body::{RequestBody, ResponseBody};
use crate::connections::client_stream::ClientStream;
use crate::connections::close::{Linger, end, limit_sending, linger, reset, respond_and_close, stopped};
use crate::connections::connection::Server;
use crate::connections::counters::{Ending, OpenConnection};
use crate::connections::exchange::Exchanges;
use crate::connections::guarded_stream::GuardedStream;
use crate::connections::limits::ClientLimits;
use crate::connections::routes::Routes;
use crate::problem::Problem;

/// The maximum size of each of hyper's buffers, in bytes, unless heads may be larger.
const BUFFER: usize = 64 << 10;

impl Server {
    /// Serves an HTTP/1 connection to its end, with or without the hit lane.
    pub async fn serve_http1<I, S>(self, stream: I, exchanges: Exchanges, peer: SocketAddr, mut open: OpenConnection)
    where
        I: AsyncRead + AsyncWrite + Into<GuardedStream<S>> + Unpin + Send + 'static,
        S: ClientStream,
    {
        let Self { routes: Routes { router, .. }, limits, mut stop, .. } = self;
        let handler = RequestHandler { router, peer, limits: limits.clone(), exchanges: exchanges.clone() };
        let mut connection = http1::Builder::new()
            .max_header_size(limits.max_header_bytes)
            .max_buf_size(BUFFER.max(limits.max_header_bytes))
            .serve_connection(TokioIo::new(stream), handler);
        let mut stopping = false;
        let served = loop {
            tokio::select! {
                biased;
                served = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break served,
                () = stopped(&mut stop), if !stopping => {
                    // An idle connection ends immediately. Any other ends after its current response.
                    stopping = true;
                    exchanges.stop();
                    // hyper considers the connection idle while a request is answered in place or while its head is arriving.
                    if !exchanges.is_in_place() && !exchanges.has_part_of_first() {
                        Pin::new(&mut connection).graceful_shutdown();
                    }
                }
            }
        };
        let mut io: GuardedStream<S> = connection.into_parts().io.into_inner().into();
        // If hyper could not parse a request, it has already sent a response.
        let refused = io.refused.take().filter(|_| served.as_ref().is_err_and(|error| !error.is_parse()));
        open.ending = match (io.timed_out, &served) {
            (Some(ending), _) => ending,
            (None, _) if refused.is_some() => Ending::Invalid,
            (None, _) if exchanges.had_slow_body() => Ending::SlowBody,
            // If hyper gets an error instead of a request, it treats the error as the end of the connection.
            (None, Ok(())) if io.is_broken => Ending::Broken,
            (None, Ok(())) => Ending::Finished,
            (None, Err(error)) if error.is_parse() => Ending::Invalid,
            (None, Err(_)) => Ending::Broken,
        };
        tracing::debug!("a connection from {peer} ended: {}{}", open.ending.name(), causes(served.err()));
        let (has_partial_request, at_end) = (io.has_partial_request(), io.at_end);
        let mut stream = io.into_inner();
        limit_sending(&stream);
        if let Some(refused) = refused.filter(|_| open.ending == Ending::Invalid) {
            return respond_and_close(stream, refused.reason.into(), Linger::for_client(&limits), &mut stop).await;
        }
        match open.ending {
            Ending::SlowHeader if has_partial_request => {
                let why = format!("the head of the request took longer than {} s", limits.header_timeout.as_secs());
                let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, "slow-header", why);
                respond_and_close(stream, problem, Linger::for_client(&limits), &mut stop).await;
            }
            Ending::Finished | Ending::Invalid | Ending::SlowBody if !at_end => {
                linger(&mut stream, Linger::for_client(&limits), &mut stop).await;
            }
            // The kernel need not keep data that the client has not read, and the client should notice that the response is incomplete.
            Ending::SlowReader => reset(stream),
            // An encrypted connection ends with a message.
            Ending::Finished | Ending::Idle | Ending::SlowHeader => drop(end(&mut stream, Linger::brief()).await),
            _ => {}
        }
    }
}

/// The causes of an error, for the log. Empty if there is no error.
fn causes(error: Option<hyper::Error>) -> String {
    let mut causes = Vec::new();
    let mut next = error.as_ref().map(|error| error as &dyn Error);
    while let Some(error) = next {
        causes.push(error.to_string());
        next = error.source();
    }
    causes.iter().map(|cause| format!(": {cause}")).collect()
}

/// Passes requests to the router.
struct RequestHandler {
    router: Router,
    peer: SocketAddr,
    limits: Arc<ClientLimits>,
    exchanges: Exchanges,
}

impl hyper::service::Service<Request<Incoming>> for RequestHandler {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let exchange = self.exchanges.begin();
        let (mut parts, body) = request.into_parts();
        // Only the code that decodes a chunked body can tell where the body ends, and a length in addition to chunked encoding is a reason
        // to distrust the bytes after it (RFC 9112, section 6.3).
        let is_chunked = parts.headers.contains_key(header::TRANSFER_ENCODING);
        parts.extensions.insert(ConnectInfo(self.peer));
        let (body, completion) = RequestBody::new(body, &self.limits, self.exchanges.clone());
        let response = self.router.clone().call(Request::from_parts(parts, Body::new(body)));
        Box::pin(async move {
            let mut response = response.await?;
            if is_chunked || !completion.is_complete() {
                // The rest of the body would have to be read before the next request, and the client should stop sending it.
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| ResponseBody::new(body, exchange)))
        })
    }
}
