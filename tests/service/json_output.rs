//! The output of commands with `--json`.

use media_cache_test_support::command::{run, run_in};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::write_secret;
use serde_json::{Value, json};

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

/// The JSON values in a text, one per line.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn get_as_json_describes_the_media_on_the_stream_that_does_not_carry_its_bytes() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/a.png", "image/png", png(1));
    let described =
        |source: &str| json!({ "url": url, "mimetype": "image/png", "filename": "a.png", "size": png(1).len(), "source": source });
    let file = dir.path("a.png");
    let got = dir.run(&["get", &url, "--json", "-o", file.to_str().unwrap()]).await.succeeded_silently();
    assert_eq!(lines(&got), [described("origin")]);
    assert_eq!(std::fs::read(&file).unwrap(), png(1));
    let got = dir.run(&["get", &url, "--json"]).await;
    assert_eq!(lines(&got.stderr), [described("disk")]);
    assert_eq!(got.succeeded(), png(1));
}

#[tokio::test]
async fn put_and_rm_as_json_report_the_result_of_each_url() {
    let dir = ServiceDirectory::create();
    for known in [false, true] {
        let put = dir.run_with_input(&["put", NOWHERE, "-", "--json"], &png(1)).await.succeeded_silently();
        let (mimetype, filename, size) = ("image/png", "picture.png", png(1).len());
        let expected = json!({ "url": NOWHERE, "known": known, "mimetype": mimetype, "filename": filename, "size": size });
        assert_eq!(lines(&put), [expected]);
    }
    let other = "https://nowhere.invalid/other.png";
    let removed = dir.run(&["rm", NOWHERE, other, "--json"]).await;
    assert_eq!(removed.code, Some(1), "one of them was not stored");
    assert!(removed.stderr.contains(&format!("nothing is stored for {other}")), "{}", removed.stderr);
    let expected = [(NOWHERE, true), (other, false)];
    let expected = expected.map(|(url, removed)| json!({ "url": url, "removed": removed, "error": null }));
    assert_eq!(lines(removed.text()), expected);
}

#[tokio::test]
async fn stats_as_json_are_the_same_document_on_one_line() {
    let dir = ServiceDirectory::create();
    dir.run_with_input(&["put", NOWHERE, "-"], &png(1)).await.succeeded();
    let compact = dir.run(&["stats", "--json"]).await.succeeded_text();
    let indented = dir.run(&["stats"]).await.succeeded_text();
    assert_eq!(compact.lines().count(), 1);
    assert!(indented.lines().count() > 20);
    let document: Value = serde_json::from_str(&compact).unwrap();
    assert_eq!(document["media_cache"], serde_json::from_str::<Value>(&indented).unwrap()["media_cache"]);
}

#[tokio::test]
async fn sign_as_json_reports_the_url_the_signed_path_and_the_expiry() {
    let dir = ServiceDirectory::create();
    let key = dir.path("key");
    write_secret(&key, "correct horse battery staple");
    let sign = ["sign", NOWHERE, "--signing-key-file", key.to_str().unwrap(), "--json"];
    let signed = run(&sign).await.succeeded_text();
    let plain = run(&sign[..4]).await.succeeded_text();
    assert_eq!(lines(&signed), [json!({ "url": NOWHERE, "signed": plain.trim(), "expires": null })]);
    let signed = run(&[&sign[..], &["--expires-at", "1900000000"]].concat()).await.succeeded_text();
    assert_eq!(lines(&signed)[0]["expires"], 1_900_000_000);
}

#[tokio::test]
async fn config_show_and_check_as_json_print_one_object() {
    let dir = ServiceDirectory::create();
    dir.write("media-cache.toml", b"max-size-mb = 7\nallow-port = [80, 443]\npolicy = \"sieve\"\n");
    let arguments = ["--json", "--config", "media-cache.toml", "--public", "--matrix-homeserver", "https://matrix.example.org/"];
    let arguments = [&arguments[..], &["--matrix-token-file", "token"]].concat();
    let shown = run_in(&dir.path(""), &[], &[&["config", "show"], &arguments[..]].concat()).await.succeeded_text();
    let [shown] = lines(&shown).try_into().unwrap();
    for (name, value, source) in [
        ("max-size-mb", json!(7), "media-cache.toml:1"),
        ("allow-port", json!([80, 443]), "media-cache.toml:2"),
        ("policy", json!("sieve"), "media-cache.toml:3"),
        ("public", json!(true), "flag"),
        ("listen", json!("127.0.0.1:8080"), "default"),
        ("record-trace", Value::Null, "default"),
    ] {
        assert_eq!(shown[name], json!({ "value": value, "source": source, "hidden": false }), "{name}");
    }
    assert!(shown["json"].is_null() && shown["config"].is_null(), "{shown}");

    let checked = run_in(&dir.path(""), &[], &["config", "check", "--json"]).await.succeeded_text();
    assert_eq!(lines(&checked), [json!({ "ok": true, "problems": [] })]);
    let checked = run_in(&dir.path(""), &[], &[&["config", "check"], &arguments[..]].concat()).await;
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(1), ""));
    let [checked] = lines(checked.text()).try_into().unwrap();
    assert_eq!((&checked["ok"], checked["problems"].as_array().unwrap().len()), (&json!(false), 1), "{checked}");
    assert!(checked["problems"][0].as_str().unwrap().contains("cannot read the access token in token"), "{checked}");
}
