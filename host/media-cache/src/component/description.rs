//! The description of a cache component, from the custom sections of its file.
//!
//! Descriptions are displayed and logged, so texts that are too long or contain control characters are omitted.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wasmparser::{BinaryReader, Parser, Payload};

use crate::component::origin::ComponentOrigin;

/// The maximum length of a name or version, in bytes.
const MAX_BYTES: usize = 64;

/// The section that contains the name. Its subsection 0 is the name of the component itself.
const NAME: &str = "component-name";

const VERSION: &str = "version";

/// Describes a cache component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentDescription {
    /// The name. Empty if the component has none.
    pub name: String,
    /// The version. Empty if the component has none.
    pub version: String,
    /// The origin.
    pub origin: ComponentOrigin,
    /// The SHA-256 of the component, in hexadecimal.
    pub digest: String,
}

impl fmt::Display for ComponentDescription {
    /// Name, version and origin.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, version, origin, .. } = self;
        write!(f, "{name} {version} ({origin})")
    }
}

impl ComponentDescription {
    /// Describes a component.
    pub(crate) fn of(origin: ComponentOrigin, component: &[u8]) -> Self {
        let digest = Sha256::digest(component).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut description = Self { name: String::new(), version: String::new(), origin, digest };
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
            match payload {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) if depth > 0 => depth -= 1,
                Payload::CustomSection(section) if depth == 0 => match section.name() {
                    NAME => description.name = name_in(section.data()).and_then(printable).unwrap_or_default(),
                    VERSION => description.version = str::from_utf8(section.data()).ok().and_then(printable).unwrap_or_default(),
                    _ => {}
                },
                _ => {}
            }
        }
        description
    }
}

fn name_in(data: &[u8]) -> Option<&str> {
    let mut reader = BinaryReader::new(data, 0);
    let is_name = reader.read_u8().ok()? == 0;
    reader.read_var_u32().ok()?;
    reader.read_string().ok().filter(|_| is_name)
}

fn printable(text: &str) -> Option<String> {
    (text.len() <= MAX_BYTES && !text.contains(char::is_control)).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use media_cache_components as embedded;

    fn describe(component: &[u8]) -> (String, String) {
        let ComponentDescription { name, version, .. } = ComponentDescription::of(ComponentOrigin::Upload, component);
        (name, version)
    }

    /// A component with another custom section.
    fn with_section(component: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
        let mut body = vec![name.len() as u8];
        body.extend([name.as_bytes(), data].concat());
        let size = [body.len() as u8 | 0x80, (body.len() >> 7) as u8];
        [component, &[0], &size, &body].concat()
    }

    #[test]
    fn built_in_cache_has_its_name_and_version() {
        let (name, version) = describe(embedded::CACHE);
        assert_eq!((name.as_str(), version.as_str()), ("media-cache-component", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn invalid_names_and_versions_are_omitted() {
        let empty = b"\0asm\x0d\0\x01\0";
        assert_eq!(describe(empty), (String::new(), String::new()));
        assert_eq!(describe(&with_section(empty, VERSION, b"1.2.3")).1, "1.2.3");
        assert_eq!(describe(&with_section(empty, NAME, b"\0\x04\x03abc")).0, "abc");
        for version in ["1\n2".into(), "x".repeat(MAX_BYTES + 1)] {
            assert_eq!(describe(&with_section(empty, VERSION, version.as_bytes())).1, "");
        }
        for name in [&b"\0\x04\x09abc"[..], b"", b"\x01\x04\x03abc"] {
            assert_eq!(describe(&with_section(empty, NAME, name)).0, "");
        }
    }
}
