//! How the program combines options from a file, from the environment and from the command line.

use media_cache_test_support::command::run_in;
use media_cache_test_support::http_client::ADMIN_TOKEN;
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

#[tokio::test]
async fn serve_combines_configuration_file_environment_and_flags() {
    let dir = ServiceDirectory::create();
    std::fs::create_dir(dir.path("named by the environment")).unwrap();
    dir.write("media-cache.toml", b"dir = \"named by the file\"\nlisten = \"127.0.0.1:0\"\nmax-size-mb = 3\nmax-body-mb = 2\n");
    dir.write("admin-token", ADMIN_TOKEN.as_bytes());
    let variables = [
        ("MEDIA_CACHE_CONFIG", "media-cache.toml"),
        ("MEDIA_CACHE_DIR", "named by the environment"),
        ("MEDIA_CACHE_ADMIN_TOKEN_FILE", "admin-token"),
    ];
    let service = Service::start_in(&dir.path(""), &variables, &["--max-body-mb", "1"]).await;
    service.wait_for_log("flags=1 variables=3 keys=2 file=media-cache.toml").await;
    assert_eq!(service.put(NOWHERE, "image/png", png(1)).await.status, 201);
    let refused = service.put(NOWHERE, "image/png", vec![0; (1 << 20) + 1]).await;
    assert_eq!(refused.status, 413, "the flag takes precedence over the file");
    assert_eq!(service.stats().await["media_cache"]["max_size_mb"], 3.0, "the file takes precedence over the default");
    service.stop().await;
    assert!(!dir.path("named by the file").exists() && dir.path("named by the environment/media-cache.lock").exists());
}

#[tokio::test]
async fn other_commands_apply_only_their_own_options_from_the_configuration() {
    let dir = ServiceDirectory::create();
    dir.write("media-cache.toml", b"dir = \"cache\"\nlisten = \"127.0.0.1:1\"\nmax-size-mb = 7\n");
    let file = dir.write("picture.png", &png(1));
    let variables = [("MEDIA_CACHE_CONFIG", "media-cache.toml"), ("MEDIA_CACHE_LISTEN", "of no concern to them")];
    let put = ["put", NOWHERE, file.to_str().unwrap()];
    run_in(&dir.path(""), &variables, &put).await.succeeded();
    assert!(dir.holds(NOWHERE));
    let got = run_in(&dir.path(""), &variables[1..], &["get", "--config", "media-cache.toml", NOWHERE]).await;
    assert_eq!(got.succeeded(), png(1));
    let said = run_in(&dir.path(""), &variables, &["stats"]).await.succeeded_text();
    assert!(said.contains("\"total_entries\": 1"), "{said}");
}

#[tokio::test]
async fn every_configuration_error_is_reported_with_its_location() {
    let dir = ServiceDirectory::create();
    let text = "max-size-mb = 0\n\n  max-sise-mb = 5\nlisten = 8080\ntranscoder = \"gimp\"\npolicy = \"nope\"\nmax-body-mb = 1.5\n\
                config = \"other.toml\"\n[serve]\ndir = \"x\"\n";
    dir.write("media-cache.toml", text.as_bytes());
    let variables = [("MEDIA_CACHE_MAX_MEMORY_MB", "much"), ("MEDIA_CACHE_LISTN", "secret"), ("MEDIA_CACHE_GRACE_SECONDS", "")];
    for command in [&["serve"][..], &["config", "show"]] {
        let arguments = [command, &["--config", "media-cache.toml"]].concat();
        let said = run_in(&dir.path(""), &variables, &arguments).await.failed();
        let lines: Vec<&str> = said.lines().map(str::trim).collect();
        assert_eq!(lines[0], "media-cache: the configuration is invalid:");
        for line in [
            "MEDIA_CACHE_LISTN is not a known variable; did you mean MEDIA_CACHE_LISTEN?",
            "MEDIA_CACHE_MAX_MEMORY_MB=much: it must be a whole number, and not negative",
            "MEDIA_CACHE_GRACE_SECONDS=: it must be a whole number, and not negative",
            "media-cache.toml:1:1: max-size-mb = 0: it must be at least 1",
            "media-cache.toml:3:3: max-sise-mb is not a known key; did you mean max-size-mb?",
            "media-cache.toml:4:1: listen = 8080: it must be a string, in quotes",
            "media-cache.toml:5:1: transcoder = \"gimp\": it must be one of embedded, ffmpeg, none",
            "media-cache.toml:7:1: max-body-mb = 1.5: it must be a whole number, and not negative",
            "media-cache.toml:8:1: config is not a known key",
            "media-cache.toml:9:2: serve is a table, but all keys must be at the top level",
        ] {
            assert!(lines.contains(&line), "{line} is not in {said}");
        }
        assert!(said.contains("media-cache.toml:6:1: policy = \"nope\": there is no policy \"nope\""), "{said}");
        assert_eq!(lines.len(), 12, "{said}");
    }
    assert!(!dir.path("media_cache").exists());
}

