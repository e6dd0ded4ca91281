//! The versions of the contract that this host accepts.
//!
//! While the version is 0.x, the minor version determines compatibility.

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::component_error::ComponentError;

/// The packages of the contract, and the accepted minor versions of each.
const ACCEPTED: [(&str, &[&str]); 2] = [("media-cache:policy", &["0.2"]), ("media-cache:cache", &["0.2"])];

/// Checks the interfaces that a component imports and exports. `what` names the component.
pub(crate) fn check(what: &str, engine: &Engine, component: &Component) -> Result<(), ComponentError> {
    let contract = component.component_type();
    let imports = contract.imports(engine).map(|(name, _)| name);
    let exports = contract.exports(engine).map(|(name, _)| name);
    check_names(what, imports.chain(exports))
}

/// Checks the names of interfaces, such as `media-cache:policy/eviction@0.2.0`.
pub(crate) fn check_names<'a>(what: &str, names: impl IntoIterator<Item = &'a str>) -> Result<(), ComponentError> {
    for name in names {
        let Some((package, rest)) = name.split_once('/') else { continue };
        let Some((_, accepted)) = ACCEPTED.iter().find(|(ours, _)| *ours == package) else { continue };
        let version = rest.split_once('@').map_or("", |(_, version)| version);
        let minor = version.match_indices('.').nth(1).map_or(version, |(end, _)| &version[..end]);
        if !accepted.contains(&minor) {
            let accepted = ACCEPTED.map(|(package, versions)| format!("{package} {}", versions.join(", "))).join(" and ");
            return Err(ComponentError::OtherVersion { what: what.into(), interface: name.into(), accepted });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_minor_version_is_refused_and_both_versions_are_named() {
        for (name, accepted) in [
            ("media-cache:policy/eviction@0.2.7", true),
            ("media-cache:cache/eviction@0.1.0", false),
            ("media-cache:policy/eviction@0.3.0", false),
            ("media-cache:policy/eviction@0.20.0", false),
            ("media-cache:policy/eviction@1.0.0", false),
            ("media-cache:policy/eviction", false),
            ("wasi:cli/exit@0.2.6", true),
            ("run", true),
        ] {
            assert_eq!(check_names("it", [name]).is_ok(), accepted, "{name}");
        }
        let error = check_names("old.wasm", ["media-cache:cache/eviction@0.1.0"]).unwrap_err().to_string();
        let expected = "old.wasm was built for media-cache:cache/eviction@0.1.0; this host accepts media-cache:policy 0.2 and media-cache:cache 0.2";
        assert_eq!(error, expected);
    }
}
