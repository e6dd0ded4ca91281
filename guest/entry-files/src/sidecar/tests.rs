use super::*;
use crate::metadata::Cacheability;

fn plain() -> Sidecar {
    Sidecar {
        url: "https://example.com/a.png?x=\"1\"".into(),
        size: 1234,
        body_digest: Some([7; 32]),
        metadata: Metadata::new("image/png".into(), "ä.png", 1_732_286_259_123).into(),
    }
}

fn full() -> Sidecar {
    let metadata = Metadata {
        cacheability: Cacheability::Private,
        max_age: Some(0),
        age: 3,
        etag: Some("W/\"1\"".into()),
        last_modified: Some("Wed, 21 Oct 2015 07:28:00 GMT".into()),
        cost: 1,
        ..Metadata::clone(&plain().metadata)
    };
    Sidecar { metadata: metadata.into(), ..plain() }
}

fn read(json: &str) -> Sidecar {
    Sidecar::from_json(json.as_bytes()).unwrap()
}

#[test]
fn a_sidecar_is_read_back_as_written() {
    for sidecar in [plain(), full(), Sidecar { body_digest: None, ..plain() }] {
        assert_eq!(Sidecar::from_json(&sidecar.to_json()), Some(sidecar));
    }
}

#[test]
fn optional_fields_come_last_and_are_omitted_if_they_have_default_values() {
    let text = |sidecar: &Sidecar| String::from_utf8(sidecar.to_json()).unwrap();
    let shared =
        r#"{"mimetype":"image/png","filename":"ä.png","url":"https://example.com/a.png?x=\"1\"","ts":1732286259.123,"size":1234"#;
    assert_eq!(text(&Sidecar { body_digest: None, ..plain() }), format!("{shared}}}"));
    let digest = "07".repeat(32);
    assert_eq!(text(&plain()), format!(r#"{shared},"sha256":"{digest}"}}"#));
    let ours = r#""private":true,"max_age":0,"age":3,"etag":"W/\"1\"","last_modified":"Wed, 21 Oct 2015 07:28:00 GMT","cost":1"#;
    assert_eq!(text(&full()), format!(r#"{shared},"sha256":"{digest}",{ours}}}"#));
}

#[test]
fn media_that_may_be_private_is_read_as_private() {
    for (written, cacheability) in [
        ("true", Cacheability::Private),
        ("1", Cacheability::Private),
        ("\"yes\"", Cacheability::Private),
        ("false", Cacheability::Public),
        ("null", Cacheability::Public),
    ] {
        let sidecar = read(&format!(r#"{{"url":"u","size":1,"private":{written}}}"#));
        assert_eq!(sidecar.metadata.cacheability, cacheability, "{written}");
    }
    assert_eq!(read(r#"{"url":"u","size":1}"#).metadata.cacheability, Cacheability::Public);
}

#[test]
fn times_too_late_to_be_exact_are_clamped_to_the_latest_exact_time() {
    for written in ["4451607788496.902", "1e17", "1e300"] {
        let late = read(&format!(r#"{{"url":"u","size":1,"ts":{written}}}"#));
        assert_eq!(late.metadata.stored_at, LATEST, "{written}");
        assert_eq!(Sidecar::from_json(&late.to_json()), Some(late));
    }
    for stored_at in [LATEST - 3, LATEST - 2, LATEST - 1] {
        let late = Sidecar { metadata: Metadata { stored_at, ..Metadata::clone(&plain().metadata) }.into(), ..plain() };
        assert_eq!(Sidecar::from_json(&late.to_json()), Some(late));
    }
}

#[test]
fn five_shared_fields_have_the_json_types_that_other_implementations_use() {
    let json: Value = serde_json::from_slice(&plain().to_json()).unwrap();
    assert_eq!(json["url"], "https://example.com/a.png?x=\"1\"");
    assert_eq!(json["mimetype"], "image/png");
    assert_eq!(json["filename"], "ä.png");
    assert_eq!(json["ts"].as_f64(), Some(1_732_286_259.123));
    assert_eq!(json["size"].as_u64(), Some(1234));
}

#[test]
fn sidecars_written_by_python_are_read() {
    let sidecar = read(
        r#"{"mimetype": "image/png", "filename": "\u00e4\ud83d\ude00.png", "url": "https://x/a", "ts": 1732286259.5, "size": 10}"#,
    );
    assert_eq!((sidecar.metadata.filename.as_str(), sidecar.metadata.stored_at, sidecar.size), ("ä😀.png", 1_732_286_259_500, 10));
    let sidecar = read(r#"{"url": "https://x/a", "ts": 1732286259, "size": 10.0, "mimetype": null, "new": [1]}"#);
    assert_eq!((sidecar.metadata.mimetype.as_str(), sidecar.metadata.filename.as_str()), ("application/octet-stream", "media"));
    assert_eq!(sidecar.metadata.stored_at, 1_732_286_259_000);
}

#[test]
fn file_names_in_sidecars_are_cleaned() {
    for (written, clean) in [("../../a.png", "a.png"), ("a\\u202egnp.exe", "agnp.exe"), ("..", "media")] {
        let sidecar = read(&format!(r#"{{"url":"u","size":1,"filename":"{written}"}}"#));
        assert_eq!(sidecar.metadata.filename, clean, "{written}");
    }
}

#[test]
fn optional_fields_of_the_wrong_type_are_ignored() {
    let sidecar = read(
        r#"{"url":"u","size":1,"ts":"2024-11-22","filename":5,"mimetype":["a"],"sha256":true,"max_age":-1,"age":"1","etag":1,"last_modified":"a\nb","cost":4294967296}"#,
    );
    assert_eq!(sidecar.body_digest, None);
    assert_eq!(*sidecar.metadata, Metadata::new("application/octet-stream".into(), "media", 0));
}

#[test]
fn json_that_does_not_describe_an_entry_is_rejected() {
    for json in ["", "{", "[]", "null", r#"{"url":"u"}"#, r#"{"size":1}"#, r#"{"url":"u","size":-1}"#, r#"{"url":"u","size":1.5}"#]
    {
        assert_eq!(Sidecar::from_json(json.as_bytes()), None, "{json}");
    }
    assert_eq!(Sidecar::from_json(br#"{"url":"u","size":1e300}"#), None);
    assert_eq!(Sidecar::from_json(&[0xff, 0xfe]), None);
    assert_eq!(Sidecar::from_json(br#"{"url":"u","size":1,"filename":"\ud8"#), None);
}