#[tokio::test]
async fn invalid_configuration_file_is_reported_with_its_name_and_the_reason() {
    let dir = ServiceDirectory::create();
    for (name, bytes, reason) in [
        ("duplicate.toml", &b"dir = \"a\"\ndir = \"b\"\n"[..], "duplicate.toml:2:1: duplicate key: dir"),
        ("syntax.toml", b"dir = \n", "syntax.toml:1:7: "),
        ("bytes.toml", b"dir = \"\xff\"\n", "bytes.toml: it is not valid UTF-8, starting at byte 7"),
        ("large.toml", &[b'#'; (1 << 20) + 1], "large.toml: it is larger than 1048576 bytes"),
        ("list.toml", b"dir = [\"a\"]\n", "list.toml:1:1: dir = [\"a\"]: it must be a string, in quotes"),
    ] {
        dir.write(name, bytes);
        let said = run_in(&dir.path(""), &[], &["config", "show", "--config", name]).await.failed();
        assert!(said.contains(reason), "{said}");
    }
    let said = run_in(&dir.path(""), &[], &["ls", "--config", "missing.toml"]).await.failed();
    assert!(said.contains("cannot read the configuration missing.toml: No such file"), "{said}");
    let said = run_in(&dir.path(""), &[("MEDIA_CACHE_CONFIG", ".")], &["ls"]).await.failed();
    assert!(said.contains("cannot read the configuration .: it is a directory and not a regular file"), "{said}");
}

#[tokio::test]
async fn service_link_variables_of_kubernetes_are_ignored() {
    let dir = ServiceDirectory::create();
    let links = [
        ("MEDIA_CACHE_SERVICE_HOST", "10.0.0.1"),
        ("MEDIA_CACHE_SERVICE_PORT", "8080"),
        ("MEDIA_CACHE_SERVICE_PORT_HTTP", "8080"),
        ("MEDIA_CACHE_PORT", "tcp://10.0.0.1:8080"),
        ("MEDIA_CACHE_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("MEDIA_CACHE_PORT_8080_TCP_ADDR", "10.0.0.1"),
    ];
    let said = run_in(&dir.path(""), &links, &["config", "show"]).await.succeeded_text();
    assert!(said.lines().all(|line| line.starts_with("# ") || line.ends_with("# default") || line.is_empty()), "{said}");
    let said = run_in(&dir.path(""), &[("MEDIA_CACHE_PORT", "8080")], &["config", "show"]).await.failed();
    assert!(said.contains("MEDIA_CACHE_PORT is not a known variable"), "{said}");
}

#[tokio::test]
async fn conflicts_and_requirements_of_options_apply_across_all_sources() {
    let dir = ServiceDirectory::create();
    dir.write("keys", b"a key that is as long as a key of a service should be\n");
    dir.write("media-cache.toml", b"signing-key-file = [\"keys\"]\n");
    let config = ("MEDIA_CACHE_CONFIG", "media-cache.toml");
    let signed = run_in(&dir.path(""), &[config], &["sign", NOWHERE]).await.succeeded_text();
    assert!(signed.starts_with("/media?"), "{signed}");
    let variables = [config, ("MEDIA_CACHE_EXPIRES_AT", "7")];
    let said = run_in(&dir.path(""), &variables, &["sign", NOWHERE, "--expires-in", "1d"]).await.failed();
    assert!(said.contains("cannot be used with") && said.contains("--expires-at is set by MEDIA_CACHE_EXPIRES_AT"), "{said}");
}

#[tokio::test]
async fn server_and_token_file_can_be_set_by_environment_variables() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--policy", "sieve"]).await;
    let address = format!("http://{}", service.address());
    let variables = [("MEDIA_CACHE_SERVER", address.as_str()), ("MEDIA_CACHE_TOKEN_FILE", service.token_file())];
    let said = run_in(&dir.path(""), &variables, &["policy", "show"]).await.succeeded_text();
    assert!(said.contains("sieve"), "{said}");
    let nowhere = [("MEDIA_CACHE_SERVER", "nowhere")];
    let said = run_in(&dir.path(""), &nowhere, &["policy", "show"]).await.failed();
    assert!(said.starts_with("media-cache: MEDIA_CACHE_SERVER=nowhere: "), "{said}");
    service.stop().await;
}

