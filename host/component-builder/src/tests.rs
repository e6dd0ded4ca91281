use std::fs;
use std::process;

use super::*;

/// A separate empty directory for each test, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("component-builder-{}-{name}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn directory(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn directory_named_by_the_variable_takes_precedence() {
    let scratch = Scratch::new("named");
    scratch.directory("guest");
    let crate_directory = scratch.directory("host/components");
    scratch.directory("host/components/prebuilt");
    let located = locate(Some("/prebuilt".into()), &crate_directory).unwrap();
    assert_eq!(located, Location::Prebuilt("/prebuilt".into()));
}

#[test]
fn an_empty_variable_names_no_directory() {
    let scratch = Scratch::new("empty");
    scratch.directory("guest");
    let located = locate(Some("".into()), &scratch.directory("host/components")).unwrap();
    assert_eq!(located, Location::Sources(scratch.0.clone()));
}

#[test]
fn a_relative_directory_is_refused() {
    let error = locate(Some("prebuilt".into()), Path::new("/crate")).unwrap_err();
    assert_eq!(error.to_string(), "PREBUILT_COMPONENTS_DIR is the relative path prebuilt: make it absolute");
}

#[test]
fn a_checkout_builds_its_sources_even_with_a_prebuilt_directory() {
    let scratch = Scratch::new("checkout");
    scratch.directory("guest");
    let crate_directory = scratch.directory("host/components");
    scratch.directory("host/components/prebuilt");
    assert_eq!(locate(None, &crate_directory).unwrap(), Location::Sources(scratch.0.clone()));
}

#[test]
fn package_uses_its_bundled_components_even_next_to_a_guest_directory() {
    let scratch = Scratch::new("package");
    scratch.directory("guest");
    let crate_directory = scratch.directory("vendor/media-cache-components");
    let packaged = scratch.directory("vendor/media-cache-components/prebuilt");
    fs::write(crate_directory.join("Cargo.toml.orig"), "").unwrap();
    assert_eq!(locate(None, &crate_directory).unwrap(), Location::Prebuilt(packaged));
}

#[test]
fn package_inside_a_checkout_uses_its_own_components() {
    let scratch = Scratch::new("target");
    scratch.directory("guest");
    let crate_directory = scratch.directory("target/package/media-cache-components-0.1.0");
    let packaged = scratch.directory("target/package/media-cache-components-0.1.0/prebuilt");
    assert_eq!(locate(None, &crate_directory).unwrap(), Location::Prebuilt(packaged));
}

#[test]
fn error_for_a_crate_without_components_says_how_to_provide_them() {
    let scratch = Scratch::new("nothing");
    let error = locate(None, &scratch.directory("host/components")).unwrap_err().to_string();
    assert!(error.ends_with("build the components in a checkout and set PREBUILT_COMPONENTS_DIR to their directory"), "{error}");
}

#[test]
fn error_names_every_missing_component() {
    let scratch = Scratch::new("missing");
    fs::write(scratch.0.join("policy_lru.wasm"), "").unwrap();
    let error = check(&scratch.0, &["cache", "policy-lru", "policy-w-tinylfu"]).unwrap_err().to_string();
    assert!(error.ends_with(": cache.wasm, policy_w_tinylfu.wasm"), "{error}");
}

#[test]
fn settings_for_registries_and_proxies_are_passed_to_the_nested_cargo() {
    let kept = [
        "CARGO_HOME",
        "CARGO_HTTP_CAINFO",
        "CARGO_HTTP_PROXY",
        "CARGO_MAKEFLAGS",
        "CARGO_NET_GIT_FETCH_WITH_CLI",
        "CARGO_NET_OFFLINE",
        "CARGO_REGISTRIES_MIRROR_INDEX",
        "CARGO_REGISTRIES_MIRROR_TOKEN",
        "CARGO_REGISTRY_DEFAULT",
        "HTTPS_PROXY",
        "PATH",
        "RUSTC",
        "RUSTUP_TOOLCHAIN",
        "SSL_CERT_FILE",
        "https_proxy",
    ];
    for name in kept {
        assert!(environment::is_kept(name), "{name}");
    }
}

#[test]
fn settings_of_the_outer_build_are_not_passed_to_the_nested_cargo() {
    let dropped = [
        "CARGO",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_CFG_TARGET_OS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_FEATURE_HTTP",
        "CARGO_INCREMENTAL",
        "CARGO_MANIFEST_DIR",
        "CARGO_PKG_NAME",
        "CARGO_PROFILE_RELEASE_LTO",
        "CARGO_TARGET_DIR",
        "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
        "DEP_RING_ROOT",
        "OPT_LEVEL",
        "OUT_DIR",
        "PROFILE",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTDOCFLAGS",
        "RUSTFLAGS",
        "TARGET",
    ];
    for name in dropped {
        assert!(!environment::is_kept(name), "{name}");
    }
}

#[test]
fn error_for_a_missing_target_says_how_to_install_it() {
    let error = Error::TargetMissing(TARGET).to_string();
    assert_eq!(error, "the target wasm32-wasip2 is not installed: run `rustup target add wasm32-wasip2`");
}
