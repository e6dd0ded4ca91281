//! The stream of events.

use futures::StreamExt;
use futures::stream::BoxStream;
use media_cache_test_support::http_client::{HttpResponse, http_client, send};
use media_cache_test_support::soon::soon;
use serde_json::Value;

use crate::stage::{Demo, Setup};

/// A stream of events.
struct Events {
    chunks: BoxStream<'static, Vec<u8>>,
    text: String,
}

impl Events {
    async fn open(demo: &Demo) -> Result<Self, HttpResponse> {
        let request = || http_client().get(demo.url("/dashboard/events"));
        let response = soon(request().send()).await.unwrap();
        if response.status() != 200 {
            return Err(send(request()).await);
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let chunks = response.bytes_stream().filter_map(async |chunk| Some(chunk.ok()?.to_vec())).boxed();
        Ok(Self { chunks, text: String::new() })
    }

    /// The next event. `None` at the end of the stream.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (name, data) = event.split_once('\n').unwrap();
                let event =
                    (name.strip_prefix("event: ").unwrap().to_owned(), data.strip_prefix("data: ").unwrap().parse().unwrap());
                self.text = rest.to_owned();
                return Some(event);
            }
            self.text += &String::from_utf8(soon(self.chunks.next()).await?).unwrap();
        }
    }
}

#[tokio::test]
async fn stream_begins_with_the_history_and_continues_with_the_state() {
    let demo = Demo::start(Setup::default()).await;
    let mut events = Events::open(&demo).await.ok().unwrap();
    let (name, history) = events.next().await.unwrap();
    assert_eq!((name.as_str(), &history["columns"][1]), ("history", &"memory".into()));
    let (name, before) = events.next().await.unwrap();
    assert_eq!((name.as_str(), &before["sources"]["requests"]), ("state", &serde_json::json!([0, 0, 0])));
    demo.request("https://fast.example/1.png").await;
    demo.request("https://fast.example/1.png").await;
    let (_, after) = events.next().await.unwrap();
    assert_eq!(after["sources"], serde_json::json!({ "requests": [1, 0, 1], "bytes": [6000, 0, 6000] }));
    assert_eq!(after["downloads"]["hosts"][0]["host"], "fast.example");
}

#[tokio::test]
async fn number_of_streams_is_limited_and_a_closed_one_makes_room() {
    let demo = Demo::start(Setup::default()).await;
    let mut open = Vec::new();
    let refused = loop {
        match Events::open(&demo).await {
            Ok(events) => open.push(events),
            Err(refused) => break refused,
        }
    };
    assert_eq!((open.len(), refused.status, refused.code().as_str()), (8, 503, "too-many-streams"));
    assert_eq!(refused.header("retry-after"), "5");
    open.pop();
    soon(async { while Events::open(&demo).await.is_err() {} }).await;
}

#[tokio::test]
async fn streams_end_when_the_service_stops() {
    let demo = Demo::start(Setup::default()).await;
    let mut events = Events::open(&demo).await.ok().unwrap();
    events.next().await.unwrap();
    demo.stop();
    soon(async { while events.next().await.is_some() {} }).await;
}
