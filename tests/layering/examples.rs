//! Tests the checks themselves: in small example crates, they must find all violations of the rules and nothing else.

use std::collections::BTreeMap;

use crate::layers::misplaced;
use crate::modules::{Import, Modules};
use crate::report::{cyclic_imports, upward_imports};

/// Loads a crate from the names and texts of its files.
fn load(files: &[(&str, &str)]) -> Modules {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    Modules::load("lib.rs", |name| files.get(name).map(|text| (*text).to_owned()))
}

/// Loads a crate with the modules `a`, `b`, `b::c` and `b::d`, all empty except `a`.
fn with_a(text: &str) -> Modules {
    load(&[("lib.rs", "mod a; mod b;"), ("a.rs", text), ("b/mod.rs", "mod c; mod d;"), ("b/c.rs", ""), ("b/d.rs", "")])
}

/// The imports of `a` in that crate.
fn imports_of_a(text: &str) -> Vec<String> {
    let described = |import: &Import| format!("{}: {}", import.to, Vec::from_iter(import.names.clone()).join(", "));
    with_a(text).imports().iter().map(described).collect()
}

#[test]
fn modules_that_import_each_other_form_a_cycle() {
    let modules = load(&[("lib.rs", "mod a; mod b;"), ("a.rs", "use super::b::{make, B};"), ("b.rs", "use crate::a::A;")]);
    assert_eq!(cyclic_imports(&modules), "a.rs -> b.rs: B, make\nb.rs -> a.rs: A\n\n");
    assert_eq!(upward_imports(&modules), "");
}

#[test]
fn an_import_through_a_re_export_of_the_parent_is_upward_and_can_be_cyclic() {
    let modules = load(&[("lib.rs", "mod a; mod b; pub use a::A;"), ("a.rs", ""), ("b.rs", "use super::A;")]);
    assert_eq!(cyclic_imports(&modules), "");
    assert_eq!(upward_imports(&modules), "b.rs -> lib.rs: A\n");

    let modules = load(&[("lib.rs", "mod a; mod b; pub use {a::A, b::B};"), ("a.rs", ""), ("b.rs", "use super::A;")]);
    assert_eq!(cyclic_imports(&modules), "b.rs -> lib.rs: A\nlib.rs -> b.rs: B\n\n");
    assert_eq!(upward_imports(&modules), "b.rs -> lib.rs: A\n");
}

#[test]
fn a_cycle_through_the_re_export_of_another_module_is_found() {
    let parent = ("a/mod.rs", "mod inner; pub use inner::A;");
    let inner = ("a/inner.rs", "pub struct A(crate::b::B);");
    let modules = load(&[("lib.rs", "mod a; mod b;"), parent, inner, ("b.rs", "use crate::a::A;")]);
    assert_eq!(cyclic_imports(&modules), "a/inner.rs -> b.rs: B\nb.rs -> a/mod.rs: A\na/mod.rs -> a/inner.rs: A\n\n");
    assert_eq!(upward_imports(&modules), "");
}

#[test]
fn a_cycle_that_shares_an_import_with_an_upward_one_is_found() {
    let parent = ("a.rs", "mod b; mod c; pub use b::B;");
    let modules = load(&[
        ("lib.rs", "mod a; mod d;"),
        parent,
        ("a/b.rs", "use super::C; use crate::d::D;"),
        ("a/c.rs", ""),
        ("d.rs", "use crate::a::B;"),
    ]);
    let (upward, other) = ("a.rs -> a/b.rs: B\na/b.rs -> a.rs: C\n", "a.rs -> a/b.rs: B\na/b.rs -> d.rs: D\nd.rs -> a.rs: B\n");
    assert_eq!(cyclic_imports(&modules), format!("{upward}\n{other}\n"));
}

#[test]
fn imports_from_parents_and_grandparents_are_upward() {
    let modules = load(&[("lib.rs", "mod a;"), ("a.rs", "mod b;"), ("a/b.rs", "use super::super::Root; type A = super::A;")]);
    assert_eq!(upward_imports(&modules), "a/b.rs -> a.rs: A\na/b.rs -> lib.rs: Root\n");
}

#[test]
fn imports_in_one_direction_pass() {
    let modules = load(&[("lib.rs", "mod a; mod b; pub use a::A;"), ("a.rs", "use super::b::B;"), ("b.rs", "pub struct B;")]);
    assert_eq!(cyclic_imports(&modules), "");
    assert_eq!(upward_imports(&modules), "");
}

