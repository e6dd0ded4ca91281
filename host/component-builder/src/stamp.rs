//! Adds metadata to a component in custom sections of its file: name, version, licence, description, and its WIT with documentation.
//!
//! `wasm-tools metadata show` and registries read the first four. The compiler keeps the types of the WIT but not its documentation, so the
//! section `wit` contains the text.

/// The sections, in the order in which they are written.
const SECTIONS: [&str; 5] = ["component-name", "version", "licenses", "description", "wit"];

/// The id of custom sections.
const CUSTOM: u8 = 0;

/// The preamble of a component: magic number, version, and the layer that distinguishes components from modules.
const PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";

/// The metadata of a component.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// The name of its package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence, as an SPDX expression.
    pub licenses: String,
    /// What it is, in one line.
    pub description: String,
    /// The WIT package with its world, as one text.
    pub wit: String,
}

impl Metadata {
    /// The metadata in a component. `None` if any of it is missing, as in a component that plain `cargo build` has built.
    #[must_use]
    pub fn of(component: &[u8]) -> Option<Self> {
        let mut rest = component.strip_prefix(PREAMBLE)?;
        let mut texts = [const { None }; SECTIONS.len()];
        while !rest.is_empty() {
            let (section, after) = split_section(rest)?;
            if let Some((name, data)) = custom_section(section)
                && let Some(at) = SECTIONS.iter().position(|known| *known == name)
            {
                let text = if at == 0 { name_in(data)? } else { data };
                texts[at] = Some(str::from_utf8(text).ok()?.to_owned());
            }
            rest = after;
        }
        let [name, version, licenses, description, wit] = texts;
        Some(Self { name: name?, version: version?, licenses: licenses?, description: description?, wit: wit? })
    }

    /// The WIT package that the component implements, with its version, such as `media-cache:policy@0.2.0`.
    #[must_use]
    pub fn contract(&self) -> Option<&str> {
        self.wit.lines().find_map(|line| line.strip_prefix("package ")?.strip_suffix(';'))
    }
}

/// A component with this metadata, which replaces that of an earlier call. `None` if `component` is not a component in the binary format.
pub(crate) fn stamp(component: &[u8], metadata: &Metadata) -> Option<Vec<u8>> {
    let mut rest = component.strip_prefix(PREAMBLE)?;
    let mut stamped = PREAMBLE.to_vec();
    while !rest.is_empty() {
        let (section, after) = split_section(rest)?;
        if !custom_section(section).is_some_and(|(name, _)| SECTIONS.contains(&name)) {
            stamped.extend(section);
        }
        rest = after;
    }
    // Subsection 0 of `component-name` is the name of the component.
    let mut name = vec![0];
    push_bytes(&mut name, &with_length(metadata.name.as_bytes()));
    let texts = [&name, metadata.version.as_bytes(), metadata.licenses.as_bytes(), metadata.description.as_bytes()];
    for (section, data) in SECTIONS.into_iter().zip(texts.into_iter().chain([metadata.wit.as_bytes()])) {
        let mut body = with_length(section.as_bytes());
        body.extend(data);
        stamped.push(CUSTOM);
        push_bytes(&mut stamped, &body);
    }
    Some(stamped)
}

/// Splits off the first section, with its id and its size.
fn split_section(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, header) = read_length(bytes.get(1..)?)?;
    bytes.split_at_checked((1 + header).checked_add(size)?)
}

/// The name and the data of a custom section.
fn custom_section(section: &[u8]) -> Option<(&str, &[u8])> {
    let (id, rest) = section.split_first()?;
    let body = rest.get(read_length(rest)?.1..).filter(|_| *id == CUSTOM)?;
    let (name, data) = split_text(body)?;
    Some((str::from_utf8(name).ok()?, data))
}

/// The name of the component itself, which is subsection 0 of `component-name`.
fn name_in(section: &[u8]) -> Option<&[u8]> {
    let (subsection, _) = split_text(section.strip_prefix(&[0])?)?;
    split_text(subsection).map(|(name, _)| name)
}

/// Splits off the first text, without its length.
fn split_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, header) = read_length(bytes)?;
    bytes.get(header..)?.split_at_checked(length)
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_bytes(&mut out, bytes);
    out
}

fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_length(out, bytes.len());
    out.extend(bytes);
}

/// Appends a number as LEB128.
fn push_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// Reads a 32-bit number as LEB128, and returns it with its length in bytes.
fn read_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0u64;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        length |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(length).ok()? as usize, at + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn metadata(version: &str) -> Metadata {
        Metadata {
            name: "policy-x".into(),
            version: version.into(),
            licenses: "MIT".into(),
            description: "A policy".into(),
            wit: "package a:b;\n".repeat(100),
        }
    }

    fn names(component: &[u8]) -> Vec<String> {
        let mut rest = &component[PREAMBLE.len()..];
        let mut names = Vec::new();
        while let Some((section, after)) = split_section(rest) {
            names.push(custom_section(section).map_or("-", |(name, _)| name).to_owned());
            rest = after;
        }
        assert!(rest.is_empty());
        names
    }

    #[test]
    fn a_stamp_adds_each_section_once() {
        let stamped = stamp(EMPTY, &metadata("0.1.0")).unwrap();
        assert_eq!(names(&stamped), SECTIONS);
        assert_eq!(&stamped[PREAMBLE.len()..][..28], b"\0\x1a\x0ecomponent-name\0\x09\x08policy-x");
        assert_eq!(stamp(&stamped, &metadata("0.1.0")), Some(stamped));
    }

    #[test]
    fn new_stamp_replaces_only_the_old_stamp() {
        // A custom section `producers` and a section of another kind.
        let component = [EMPTY, b"\0\x0a\x09producers", b"\x07\x04\0wit"].concat();
        let old = stamp(&component, &metadata("0.1.0")).unwrap();
        let new = stamp(&old, &metadata("0.2.0")).unwrap();
        assert_eq!(names(&new)[..2], ["producers", "-"]);
        assert_eq!(names(&new)[2..], SECTIONS);
        assert_eq!(Some(new), stamp(&component, &metadata("0.2.0")));
    }

    #[test]
    fn metadata_is_read_back_from_a_stamped_component_only() {
        let component = [EMPTY, b"\0\x0a\x09producers"].concat();
        let stamped = stamp(&component, &metadata("0.1.0")).unwrap();
        assert_eq!(Metadata::of(&stamped), Some(metadata("0.1.0")));
        assert_eq!(metadata("0.1.0").contract(), Some("a:b"));
        assert_eq!(Metadata::of(&component), None);
        for end in 0..stamped.len() {
            assert_eq!(Metadata::of(&stamped[..end]), None, "{end}");
        }
    }

    #[test]
    fn file_that_is_not_a_component_is_not_stamped() {
        for file in [
            &b""[..],
            b"\0asm",
            b"\0asm\x01\0\0\0",
            b"#!/bin/sh\n",
            b"\0asm\x0d\0\x01\0\0",
            b"\0asm\x0d\0\x01\0\0\x05a",
            b"\0asm\x0d\0\x01\0\0\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(stamp(file, &metadata("0.1.0")), None, "{file:?}");
        }
    }
}
