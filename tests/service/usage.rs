//! Errors in arguments are reported in one sentence, with a suggestion if possible.

use media_cache_test_support::command::run;
use media_cache_test_support::service_directory::ServiceDirectory;

/// All commands with a directory, and their other required arguments.
const WITH_A_DIRECTORY: [&[&str]; 13] = [
    &["serve"],
    &["get", "https://example.com/"],
    &["put", "https://example.com/", "file"],
    &["rm", "https://example.com/"],
    &["ls"],
    &["stats"],
    &["verify"],
    &["export", "file"],
    &["import", "file"],
    &["config", "show"],
    &["config", "check"],
    &["policy", "new", "mine"],
    &["ls", "--max-size"],
];

#[tokio::test]
async fn misspelt_option_gets_a_suggestion_in_every_command() {
    for command in &WITH_A_DIRECTORY[..12] {
        for misspelt in [&["--dri", "x"][..], &["--dri=x"], &["--dirr", "x"]] {
            let said = run(&[command, misspelt].concat()).await.failed_with(2);
            let option = &misspelt[0].split('=').next().unwrap();
            assert!(
                said.starts_with("media-cache: media-cache ")
                    && said.contains(&format!("has no option {option}; did you mean --dir?")),
                "{said}"
            );
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
    for (arguments, suggestion) in [
        (&["sign", "https://example.com/", "--expires-on", "1"][..], "did you mean --expires-in"),
        (&["policy", "show", "--sever", "http://localhost"], "did you mean --server"),
        (&["simulate", "-", "--capcity", "1KiB"], "did you mean --capacity"),
        (&["ls", "--colour"], "see `media-cache ls --help`"),
        (&["sevre"], "media-cache has no command \"sevre\"; did you mean serve?"),
        (&["policy", "swop", "lru"], "media-cache policy has no command \"swop\"; did you mean swap?"),
    ] {
        let said = run(arguments).await.failed_with(2);
        assert!(said.contains(suggestion), "{said}");
    }
}

#[tokio::test]
async fn invalid_value_is_refused_in_one_sentence() {
    for (arguments, sentence) in [
        (
            &["serve", "--listen", "8080"][..],
            "--listen 8080: it must be an address and a port, such as 127.0.0.1:8080, localhost:8080, ",
        ),
        (
            &["serve", "--transcoder", "ffmpge"],
            "--transcoder ffmpge: it must be one of embedded, ffmpeg, none; did you mean ffmpeg?",
        ),
        (&["serve", "--max-size-mb", "0"], "--max-size-mb 0: it must be at least 1"),
        (&["serve", "--max-size-mb", "much"], "--max-size-mb much: it must be a whole number, and not negative"),
        (&["serve", "--min-free", "101%"], "--min-free 101%: \"101%\" is not a percentage from 0% to 100%"),
        (&["serve", "--max-redirects", "21"], "--max-redirects 21: it must be a number from 0 to 20"),
        (&["serve", "--allow-port", "0"], "--allow-port 0: it must be a number "),
        (
            &["serve", "--allow-address", "10.0.0.1/8"],
            "--allow-address 10.0.0.1/8: it is ambiguous; write 10.0.0.1 for the address, or",
        ),
        (&["serve", "--dir"], "--dir <DIR> needs a value"),
        (&["serve", "--public", "--public"], "--public can be given only once"),
        (&["serve", "x"], "media-cache serve does not take the argument \"x\" here; "),
        (&["policy", "swap", "nope"], "POLICY nope: there is no policy \"nope\""),
        (&["policy", "show", "--server", "me:secret@example.com"], "--server me:secret@example.com: it must begin with http"),
        (&["sign", "u", "--base", "x", "--signing-key-file", "k"], "--base x: it must begin with http:// or https://"),
        (&["put", "https://example.com/"], "media-cache put needs <FILE>; "),
        (&["sign", "u", "--signing-key-file", "k", "--expires-in", "1d", "--expires-at", "1"], "cannot be used with"),
    ] {
        let said = run(arguments).await.failed_with(2);
        assert!(
            said.starts_with(&format!("media-cache: {sentence}")) || sentence == "cannot be used with" && said.contains(sentence),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[tokio::test]
async fn error_for_an_invalid_value_hides_its_credentials() {
    let said = run(&["serve", "--matrix-homeserver", "https://me:secret@example.com/?x=secret"]).await.failed_with(2);
    assert!(said.contains("--matrix-homeserver https://***@example.com/?***") && !said.contains("secret"), "{said}");
}

#[tokio::test]
async fn misspelt_variable_and_configuration_key_get_a_suggestion() {
    let dir = ServiceDirectory::create();
    let variables = [("MEDIA_CACHE_DRI", "x")];
    let said = media_cache_test_support::command::run_in(&dir.path(""), &variables, &["ls"]).await.failed();
    assert!(said.contains("MEDIA_CACHE_DRI is not a known variable; did you mean MEDIA_CACHE_DIR?"), "{said}");
    dir.write("media-cache.toml", b"dri = \"x\"\n");
    let said =
        media_cache_test_support::command::run_in(&dir.path(""), &[], &["ls", "--config", "media-cache.toml"]).await.failed();
    assert!(said.contains("dri is not a known key; did you mean dir?"), "{said}");
}

#[tokio::test]
async fn the_version_names_the_commit_and_the_version_of_wasmtime() {
    for flag in ["--version", "-V"] {
        let said = run(&[flag]).await.succeeded_text();
        let rest = said.strip_prefix(&format!("media-cache {} (commit ", env!("CARGO_PKG_VERSION"))).unwrap();
        let (commit, rest) = rest.split_once(", wasmtime ").unwrap();
        assert!(commit == "unknown" || commit.len() == 12 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{said}");
        let numbers: Vec<u32> = rest.strip_suffix(")\n").unwrap().split('.').map(|number| number.parse().unwrap()).collect();
        assert_eq!((numbers.len(), numbers[0] >= 48), (3, true), "{said}");
    }
}
