//! The fenced blocks of the documents.

use media_cache_test_support::workspace::{workspace_file, workspace_path};

/// The directories that contain documents.
const DIRECTORIES: [&str; 6] =
    ["", "docs", "bench/compare", "fuzz", "host/cli/templates/components", "host/cli/templates/policy/rust"];

/// A fenced block.
pub struct Block {
    /// The line of its fence, for messages.
    pub line: usize,
    /// The words after its fence, such as `sh`.
    pub language: String,
    /// Its lines, without those of the fences.
    pub lines: Vec<String>,
}

/// The paths of all documents, sorted.
pub fn pages() -> Vec<String> {
    let names = |directory: &str| {
        let files = std::fs::read_dir(workspace_path(directory)).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).filter(|name| name.ends_with(".md")).collect::<Vec<_>>()
    };
    let path = |directory: &str, name: String| if directory.is_empty() { name } else { format!("{directory}/{name}") };
    let mut pages: Vec<_> =
        DIRECTORIES.iter().flat_map(|directory| names(directory).into_iter().map(|name| path(directory, name))).collect();
    pages.sort();
    pages
}

/// The fenced blocks of a page.
pub fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut open) = (Vec::new(), None);
    for (number, line) in workspace_file(page).lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some(Block { line: number + 1, language: language.into(), lines: Vec::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.lines.push(line.into()),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{page}: a block is not closed");
    blocks
}

#[test]
fn every_block_states_its_language() {
    // A shell block with another language would not be run, except for those for root on a new machine (`bash`), which `tests/kit` runs.
    let known = [
        "bash",
        "c",
        "console",
        "html",
        "ini",
        "javascript",
        "json",
        "mermaid",
        "nginx",
        "promql",
        "python",
        "rust",
        "rust,no_run",
        "sh",
        "text",
        "toml",
        "yaml",
    ];
    for page in pages() {
        for Block { line, language, .. } in blocks(&page) {
            assert!(known.contains(&&*language), "{page}:{line}: {language:?}");
            assert!(language != "bash" || page == "docs/deployment.md", "{page}:{line}: `sh`");
        }
    }
}
