//! File names are made safe, whatever their source.

use std::fs;

use media_cache_test_support::cache_directory::{sidecar, sidecar_file, write_python_entry};
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::scripted_origin::fetched;

/// Names and their sanitised forms.
const NAMES: [(&str, &str); 11] = [
    ("a.png", "a.png"),
    ("../../x", "x"),
    ("/etc/passwd", "passwd"),
    (r"C:\temp\a.png", "a.png"),
    ("a\r\nb.png", "ab.png"),
    ("\u{202e}gnp.exe", "gnp.exe"),
    ("a:b.png", "a_b.png"),
    ("con.png", "_con.png"),
    ("a\u{3164}\u{115f}\u{2800}\u{e0061}.png", "a.png"),
    ("..", "media"),
    ("", "media"),
];

#[tokio::test]
async fn names_from_a_downloader_a_put_and_a_sidecar_are_sanitised() {
    let rig = CacheRig::create();
    for (number, (name, _)) in NAMES.into_iter().enumerate() {
        let escaped = serde_json::to_string(name).unwrap();
        write_python_entry(&rig.directory(), &format!("test:sidecar{number}"), b"bytes", "image/png", "NAME", "1600000000.0");
        let path = sidecar_file(&rig.directory(), &format!("test:sidecar{number}"));
        let sidecar = fs::read_to_string(&path).unwrap();
        fs::write(path, sidecar.replace("\"NAME\"", &escaped)).unwrap();
    }
    let cache = rig.open().await;
    for (number, (name, expected)) in NAMES.into_iter().enumerate() {
        let url = format!("test:fetched{number}");
        rig.origin.serves(&url, fetched("bytes", "image/png", name));
        let downloaded = cache.get_or_download(&url).await.unwrap();
        let put = cache.put(&format!("test:put{number}"), "bytes", "image/png", name).await.unwrap().media;
        let found = cache.get(&format!("test:sidecar{number}")).await.unwrap().unwrap();
        for media in [downloaded, put, found] {
            assert_eq!(media.filename(), expected, "{name:?}");
        }
        let sidecar = sidecar(&rig.directory(), &url);
        assert_eq!(sidecar["filename"], expected);
    }
}

#[tokio::test]
async fn foreign_sidecar_has_its_long_name_truncated_and_its_long_type_replaced() {
    let rig = CacheRig::create();
    write_python_entry(&rig.directory(), "test:a", b"bytes", "TYPE", "NAME", "1600000000.0");
    let path = sidecar_file(&rig.directory(), "test:a");
    let written = fs::read_to_string(&path).unwrap();
    let name = "n".repeat(100_000) + ".png";
    let mimetype = format!("image/{}", "t".repeat(20_000));
    fs::write(&path, written.replace("\"NAME\"", &format!("\"{name}\"")).replace("\"TYPE\"", &format!("\"{mimetype}\""))).unwrap();
    let media = rig.open().await.get("test:a").await.unwrap().unwrap();
    assert_eq!((media.filename(), media.mimetype()), (("n".repeat(196) + ".png").as_str(), "application/octet-stream"));
}