#[test]
fn groups_renames_and_globs_are_resolved() {
    let text = "pub(crate) use crate::{b::{self as other, c::{C, *}, d}, std::B as _};";
    assert_eq!(imports_of_a(text), ["b/c.rs: *, C", "b/d.rs: d", "b/mod.rs: b", "lib.rs: std"]);
}

#[test]
fn paths_in_code_are_imports() {
    assert_eq!(imports_of_a("fn f(x: &'static super::b::c::C<crate::b::D>) {}"), ["b/c.rs: C", "b/mod.rs: D"]);
    assert_eq!(imports_of_a("let a = A { x: 0..crate::b::X, ..super::b::A::default() };"), ["b/mod.rs: A, X"]);
    assert_eq!(imports_of_a("match x.b::<u8>() { '\"' | '\\'' => crate::b::f::<u8>(\"\\\"\") }"), ["b/mod.rs: f"]);
}

#[test]
fn paths_through_an_imported_module_are_imports() {
    let text = "use super::b as other; fn f() { other::c::g(); b::d::g() }";
    assert_eq!(imports_of_a(text), ["b/c.rs: g", "b/mod.rs: b"]);
}

#[test]
fn paths_of_other_crates_and_visibilities_are_not_imports() {
    let text = "use ::b::c; use std::{b, c}; pub(in crate::b) struct A; pub(super) fn f() -> impl Sized + use<> { b::c() }";
    assert_eq!(imports_of_a(text), [""; 0]);
}

#[test]
fn paths_in_comments_and_literals_are_not_imports() {
    let comments = "//! [`crate::b::B`]\n/* use crate::b; /* */ use crate::b; */ /// [crate::b::c]\n";
    let literals = r##"const A: &str = "\" crate::b::c"; const B: &str = r#"" crate::b::c "#; const C: &[u8] = b"crate::b::c";"##;
    assert_eq!(imports_of_a(&format!("{comments}{literals}")), [""; 0]);
}

#[test]
fn imports_in_test_code_are_ignored() {
    for item in [
        "#[cfg(test)] mod tests { use super::super::b::B; fn f() { crate::b::f() } }",
        "#[cfg(test)] mod missing;",
        "#[cfg(all(test, unix))] #[allow(x)] pub(crate) use crate::b::{c, d};",
        "#[cfg(test)] const X: [u8; 2] = { crate::b::X };",
        "#[test] fn f() { crate::b::f() }",
        "struct A { #[cfg(test)] b: crate::b::B, }",
    ] {
        assert_eq!(imports_of_a(&format!("{item} use crate::b::d::D;")), ["b/d.rs: D"], "{item}");
    }
}

#[test]
fn imports_in_code_that_is_not_test_only_are_checked() {
    let text = "#[cfg(any(test, unix))] use crate::b::B; #[cfg(not(test))] use crate::b::C;";
    assert_eq!(imports_of_a(text), ["b/mod.rs: B, C"]);
}

#[test]
fn an_inline_module_belongs_to_its_file() {
    let text = "mod inner { use super::A; use super::super::b::B; pub fn f() {} } use inner::f; use super::b::c::C;";
    assert_eq!(imports_of_a(text), ["b/c.rs: C", "b/mod.rs: B"]);
    let modules = load(&[("lib.rs", "mod a; mod bindings { struct A; }"), ("a.rs", "use crate::bindings::A;")]);
    assert_eq!(upward_imports(&modules), "a.rs -> lib.rs: bindings\n");
}

#[test]
fn a_crate_may_depend_only_on_listed_crates_in_lower_layers() {
    let layers: &[&[&str]] = &[&["low"], &["mid/*"], &["top"]];
    let found = |name: &str, dependencies: &[&str]| {
        let dependencies = dependencies.iter().map(|dependency| (*dependency).to_owned()).collect();
        misplaced(&BTreeMap::from([(name.to_owned(), dependencies)]), layers)
    };
    assert_eq!(found("top", &["low", "mid/a"]), [""; 0]);
    assert_eq!(found("mid/a", &["low", "mid/b"]), ["mid/a depends on mid/b, which is not in a lower layer"]);
    assert_eq!(found("low", &["top"]), ["low depends on top, which is not in a lower layer"]);
    assert_eq!(found("top", &["new"]), ["top depends on new, which is not in a lower layer"]);
    assert_eq!(found("mid/a/b", &[]), ["mid/a/b is not in any layer"]);
}
