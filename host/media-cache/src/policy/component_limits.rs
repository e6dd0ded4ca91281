//! Checks components before they are compiled: that compiling will not cost too much, and that a policy really is one.
//!
//! Compiling takes time and memory that grow with the number and size of functions. Local variables and types can make them grow faster
//! than that. The limits are far above the output of compilers for ordinary languages. The largest policies contain an interpreter: one
//! built with componentize-py 0.25 (18 MB, 40 modules, 13,500 functions, the largest of 427 KB) stays below a quarter of each limit.

use wasmparser::{FunctionBody, Parser, Payload};

use crate::component_error::ComponentError;
use crate::contract_version;
use crate::policy::sandbox;

/// The world of policies.
const WORLD: &str = "eviction-policy";

/// The interface that every policy exports, without its version.
const EVICTION: &str = "media-cache:policy/eviction@";

/// The quantities that are limited, including those of nested components and modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limited {
    Bytes,
    Modules,
    Functions,
    FunctionBytes,
    Locals,
    Types,
    Memories,
    Tables,
    Globals,
    Elements,
    DataSegments,
    Names,
    Definitions,
}

impl Limited {
    /// The limit, and what it counts.
    const fn limit(self) -> (u64, &'static str) {
        match self {
            Self::Bytes => (128 << 20, "bytes"),
            Self::Modules => (200, "modules and components"),
            Self::Functions => (100_000, "functions"),
            Self::FunctionBytes => (2 << 20, "bytes in one function"),
            Self::Locals => (10_000, "local variables in one function"),
            Self::Types => (20_000, "types"),
            Self::Memories => (64, "memories"),
            Self::Tables => (64, "tables"),
            Self::Globals => (100_000, "globals"),
            Self::Elements => (10_000, "element segments"),
            Self::DataSegments => (100_000, "data segments"),
            Self::Names => (200_000, "imports and exports"),
            Self::Definitions => (100_000, "instances and aliases"),
        }
    }
}

/// Why a component is rejected: compiling it would cost too much, or the bytes are not a component.
enum Rejection {
    TooCostly(Limited),
    Invalid(wasmparser::BinaryReaderError),
}

impl From<wasmparser::BinaryReaderError> for Rejection {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Invalid(error)
    }
}

/// Checks the cost of compiling a component for a world. `what` names the component in errors.
pub(crate) fn check_cost(what: &str, world: &'static str, component: &[u8]) -> Result<(), ComponentError> {
    contents(what, world, component).map(drop)
}

fn contents<'a>(what: &str, world: &'static str, component: &'a [u8]) -> Result<Contents<'a>, ComponentError> {
    Contents::of(component).map_err(|rejection| match rejection {
        Rejection::TooCostly(limited) => {
            let (limit, counted) = limited.limit();
            ComponentError::TooCostly { what: what.into(), limit: format!("it has more than {limit} {counted}") }
        }
        Rejection::Invalid(error) => {
            ComponentError::Unfit { what: what.into(), world, error: wasmtime::Error::msg(error.to_string()) }
        }
    })
}

/// Checks a policy. `what` names it in errors.
pub(crate) fn check(what: &str, component: &[u8]) -> Result<(), ComponentError> {
    let contents = contents(what, WORLD, component)?;
    let unfit = |error| ComponentError::Unfit { what: what.into(), world: WORLD, error };
    contract_version::check_names(what, contents.imports.iter().chain(&contents.exports).copied())?;
    if !contents.exports.iter().any(|export| export.starts_with(EVICTION)) {
        return Err(unfit(wasmtime::Error::msg("it does not export `media-cache:policy/eviction`")));
    }
    match sandbox::reaches_for(&contents.imports) {
        Some(import) => Err(ComponentError::Reaches { what: what.into(), import: import.into() }),
        None => Ok(()),
    }
}

/// The contents of a component.
#[derive(Default)]
struct Contents<'a> {
    /// The names that the component itself imports and exports.
    imports: Vec<&'a str>,
    exports: Vec<&'a str>,
    /// The counts, indexed by [`Limited`].
    counts: [u64; Limited::Definitions as usize + 1],
    /// The number of modules and components that enclose the part that is being read.
    depth: usize,
}

impl<'a> Contents<'a> {
    fn of(component: &'a [u8]) -> Result<Self, Rejection> {
        let mut contents = Self::default();
        contents.count(Limited::Bytes, component.len() as u64)?;
        for payload in Parser::new(0).parse_all(component) {
            contents.add(payload?)?;
        }
        Ok(contents)
    }

