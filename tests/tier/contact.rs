//! Whether the store can be used is found out at the start, by `config check --contact`, and while it fails, without any request for media.

use media_cache_test_support::binary::binary;
use media_cache_test_support::command::{CommandOutput, finish};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::object_store::{Fault, ObjectStore};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::soon::soon;

use crate::node::{LOCATION, Node};

const NO_BUCKET: &str = "the bucket or container does not exist; create it, or correct the location of the tier";

#[tokio::test]
async fn missing_bucket_is_an_outage_that_ends_without_requests() {
    let (origin, store) = (HttpOrigin::start().await, ObjectStore::start().await);
    let node = Node::start(&store).await;
    store.fail(Fault::NoBucket);
    for number in 0..5 {
        node.media(&origin.serves(&format!("/{number}.png"), "image/png", png(number))).await.is("miss");
    }
    assert_eq!((node.count("lookups", "failed").await, node.count("lookups", "miss").await), (5, 0));
    let ready = node.get("/readyz").await.json();
    assert_eq!(ready["tier"]["reads"]["reason"], NO_BUCKET, "{ready}");
    node.wait_for_log(&format!("last failure: {NO_BUCKET}")).await;
    store.recover();
    node.wait_for_log("the second tier can be used again for lookups").await;
    assert_eq!(node.get("/readyz").await.json()["tier"]["reads"]["state"], "available");
}

#[tokio::test]
async fn start_reports_the_endpoint_and_whether_the_store_can_be_read() {
    let store = ObjectStore::start().await;
    let mut variables = store.variables();
    let endpoint = variables.iter_mut().find(|(name, _)| *name == "AWS_ENDPOINT").unwrap();
    let shown = endpoint.1.clone();
    endpoint.1 = shown.replace("http://", "http://user:secret@");
    let node = Node::start_at(LOCATION, &variables, &[]).await;
    node.wait_for_log(&format!("the second tier is s3://bucket/media at {shown}")).await;
    node.wait_for_log("the second tier can be read").await;
    assert!(!node.service.log().iter().any(|line| line.contains("secret")), "{:?}", node.service.log());
    // The service starts although the store fails, and recovers without requests.
    store.fail(Fault::NoBucket);
    let node = Node::start(&store).await;
    node.wait_for_log(&format!(
        "the second tier cannot be read, so media that is not stored here comes from its origin: {NO_BUCKET}"
    ))
    .await;
    // It is ready as soon as the directory is loaded.
    let ready = soon(async {
        loop {
            let ready = node.get("/readyz").await;
            if ready.status == 200 {
                return ready.json();
            }
        }
    })
    .await;
    assert_eq!(ready["tier"]["reads"]["state"], "unavailable");
    store.recover();
    node.wait_for_log("the second tier can be used again for lookups").await;
    assert_eq!(node.tier().await["reads"]["state"], "available");
}

#[tokio::test]
async fn directory_that_disappears_is_an_outage_and_is_not_created_again() {
    let origin = HttpOrigin::start().await;
    let shared = ServiceDirectory::create();
    std::fs::create_dir(shared.cache()).unwrap();
    let node = Node::start_at(&format!("file://{}", shared.cache().display()), &[], &[]).await;
    std::fs::remove_dir_all(shared.cache()).unwrap();
    for number in 0..5 {
        node.media(&origin.serves(&format!("/{number}.png"), "image/png", png(number))).await.is("miss");
    }
    let reason = node.tier().await["reads"]["reason"].clone();
    assert_eq!(reason, "the directory does not exist; create it, or correct the location of the tier");
    node.wait_for_log("the second tier failed 5 times in a row: new media is not uploaded").await;
    assert!(!shared.cache().exists());
    std::fs::create_dir(shared.cache()).unwrap();
    node.wait_for_log("the second tier can be used again for lookups").await;
    node.until_uploads("stored", 5).await;
}

async fn check(store: &ObjectStore, arguments: &[&str]) -> CommandOutput {
    let dir = ServiceDirectory::create();
    let mut command = binary([&["config", "check"], arguments].concat());
    command.arg("--dir").arg(dir.cache()).envs(store.variables());
    finish(command, &[]).await
}

#[tokio::test]
async fn config_check_contacts_the_store_only_on_request() {
    let store = ObjectStore::start().await;
    let contact = ["--contact", "--tier", LOCATION];
    let checked = check(&store, &contact).await.succeeded_silently();
    assert!(checked.starts_with("ok; the second tier s3://bucket/media at http://127.0.0.1:"), "{checked}");
    assert!(checked.ends_with(" can be read and written to\n"), "{checked}");
    assert_eq!(check(&store, &["--contact"]).await.succeeded_silently(), "ok; there is no second tier to contact\n");
    // A refused setting may be one of the tier.
    let dir = ServiceDirectory::create();
    let requests = store.requests(&http::Method::PUT, "");
    let mut command = binary([&["config", "check"], &contact[..]].concat());
    command.arg("--dir").arg(dir.cache()).envs(store.variables()).env("MEDIA_CACHE_TIER_TIMEOUT_MS", "soon");
    let refused = finish(command, &[]).await.failed();
    assert!(refused.contains("MEDIA_CACHE_TIER_TIMEOUT_MS"), "{refused}");
    assert_eq!(store.requests(&http::Method::PUT, ""), requests);
    store.fail(Fault::NoBucket);
    assert_eq!(check(&store, &["--tier", LOCATION]).await.succeeded_silently(), "ok\n");
    let failed = check(&store, &contact).await.failed();
    for what in ["cannot be read", "cannot be written to"] {
        assert!(failed.contains(&format!("{what}: {NO_BUCKET}")), "{failed}");
    }
    store.fail_only(Fault::Status(403), http::Method::PUT);
    let failed = check(&store, &["--contact", "--tier", LOCATION, "--json"]).await;
    let document: serde_json::Value = serde_json::from_str(failed.text()).unwrap();
    assert_eq!((failed.code, document["problems"].as_array().unwrap().len()), (Some(1), 1), "{document}");
    assert!(document["problems"][0].as_str().unwrap().contains("cannot be written to: the store answered 403"), "{document}");
}
