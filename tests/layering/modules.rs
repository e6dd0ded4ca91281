//! The modules of a crate, the file that contains each of them, and the imports between these files.

use std::collections::{BTreeMap, BTreeSet};

use crate::paths::{ModulePath, Path, Source};

/// The modules of a library or program.
#[derive(Default)]
pub struct Modules {
    /// The files by name.
    files: BTreeMap<String, File>,
    /// The names of the files that contain each module, including inline modules.
    file_names: BTreeMap<ModulePath, String>,
}

struct File {
    module: ModulePath,
    source: Source,
}

/// The names that one file imports from another.
pub struct Import<'a> {
    pub from: &'a str,
    pub to: &'a str,
    pub names: BTreeSet<String>,
    /// Whether `to` is the file of a module that encloses `from`.
    pub is_upward: bool,
}

/// The modules that `use` declarations bind to a name, by the declaring module and the name.
type Bindings<'a> = BTreeMap<(&'a ModulePath, &'a str), ModulePath>;

impl Modules {
    /// Follows `mod` declarations from the file `root`, such as `src/lib.rs`. `read` returns the text of a file if it exists.
    pub fn load(root: &str, read: impl Fn(&str) -> Option<String>) -> Self {
        let directory = root.rsplit_once('/').map(|(directory, _)| format!("{directory}/")).unwrap_or_default();
        let mut modules = Self::default();
        let mut pending = vec![(ModulePath::new(), vec![root.to_owned()])];
        while let Some((module, candidates)) = pending.pop() {
            let found = candidates.iter().find_map(|name| Some((name, read(name)?)));
            let (name, text) = found.unwrap_or_else(|| panic!("none of the files {candidates:?} exists"));
            let source = Source::parse(&text);
            for declared in &source.declared {
                let child = [&module[..], declared].concat();
                let path = format!("{directory}{}", child.join("/"));
                pending.push((child, vec![format!("{path}.rs"), format!("{path}/mod.rs")]));
            }
            modules.add(name, File { module, source });
        }
        modules
    }

    fn add(&mut self, name: &str, file: File) {
        for inline in &file.source.inline {
            self.file_names.insert([&file.module[..], inline].concat(), name.to_owned());
        }
        self.file_names.insert(file.module.clone(), name.to_owned());
        self.files.insert(name.to_owned(), file);
    }

    /// All imports between files, with one entry for each pair.
    pub fn imports(&self) -> Vec<Import<'_>> {
        self.files.iter().flat_map(|(name, file)| self.imports_of(name, file)).collect()
    }

    fn imports_of<'a>(&'a self, from: &'a str, file: &File) -> impl Iterator<Item = Import<'a>> {
        let mut names = BTreeMap::<_, BTreeSet<String>>::new();
        let mut bindings = Bindings::new();
        for path in &file.source.paths {
            let Some(target) = self.absolute(path, &file.module, &bindings) else { continue };
            let (to, name) = self.locate(&target);
            names.entry(to).or_default().insert(name.to_owned());
            if let Some(name) = &path.binding
                && self.file_names.contains_key(&target)
            {
                bindings.insert((&path.scope, name), target);
            }
        }
        names.remove(from);
        let above: Vec<&String> = (0..file.module.len()).map(|length| &self.file_names[&file.module[..length]]).collect();
        names.into_iter().map(move |(to, names)| Import { from, to, names, is_upward: above.iter().any(|above| *above == to) })
    }

    /// Resolves `path`, found in the file of `module`, to a path from the crate root. Returns `None` for paths into other crates and paths
    /// that start with a type.
    fn absolute(&self, path: &Path, module: &[String], bindings: &Bindings) -> Option<ModulePath> {
        let mut target = [module, &path.scope].concat();
        let (first, rest) = path.segments.split_first()?;
        match first.as_str() {
            "crate" => target.clear(),
            "self" => {}
            "super" => drop(target.pop()),
            _ => {
                target.push(first.clone());
                if !self.file_names.contains_key(&target) {
                    target.clone_from(bindings.get(&(&path.scope, first))?);
                }
            }
        }
        for segment in rest {
            match segment.as_str() {
                "super" => drop(target.pop()),
                _ => target.push(segment.clone()),
            }
        }
        Some(target)
    }

    /// Finds the file of the longest module path that `target` starts with, and the name that is imported from it. If `target` is that
    /// module itself, this is the name of the module.
    fn locate<'t>(&self, target: &'t ModulePath) -> (&str, &'t str) {
        let file_name = (0..=target.len()).rev().find_map(|length| self.file_names.get(&target[..length]));
        let (name, file) = file_name.and_then(|name| self.files.get_key_value(name)).unwrap();
        (name, target.get(file.module.len()).or(target.last()).map_or("crate", String::as_str))
    }
}
