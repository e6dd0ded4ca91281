//! Untrusted text never controls a terminal, regardless of which command prints it.

use std::collections::BTreeMap;

use http::Method;
use media_cache_test_support::command::{CommandOutput, run};
use media_cache_test_support::http_client::{media_path, send};
use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use serde_json::{Value, json};

/// Colours, a bell, a title in C1 controls, text with reversed direction, and invisible characters.
const HOSTILE: &str = "\u{1b}[31m\u{7}\u{9b}2J\u{7f}\u{202e}gpj\u{2066}\u{200f}\u{61c}\u{200b}\u{feff}\u{e0041}";

/// Asserts that a text is safe to print, and contains `shown`, in which hidden characters are escaped.
#[track_caller]
fn assert_visible(text: &str, shown: &str) {
    let hidden = |c: char| c != '\n' && (c.is_control() || HOSTILE.contains(c) && !c.is_ascii());
    assert!(!text.contains(hidden), "{text:?}");
    assert!(text.contains(shown), "{shown} is not in {text}");
}

/// A directory with an entry whose URL and type are hostile, and the URL.
fn directory() -> (ServiceDirectory, String) {
    let (dir, url) = (ServiceDirectory::create(), format!("https://nowhere.invalid/{HOSTILE}.png"));
    std::fs::create_dir(dir.cache()).unwrap();
    std::fs::write(dir.media_file(&url), png(1)).unwrap();
    let sidecar = json!({ "url": url, "mimetype": format!("image/{HOSTILE}"), "filename": HOSTILE, "ts": 1, "size": png(1).len() });
    std::fs::write(dir.sidecar_file(&url), sidecar.to_string()).unwrap();
    (dir, url)
}

#[tokio::test]
async fn ls_and_get_escape_hidden_characters_in_sidecars() {
    let (dir, url) = directory();
    let listed = dir.run(&["ls"]).await.succeeded_text();
    assert_visible(&listed, "\\u{202e}gpj");
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let listed = dir.run(&["ls", "--json"]).await.succeeded_text();
    assert_visible(&listed, "\\u202egpj");
    assert_eq!(serde_json::from_str::<Value>(&listed).unwrap()["url"], url);
    for json in [&[][..], &["--json"]] {
        let got = dir.run(&[&["get", &url], json].concat()).await;
        assert_visible(&got.stderr, "");
    }
}

#[tokio::test]
async fn errors_escape_hidden_characters_in_urls_and_arguments() {
    let (dir, other) = (ServiceDirectory::create(), format!("https://nowhere.invalid/{HOSTILE}"));
    let file = dir.write("a.png", &png(1));
    let file = file.to_str().unwrap();
    dir.run(&["put", "https://nowhere.invalid/a.png", file]).await.succeeded();
    for arguments in
        [&["rm", &other][..], &["rm", "--json", &other], &["get", &other], &["put", HOSTILE, file], &["ls", "--component", HOSTILE]]
    {
        let failed = dir.run(arguments).await;
        assert_ne!(failed.code, Some(0));
        assert_visible(&failed.stderr, "\\u{202e}gpj");
        assert_visible(failed.text(), "");
    }
    for arguments in
        [vec!["ls".into(), format!("--{HOSTILE}")], vec![HOSTILE.into()], vec!["serve".into(), "--listen".into(), HOSTILE.into()]]
    {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        assert_visible(&run(&arguments).await.failed_with(2), "\\u{202e}gpj");
    }
}

/// The output of `policy` for a service that answers with these documents.
async fn ask(answers: &[(&str, u16, Value)], arguments: &[&str]) -> CommandOutput {
    let origin = HttpOrigin::start().await;
    for (path, status, document) in answers {
        let page = Page::status(*status).with_body(document.to_string());
        origin.answers(path, page);
    }
    run(&[arguments, &["--server", &origin.url("")]].concat()).await
}

#[tokio::test]
async fn policy_commands_escape_hidden_characters_in_responses() {
    let option = json!({ "name": HOSTILE, "default": HOSTILE, "doc": format!("one\ntwo{HOSTILE}") });
    let policy = json!({
        "name": HOSTILE, "version": HOSTILE, "doc": HOSTILE, "origin": HOSTILE, "digest": HOSTILE, "options": { HOSTILE: HOSTILE },
        "since": 0, "calls": HOSTILE, "rejected_ids": 0, "swaps": 0, "fallbacks": 0, "previous": HOSTILE,
        "last_fault": { "policy": HOSTILE, "why": HOSTILE, "at": 0 },
        "swap": { "to": HOSTILE, "seeded": 0, "entries": 0, "since": 0 },
    });
    let policies = json!({ "policies": [{ "name": HOSTILE, "doc": HOSTILE, "digest": HOSTILE, "options": [option] }] });
    let answers = [("/policy", 200, policy), ("/policies", 200, policies), ("/policy/rollback", 200, json!({ "name": HOSTILE }))];
    for command in [&["policy", "show"][..], &["policy", "list"], &["policy", "rollback"]] {
        assert_visible(&ask(&answers, command).await.succeeded_text(), "\\u{202e}gpj");
        let text = ask(&answers, &[command, &["--json"]].concat()).await.succeeded_text();
        assert_visible(&text, "\\u202egpj");
        serde_json::from_str::<Value>(&text).unwrap();
    }
    let problem = json!({ "detail": format!("one\nmedia-cache: two{HOSTILE}"), "code": "x" });
    let said = ask(&[("/policy", 500, problem)], &["policy", "show"]).await.failed();
    assert_visible(&said, "\\u{202e}gpj");
    assert_eq!(said.lines().filter(|line| line.starts_with("media-cache: ")).count(), 1, "{said}");
}

#[tokio::test]
async fn log_escapes_hidden_characters_in_both_formats() {
    for (format, shown) in [("text", "\\u{202e}gpj"), ("json", "\\u202egpj")] {
        let dir = ServiceDirectory::create();
        let service = dir.serve_with(&["--log-format", format, "--log-urls", "full"]).await;
        let url = format!("https://nowhere.invalid/{HOSTILE}");
        send(service.anonymous_request(Method::GET, &media_path(&url))).await.problem(400);
        service.wait_for_log(shown).await;
        service.log().iter().for_each(|line| {
            // Colours are for terminals only.
            assert_visible(line, "");
            if format == "json" {
                serde_json::from_str::<BTreeMap<String, Value>>(line).unwrap();
            }
        });
    }
}

#[tokio::test]
async fn config_show_escapes_hidden_characters_and_can_be_read_back() {
    let dir = ServiceDirectory::create();
    let named = format!("a\"\\{HOSTILE}");
    let shown = run(&["config", "show", "--record-trace", &named]).await.succeeded_text();
    assert_visible(&shown, "\\U0000202egpj");
    let file = dir.write("media-cache.toml", shown.as_bytes());
    let again = run(&["config", "show", "--json", "--config", file.to_str().unwrap()]).await.succeeded_text();
    assert_visible(&again, "\\u202egpj");
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap()["record-trace"]["value"], named);
}