    fn add(&mut self, payload: Payload<'a>) -> Result<(), Rejection> {
        use Payload as P;
        match payload {
            P::ModuleSection { .. } | P::ComponentSection { .. } => {
                self.depth += 1;
                self.count(Limited::Modules, 1)
            }
            P::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Ok(())
            }
            P::ComponentImportSection(section) => {
                for import in section.into_iter().take(self.names_left()) {
                    let import = import?;
                    if self.depth == 0 {
                        self.imports.push(import.name.name);
                    }
                    self.count(Limited::Names, 1)?;
                }
                Ok(())
            }
            P::ComponentExportSection(section) => {
                for export in section.into_iter().take(self.names_left()) {
                    let export = export?;
                    if self.depth == 0 {
                        self.exports.push(export.name.name);
                    }
                    self.count(Limited::Names, 1)?;
                }
                Ok(())
            }
            P::CodeSectionEntry(body) => self.add_function(&body),
            P::TypeSection(section) => self.count(Limited::Types, section.count().into()),
            P::CoreTypeSection(section) => self.count(Limited::Types, section.count().into()),
            P::ComponentTypeSection(section) => self.count(Limited::Types, section.count().into()),
            P::FunctionSection(section) => self.count(Limited::Functions, section.count().into()),
            P::ComponentCanonicalSection(section) => self.count(Limited::Functions, section.count().into()),
            P::MemorySection(section) => self.count(Limited::Memories, section.count().into()),
            P::TableSection(section) => self.count(Limited::Tables, section.count().into()),
            P::GlobalSection(section) => self.count(Limited::Globals, section.count().into()),
            P::ElementSection(section) => self.count(Limited::Elements, section.count().into()),
            P::DataSection(section) => self.count(Limited::DataSegments, section.count().into()),
            P::ImportSection(section) => self.count(Limited::Names, section.count().into()),
            P::ExportSection(section) => self.count(Limited::Names, section.count().into()),
            P::InstanceSection(section) => self.count(Limited::Definitions, section.count().into()),
            P::ComponentInstanceSection(section) => self.count(Limited::Definitions, section.count().into()),
            P::ComponentAliasSection(section) => self.count(Limited::Definitions, section.count().into()),
            _ => Ok(()),
        }
    }

    fn add_function(&mut self, body: &FunctionBody<'_>) -> Result<(), Rejection> {
        at_most(Limited::FunctionBytes, body.range().len() as u64)?;
        let mut locals = 0;
        for group in body.get_locals_reader()? {
            locals += u64::from(group?.0);
            at_most(Limited::Locals, locals)?;
        }
        Ok(())
    }

    fn count(&mut self, limited: Limited, more: u64) -> Result<(), Rejection> {
        let count = &mut self.counts[limited as usize];
        *count = count.saturating_add(more);
        at_most(limited, *count)
    }

    /// The number of names that may still be read, plus one, so that exceeding the limit is noticed.
    fn names_left(&self) -> usize {
        let left = Limited::Names.limit().0.saturating_sub(self.counts[Limited::Names as usize]);
        usize::try_from(left).unwrap_or(usize::MAX).saturating_add(1)
    }
}

fn at_most(limited: Limited, count: u64) -> Result<(), Rejection> {
    if count > limited.limit().0 { Err(Rejection::TooCostly(limited)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number in WebAssembly's encoding.
    fn number(mut number: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let byte = (number & 0x7f) as u8;
            number >>= 7;
            bytes.push(if number == 0 { byte } else { byte | 0x80 });
            if number == 0 {
                return bytes;
            }
        }
    }

    fn section(id: u8, contents: &[u8]) -> Vec<u8> {
        [&[id], &number(contents.len())[..], contents].concat()
    }

    /// A component with one module that has these sections.
    fn component(sections: &[Vec<u8>]) -> Vec<u8> {
        let module = [b"\0asm\x01\0\0\0", &sections.concat()[..]].concat();
        [b"\0asm\x0d\0\x01\0", &section(1, &module)[..]].concat()
    }

    /// A component whose module has `count` functions, each with this many local variables and bytes of instructions.
    fn functions(count: usize, locals: usize, bytes: usize) -> Vec<u8> {
        let locals = if locals == 0 { vec![0] } else { [&[1], &number(locals)[..], &[0x7f]].concat() };
        let body = [&locals[..], &vec![1; bytes], &[0x0b]].concat();
        let types = section(1, b"\x01\x60\0\0");
        let declared = section(3, &[number(count), vec![0; count]].concat());
        let code = section(10, &[number(count), [number(body.len()), body].concat().repeat(count)].concat());
        component(&[types, declared, code])
    }

    fn refusal(component: &[u8]) -> String {
        check("it", component).unwrap_err().to_string()
    }

    #[test]
    fn built_in_policies_are_far_below_every_limit() {
        for (name, component) in media_cache_components::POLICIES {
            assert!(check(name, component).is_ok(), "{name}");
            let Ok(contents) = Contents::of(component) else { panic!("{name} cannot be read") };
            let functions = contents.counts[Limited::Functions as usize];
            assert!((10..10_000).contains(&functions), "{name} has {functions} functions");
        }
    }

    #[test]
    fn component_over_a_limit_is_refused_and_the_limit_is_named() {
        let exactly = refusal(&functions(99_999, 0, 0));
        assert!(exactly.contains("does not export"), "{exactly}");
        for (costly, limit) in [
            (functions(100_001, 0, 0), "it is too costly to compile: it has more than 100000 functions"),
            (functions(1, 10_001, 0), "more than 10000 local variables in one function"),
            (functions(1, 0, 2 << 20), "more than 2097152 bytes in one function"),
            (component(&[section(1, &[number(20_001), b"\x60\0\0".repeat(20_001)].concat())]), "more than 20000 types"),
            (component(&[section(5, &[number(65), b"\0\x01".repeat(65)].concat())]), "more than 64 memories"),
            (component(&[section(11, &[number(100_001), b"\x01\0".repeat(100_001)].concat())]), "more than 100000 data segments"),
            ([&component(&[])[..], &section(1, b"\0asm\x01\0\0\0").repeat(200)].concat(), "more than 200 modules and components"),
            (vec![0; (128 << 20) + 1], "more than 134217728 bytes"),
        ] {
            let refusal = refusal(&costly);
            assert!(refusal.contains(limit), "{refusal}");
        }
    }

    #[test]
    fn declared_count_over_the_limit_is_refused_before_its_items_are_read() {
        let announced = component(&[section(3, &number(u32::MAX as usize))]);
        assert!(refusal(&announced).contains("more than 100000 functions"));
        assert!(refusal(&announced[..announced.len() - 2]).contains("is not a component of the world `eviction-policy`"));
    }
}
