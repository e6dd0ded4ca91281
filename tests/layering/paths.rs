//! Parses a source file just enough to find the modules that it declares and the paths that it uses.

use crate::test_code::without_test_code;
use crate::tokens::{is_word, tokenize};

/// The names of modules, from the outermost.
pub type ModulePath = Vec<String>;

#[derive(Default)]
pub struct Source {
    /// Declared by `mod x;`, relative to the module of this file.
    pub declared: Vec<ModulePath>,
    /// Defined by `mod x { ... }`, relative to the module of this file.
    pub inline: Vec<ModulePath>,
    pub paths: Vec<Path>,
}

pub struct Path {
    /// The inline modules that enclose the path.
    pub scope: ModulePath,
    pub segments: Vec<String>,
    /// The name that the path is bound to, if it comes from a `use` declaration.
    pub binding: Option<String>,
}

impl Source {
    /// Parses `text` without the code that is only compiled for tests.
    pub fn parse(text: &str) -> Self {
        let tokens = without_test_code(&tokenize(text));
        let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, scopes: Vec::new(), source: Self::default() };
        while parser.at < tokens.len() {
            parser.step();
        }
        parser.source
    }
}

struct Parser<'t> {
    tokens: &'t [&'t str],
    at: usize,
    /// The number of open braces.
    depth: usize,
    /// The inline modules that are open, each with the depth of its content.
    scopes: Vec<(&'t str, usize)>,
    source: Source,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t [&'t str] {
        self.tokens.get(self.at..).unwrap_or_default()
    }

    fn step(&mut self) {
        match *self.rest() {
            ["mod", name, ";", ..] => {
                self.source.declared.push(self.module(name));
                self.at += 3;
            }
            ["mod", name, "{", ..] => {
                self.source.inline.push(self.module(name));
                self.depth += 1;
                self.scopes.push((name, self.depth));
                self.at += 3;
            }
            // In a bound, `use<'a>` is not a declaration.
            ["use", next, ..] if next != "<" => {
                self.at += 1;
                self.use_tree(&[]);
            }
            // The path in a visibility is not an import.
            ["pub", "(", "in", ..] => self.at += self.rest().iter().position(|token| *token == ")").unwrap_or(1),
            [token, ..] if is_word(token) => self.inline_path(),
            [token, ..] => self.symbol(token),
            [] => {}
        }
    }

    fn symbol(&mut self, token: &str) {
        self.at += 1;
        match token {
            "{" => self.depth += 1,
            "}" => {
                self.scopes.pop_if(|(_, depth)| *depth == self.depth);
                self.depth = self.depth.saturating_sub(1);
            }
            _ => {}
        }
    }

    /// Records a path in code. Single words are not paths, and neither are methods such as `b` in `a.b::<C>()`.
    fn inline_path(&mut self) {
        let continues = self.at > 0 && matches!(self.tokens[self.at - 1], "::" | ".");
        let mut segments = Vec::new();
        while let [name, ..] = *self.rest()
            && is_word(name)
        {
            segments.push(name.to_owned());
            self.at += 1;
            match *self.rest() {
                ["::", next, ..] if is_word(next) => self.at += 1,
                _ => break,
            }
        }
        if segments.len() > 1 && !continues {
            self.add(segments, None);
        }
    }

    /// Records the paths of a tree in a `use` declaration, each of which starts with `prefix`.
    fn use_tree(&mut self, prefix: &[String]) {
        let mut path = prefix.to_vec();
        let mut binding = None;
        while let [token, ..] = *self.rest() {
            match token {
                "{" => return self.use_group(&path),
                "as" => {
                    binding = self.rest().get(1).map(|name| (*name).to_owned());
                    self.at += 1;
                }
                "self" if !path.is_empty() => {}
                // A leading `::` names another crate, so the path must not resolve.
                "::" if path.is_empty() => path.push(String::new()),
                "::" | "$" => {}
                name if is_word(name) || name == "*" => path.push(name.to_owned()),
                _ => break,
            }
            self.at += 1;
        }
        let binding = binding.or_else(|| path.last().cloned());
        self.add(path, binding);
    }

    fn use_group(&mut self, prefix: &[String]) {
        self.at += 1;
        while let [token, ..] = *self.rest() {
            match token {
                "}" => break,
                "{" | "::" | "*" => self.use_tree(prefix),
                name if is_word(name) => self.use_tree(prefix),
                _ => self.at += 1,
            }
        }
        self.at += 1;
    }

    fn add(&mut self, segments: Vec<String>, binding: Option<String>) {
        let scope = self.module_names().collect();
        self.source.paths.push(Path { scope, segments, binding });
    }

    fn module(&self, name: &str) -> ModulePath {
        self.module_names().chain([name.to_owned()]).collect()
    }

    fn module_names(&self) -> impl Iterator<Item = String> {
        self.scopes.iter().map(|(name, _)| (*name).to_owned())
    }
}
