//! Finds dependencies between crates that do not point to a lower layer.

use std::collections::BTreeMap;

/// Describes each dependency that `layers`, which are listed from the bottom up, do not allow. `crates` maps the directory of each crate to
/// the directories of its dependencies. A crate belongs to the first layer that lists its directory, or the parent directory followed by
/// `/*`.
pub fn misplaced(crates: &BTreeMap<String, Vec<String>>, layers: &[&[&str]]) -> Vec<String> {
    let layer_of = |name: &str| {
        let matches = |pattern: &&str| match pattern.strip_suffix("/*") {
            Some(directory) => name.rsplit_once('/').is_some_and(|(parent, _)| parent == directory),
            None => name == *pattern,
        };
        layers.iter().position(|layer| layer.iter().any(matches))
    };
    let mut problems = Vec::new();
    for (name, dependencies) in crates {
        let Some(layer) = layer_of(name) else {
            problems.push(format!("{name} is not in any layer"));
            continue;
        };
        let allowed = |dependency: &&String| layer_of(dependency).is_some_and(|below| below < layer);
        let wrong = dependencies.iter().filter(|dependency| !allowed(dependency));
        problems.extend(wrong.map(|dependency| format!("{name} depends on {dependency}, which is not in a lower layer")));
    }
    problems
}
