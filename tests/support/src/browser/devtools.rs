//! The DevTools protocol over a pair of pipes: JSON messages that end in a zero byte.
//!
//! A thread reads the responses and events, so that tests with separate runtimes can share one browser.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::soon::soon;
use serde_json::{Value, json};
use tokio::sync::{broadcast, oneshot};

/// The number of events by which a receiver may lag behind.
const EVENTS: usize = 4096;

/// A connection to a browser.
pub struct DevTools {
    input: Mutex<Box<dyn Write + Send>>,
    pending: Pending,
    events: broadcast::Sender<Arc<Value>>,
    next_id: AtomicU64,
    ended: Mutex<Receiver<()>>,
}

/// Commands waiting for a response, by id.
type Pending = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

impl DevTools {
    /// Speaks the protocol over two pipes.
    pub fn over(input: impl Write + Send + 'static, output: impl Read + Send + 'static) -> Self {
        let (pending, (events, _)) = (Pending::default(), broadcast::channel(EVENTS));
        let (awaited, told) = (pending.clone(), events.clone());
        let (ends, ended) = sync_channel(1);
        std::thread::spawn(move || {
            receive(output, &awaited, &told);
            drop(ends);
        });
        Self { input: Mutex::new(Box::new(input)), pending, events, next_id: AtomicU64::new(1), ended: Mutex::new(ended) }
    }

    /// Issues a command, to a session or to the browser itself, and waits for its result.
    ///
    /// # Panics
    /// If the browser reports an error.
    pub async fn command(&self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        let answer = soon(self.issue(session, method, parameters)).await.unwrap_or_else(|_| panic!("the browser exited: {method}"));
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }

    /// Issues a command. The receiver gets the whole response.
    pub fn issue(&self, session: Option<&str>, method: &str, parameters: Value) -> oneshot::Receiver<Value> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let (answer, answered) = oneshot::channel();
        self.pending.lock().unwrap().insert(id, answer);
        let mut input = self.input.lock().unwrap();
        // A browser that has exited sends no response. Dropping the sender notifies the receiver.
        if input.write_all(format!("{message}\0").as_bytes()).and_then(|()| input.flush()).is_err() {
            self.pending.lock().unwrap().remove(&id);
        }
        answered
    }

    /// Waits until the browser closes its pipe, for a limited time. Returns whether it did.
    pub fn wait_for_end(&self, limit: Duration) -> bool {
        self.ended.lock().unwrap().recv_timeout(limit) == Err(RecvTimeoutError::Disconnected)
    }

    /// Events that the browser reports from now on.
    pub fn events(&self) -> Events {
        Events(self.events.subscribe())
    }
}

/// Events of the browser and of all its tabs.
pub struct Events(broadcast::Receiver<Arc<Value>>);

impl Events {
    /// The events that have been reported so far.
    ///
    /// # Panics
    /// If there were too many.
    pub fn received(&mut self) -> Vec<Arc<Value>> {
        let mut received = Vec::new();
        loop {
            match self.0.try_recv() {
                Ok(event) => received.push(event),
                Err(broadcast::error::TryRecvError::Empty) => return received,
                Err(error) => panic!("the browser exited, or too many events were not read: {error}"),
            }
        }
    }

    /// Waits for the first event that `wanted` accepts.
    pub async fn first(&mut self, wanted: impl Fn(&Value) -> bool) -> Arc<Value> {
        loop {
            let event = self.0.recv().await.expect("the browser exited, or too many events were not read");
            if wanted(&event) {
                return event;
            }
        }
    }
}

/// Dispatches responses and events until the browser exits.
fn receive(output: impl Read, pending: &Pending, events: &broadcast::Sender<Arc<Value>>) {
    for message in BufReader::new(output).split(0).map_while(Result::ok) {
        let message: Value = serde_json::from_slice(&message).unwrap();
        match message["id"].as_u64().map(|id| pending.lock().unwrap().remove(&id)) {
            Some(Some(answer)) => drop(answer.send(message)),
            Some(None) => {}
            // There may be no receivers.
            None => drop(events.send(message.into())),
        }
    }
    pending.lock().unwrap().clear();
}
