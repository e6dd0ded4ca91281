//! Tests of attached processes whose owner misbehaves.

use std::io;
use std::path::Path;

use media_cache::{Builder, CacheError, DirectoryLock};
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use crate::client::{CallFailure, Client};
use crate::connection::Connection;
use crate::messages::{Admission, Answer, Call, OwnerInfo};
use crate::options::DirectoryOptions;
use crate::owner::welcome;
use crate::shared_cache::SharedCache;
use crate::socket_path;

/// What an owner does once a process is attached.
#[derive(Clone, Copy, PartialEq)]
enum Behavior {
    Answers,
    HangsUp,
    RefusesConnections,
}

/// Answers every call with [`Answer::Done`], or misbehaves, until it is dropped.
struct FaultyOwner(JoinHandle<()>);

impl FaultyOwner {
    fn start(directory: &Path, id: u64, behavior: Behavior) -> Self {
        let listener = UnixListener::from_std(socket_path::listen(directory).unwrap().listener).unwrap();
        let accept = async move {
            for number in 0.. {
                let connection = Connection::new(listener.accept().await.unwrap().0).unwrap();
                let admission = match behavior {
                    Behavior::RefusesConnections if number > 0 => Admission::Full(7),
                    _ => Admission::Accepted(OwnerInfo { id, options: DirectoryOptions::default(), has_copies: false }),
                };
                tokio::spawn(serve(connection, admission, behavior));
            }
        };
        Self(tokio::spawn(accept))
    }
}

impl Drop for FaultyOwner {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn serve(mut connection: Connection, admission: Admission, behavior: Behavior) -> io::Result<()> {
    if !welcome(&mut connection, admission).await? {
        return Ok(());
    }
    while connection.receive::<Call>().await?.is_some() && behavior == Behavior::Answers {
        connection.send(&Answer::Done, None).await?;
    }
    Ok(())
}

#[tokio::test]
async fn client_does_not_use_a_connection_to_another_owner() {
    let directory = tempfile::tempdir().unwrap();
    let _first = FaultyOwner::start(directory.path(), 1, Behavior::Answers);
    let client = Client::connect(directory.path()).await.unwrap();
    let _second = FaultyOwner::start(directory.path(), 2, Behavior::Answers);
    let failure = client.call(&Call::Checkpoint, None).await.map(drop).unwrap_err();
    assert!(matches!(&failure, CallFailure::Lost(why) if why.to_string().contains("another process")), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn call_fails_if_the_owner_hangs_up_again_and_again() {
    let directory = tempfile::tempdir().unwrap();
    let _lock = DirectoryLock::acquire(directory.path()).unwrap();
    let _owner = FaultyOwner::start(directory.path(), 1, Behavior::HangsUp);
    let unused = |_: &DirectoryOptions| Err::<Builder, _>(io::Error::other("unused"));
    let cache = SharedCache::open_or_attach(directory.path(), DirectoryOptions::default(), unused).await.unwrap();
    let error = cache.checkpoint().await.unwrap_err();
    assert!(matches!(&error, CacheError::Unavailable(outage) if outage.reason.contains("lost 16 times")), "{error}");
}

#[tokio::test(start_paused = true)]
async fn call_waits_for_a_connection_for_a_limited_time() {
    let directory = tempfile::tempdir().unwrap();
    let _owner = FaultyOwner::start(directory.path(), 1, Behavior::RefusesConnections);
    let client = Client::connect(directory.path()).await.unwrap();
    let begun = tokio::time::Instant::now();
    let failure = client.call(&Call::Checkpoint, None).await.map(drop).unwrap_err();
    let CallFailure::Failed(CacheError::Unavailable(outage)) = failure else { panic!("{failure:?}") };
    assert!(outage.reason.contains("accepts 7 connections"), "{outage}");
    assert!((30..32).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn owner_of_another_version_is_named_in_the_error() {
    let directory = tempfile::tempdir().unwrap();
    let listener = UnixListener::from_std(socket_path::listen(directory.path()).unwrap().listener).unwrap();
    let reply = async {
        let mut connection = Connection::new(listener.accept().await.unwrap().0).unwrap();
        let hello = connection.receive::<serde_json::Value>().await.unwrap();
        connection.send(&serde_json::json!({ "program": "9.8.7", "admission": null, "more": 1 }), None).await.unwrap();
        hello
    };
    let (hello, error) = tokio::join!(reply, Client::connect(directory.path()));
    assert_eq!(hello.unwrap().0["version"], crate::messages::VERSION);
    let error = io::Error::from(error.unwrap_err());
    assert!(error.to_string().contains("runs media-cache 9.8.7"), "{error}");
}
