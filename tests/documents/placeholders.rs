//! Texts of the documents that the tests replace, and the commands that no test runs.

/// The replacement for a text of the documents.
#[derive(Clone, Copy)]
pub enum Replacement {
    /// The URL of the origin of the test, followed by this path.
    Origin(&'static str),
    /// The URL of the origin, percent-encoded.
    EncodedOrigin,
    /// The URL of the service.
    Service,
    /// This text.
    Text(&'static str),
}

/// Texts of the documents and their replacements. An earlier row takes precedence.
pub const PLACEHOLDERS: [(&str, Replacement); 9] = [
    ("https://www.rust-lang.org/static/images/rust-social-wide.jpg", Replacement::Origin("/wide.jpg")),
    ("https://example.com", Replacement::Origin("")),
    ("https%3A%2F%2Fexample.com", Replacement::EncodedOrigin),
    ("http://127.0.0.1:8080", Replacement::Service),
    ("/etc/media-cache/admin-token", Replacement::Text("tokens")),
    ("cargo run --release -- ", Replacement::Text("media-cache ")),
    // `tests/conformance` builds the template; this is a built-in policy.
    (
        "cargo build --release --target wasm32-wasip2",
        Replacement::Text("mkdir -p target/wasm32-wasip2/release && cp \"$POLICY\" target/wasm32-wasip2/release/mine.wasm"),
    ),
    // In the template, which has not been filled in.
    ("target/wasm32-wasip2/release/{{crate}}.wasm", Replacement::Text("target/wasm32-wasip2/release/mine.wasm")),
    // In the README of exported components.
    ("{{version}}", Replacement::Text(env!("CARGO_PKG_VERSION"))),
];

/// The beginnings of commands that no test runs, and why.
pub const SKIPPED: [(&str, &str); 5] = [
    ("rustup ", "changes the toolchain of the user"),
    ("cargo test", "runs these tests"),
    ("cargo build --profile component", "`host/components/build.rs` does this for all tests"),
    ("cargo fuzz ", "needs cargo-fuzz, and runs until its time limit"),
    ("python3 bench/compare", "takes minutes, and needs a release build"),
];

/// The beginnings of TOML blocks that are not configurations, and why.
pub const OTHER_TOML: [(&str, &str); 1] = [("[dependencies]", "for a program that embeds the library")];