#[tokio::test]
async fn command_without_configuration_options_ignores_the_configuration() {
    let dir = ServiceDirectory::create();
    dir.write("trace.csv", b"1,a,1\n2,a,1\n");
    let variables = [("MEDIA_CACHE_POLICY", "nope"), ("MEDIA_CACHE_CONFIG", "missing.toml"), ("MEDIA_CACHE_NONSENSE", "")];
    run_in(&dir.path(""), &variables, &["simulate", "trace.csv", "--policy", "lru"]).await.succeeded();
}

#[tokio::test]
async fn config_check_accepts_the_documented_example_and_creates_nothing() {
    let dir = ServiceDirectory::create();
    let documented = include_str!("../../docs/configuration.md");
    let (_, example) = documented.split_once("```toml\n").unwrap();
    dir.write("media-cache.toml", example.split_once("```").unwrap().0.as_bytes());
    let before = names(&dir);
    let checked = run_in(&dir.path(""), &[], &["config", "check", "--config", "media-cache.toml"]).await;
    assert_eq!(checked.succeeded_text(), "ok\n");
    assert_eq!(names(&dir), before, "nothing is created");
}

/// The names in the directory that contains the cache's directory.
fn names(dir: &ServiceDirectory) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> = std::fs::read_dir(dir.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn config_check_reports_a_lack_of_open_files_once() {
    let dir = ServiceDirectory::create();
    let said = run_in(&dir.path(""), &[], &["config", "check", "--max-open-files", "4000000000"]).await.failed();
    assert!(said.lines().count() == 1 && said.contains(" open files are allowed, but at least "), "{said}");
}

#[tokio::test]
async fn config_check_reports_every_problem_of_an_unusable_configuration() {
    let dir = ServiceDirectory::create();
    dir.write("no directory", b"");
    dir.write("not.wasm", b"nothing");
    let arguments = ["config", "check", "--dir", "no directory", "--record-trace", "nowhere/trace.csv", "--policy", "gdsf:beta=x"];
    let arguments = [&arguments[..], &["--admin-token-file", "nowhere/token"]].concat();
    let said = run_in(&dir.path(""), &[], &arguments).await.failed();
    for problem in
        ["no directory is not a directory", "cannot read nowhere/token", "cannot record requests in nowhere/trace.csv", "beta"]
    {
        assert!(said.contains(problem), "{said}");
    }
    assert_eq!(said.lines().count(), 5, "{said}");
    assert!(said.starts_with("media-cache: the configuration is invalid:\n  "), "{said}");
    let said = run_in(&dir.path(""), &[], &["config", "check", "--component", "not.wasm"]).await.failed();
    assert_eq!(said.lines().collect::<Vec<_>>(), ["media-cache: not.wasm is not WebAssembly"]);
    assert_eq!(names(&dir), ["no directory", "not.wasm"]);
}

#[tokio::test]
async fn config_check_reports_unknown_and_invalid_options_together_with_all_other_problems() {
    let dir = ServiceDirectory::create();
    dir.write("no directory", b"");
    dir.write("wrong.toml", b"listn = \":80\"\nmax-size-mb = 0\ndir = \"no directory\"\nadmin-token-file = \"nowhere/token\"\n");
    let variables = [("MEDIA_CACHE_LISEN", ":80"), ("MEDIA_CACHE_MAX_BODY_MB", "many")];
    let said = run_in(&dir.path(""), &variables, &["config", "check", "--config", "wrong.toml"]).await.failed();
    let problems = [
        "MEDIA_CACHE_LISEN is not a known variable; did you mean MEDIA_CACHE_LISTEN?",
        "MEDIA_CACHE_MAX_BODY_MB=many: it must be a whole number, and not negative",
        "wrong.toml:1:1: listn is not a known key; did you mean listen?",
        "wrong.toml:2:1: max-size-mb = 0: it must be at least 1",
        "no directory is not a directory",
        "cannot read nowhere/token: ",
    ];
    assert!(problems.iter().all(|problem| said.contains(problem)) && said.lines().count() == problems.len() + 1, "{said}");
    let json = run_in(&dir.path(""), &variables, &["config", "check", "--config", "wrong.toml", "--json"]).await;
    let document: serde_json::Value = serde_json::from_str(json.text()).unwrap();
    assert_eq!((json.code, document["problems"].as_array().unwrap().len()), (Some(1), problems.len()), "{document}");
    // A wrong combination of arguments is reported as well, but the rest cannot be checked then.
    let arguments = ["config", "check", "--config", "wrong.toml", "--max-open-files", "many"];
    let said = run_in(&dir.path(""), &variables, &arguments).await.failed();
    assert!(said.contains("listn is not a known key") && said.contains("--max-open-files many: it must be"), "{said}");
    // Nothing is known about the options in a file that cannot be read.
    let said = run_in(&dir.path(""), &[], &["config", "check", "--config", "nowhere.toml"]).await.failed();
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[tokio::test]
async fn config_check_tests_every_configured_file_program_and_address() {
    let dir = ServiceDirectory::create();
    dir.write("file", b"");
    dir.write("empty", b"# no key\n");
    for (arguments, problem) in [
        (&["--transcoder", "ffmpeg"][..], "--transcoder ffmpeg needs the program ffmpeg, which cannot be run: "),
        (&["--signing-key-file", "nowhere/key"], "cannot read nowhere/key: "),
        (&["--signing-key-file", "empty"], "empty contains neither a key nor a token; "),
        (&["--admin-token-file", "."], "cannot read .: "),
        (&["--dir", "file/cache"], "cannot create the directory file/cache in file: "),
        (&["--dir", "/proc/self"], "cannot write to the directory /proc/self: "),
        (
            &["--record-trace", "nowhere/trace.csv"],
            "cannot record requests in nowhere/trace.csv: the directory nowhere does not exist; create it, or give --record-trace a file",
        ),
        (&["--record-trace", "/proc/self/trace.csv"], "cannot record requests in /proc/self/trace.csv: "),
        (&["--listen", "192.0.2.1:80", "--public"], "cannot listen on 192.0.2.1:80: "),
        (&["--admin-listen", "nowhere.invalid:1"], "cannot listen on nowhere.invalid:1: there is no host nowhere.invalid"),
        (&["--listen", "0.0.0.0:0"], "--listen 0.0.0.0:0 is reachable from other machines"),
    ] {
        // No program is found on this path.
        let variables = [("PATH", "/nowhere")];
        let said = run_in(&dir.path(""), &variables, &[&["config", "check"], arguments].concat()).await.failed();
        assert!(said.starts_with(&format!("media-cache: {problem}")), "{said}");
    }
    let both = ["config", "check", "--signing-key-file", "nowhere/a,nowhere/b", "--admin-token-file", "nowhere/c"];
    let said = run_in(&dir.path(""), &[], &both).await.failed();
    assert!(["nowhere/a", "nowhere/b", "nowhere/c"].iter().all(|file| said.contains(file)), "{said}");
}

#[tokio::test]
async fn config_check_succeeds_while_the_service_is_running() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let (cache, address) = (dir.cache(), service.address().to_string());
    let check = ["config", "check", "--dir", cache.to_str().unwrap(), "--listen", &address];
    assert_eq!(run_in(&dir.path(""), &[], &check).await.succeeded_text(), "ok\n");
    service.stop().await;
}
