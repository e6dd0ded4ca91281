//! Finds files that import each other, directly or through others.

use std::collections::{BTreeMap, VecDeque};

use crate::modules::Import;

/// The imports of each file, by its name.
type Graph<'i> = BTreeMap<&'i str, Vec<&'i Import<'i>>>;

/// Lists cycles, the shortest first. The imports of each cycle are removed before the search for the next one. If a cycle has upward
/// imports, only these are removed: they are wrong in any case, and the other imports may be part of further cycles.
pub fn cycles<'i>(imports: &'i [Import<'i>]) -> Vec<Vec<&'i Import<'i>>> {
    let mut graph = Graph::new();
    for import in imports {
        graph.entry(import.from).or_default().push(import);
    }
    let mut cycles = Vec::new();
    while let Some(cycle) = graph.keys().filter_map(|file| shortest_cycle(&graph, file)).min_by_key(Vec::len) {
        let is_upward = cycle.iter().any(|import| import.is_upward);
        for cut in cycle.iter().filter(|import| import.is_upward == is_upward) {
            graph.entry(cut.from).or_default().retain(|import| import.to != cut.to);
        }
        cycles.push(cycle);
    }
    cycles
}

/// Finds the shortest cycle that starts and ends at `file`.
fn shortest_cycle<'i>(graph: &Graph<'i>, file: &str) -> Option<Vec<&'i Import<'i>>> {
    // The last import on the shortest path to each file.
    let mut last_steps = BTreeMap::new();
    let mut pending = VecDeque::from([file]);
    while let Some(reached) = pending.pop_front() {
        for import in graph.get(reached).into_iter().flatten().copied() {
            last_steps.entry(import.to).or_insert_with(|| {
                pending.push_back(import.to);
                import
            });
        }
    }
    let mut cycle = vec![*last_steps.get(file)?];
    while cycle[0].from != file {
        cycle.insert(0, last_steps[cycle[0].from]);
    }
    Some(cycle)
}
