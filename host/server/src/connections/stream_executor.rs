//! The tasks of the streams of an HTTP/2 connection.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use crate::connections::limits::ClientLimits;
use crate::connections::min_rate::TooSlow;
use crate::connections::stream_progress::StreamProgress;
use crate::connections::streams::Streams;
use crate::connections::timer::Timer;

tokio::task_local! {
    /// The progress of the response on the stream to which the current task belongs.
    static PROGRESS: Arc<StreamProgress>;
}

/// Runs each stream in a task. Resets those whose clients accept the response too slowly. hyper is done with a stream before the client has
/// accepted its end; if that takes too long, the connection has to end.
#[derive(Clone)]
pub(crate) struct StreamExecutor {
    pub limits: Arc<ClientLimits>,
    pub streams: Streams,
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for StreamExecutor {
    fn execute(&self, stream: F) {
        let streams = self.streams.clone();
        let progress = StreamProgress::new(streams.clone(), &self.limits);
        tokio::spawn(async move {
            let mut timer = Timer::default();
            {
                let mut stream = pin!(PROGRESS.scope(progress.clone(), stream));
                poll_fn(|cx| match stream.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(()),
                    // A stream that is dropped before its end is reset.
                    Poll::Pending => {
                        progress.poll_too_slow(&mut timer, cx).map(|_| tracing::debug!("a response was read too slowly"))
                    }
                })
                .await;
            }
            let accepted = poll_fn(|cx| progress.poll_accepted(&mut timer, cx)).await;
            accepted.unwrap_or_else(|TooSlow| streams.note_too_slow());
        });
    }
}

/// The progress of the stream to which the current task belongs.
pub(crate) fn current_progress() -> Arc<StreamProgress> {
    PROGRESS.get()
}
