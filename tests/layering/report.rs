//! Describes the imports that break the rules, one per line.

use crate::cycles::cycles;
use crate::modules::{Import, Modules};

/// Describes cycles, with an empty line after each.
pub fn cyclic_imports(modules: &Modules) -> String {
    cycles(&modules.imports()).into_iter().map(|cycle| lines(cycle) + "\n").collect()
}

/// Describes the imports from enclosing modules.
pub fn upward_imports(modules: &Modules) -> String {
    lines(modules.imports().iter().filter(|import| import.is_upward))
}

fn lines<'i>(imports: impl IntoIterator<Item = &'i Import<'i>>) -> String {
    let line = |import: &Import| {
        let names: Vec<&str> = import.names.iter().map(String::as_str).collect();
        format!("{} -> {}: {}\n", import.from, import.to, names.join(", "))
    };
    imports.into_iter().map(line).collect()
}
