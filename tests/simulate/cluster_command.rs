//! The options of the command for several nodes and a tier.

use media_cache_test_components as components;
use serde_json::{Value, json};

use crate::generated::{csv, requests};
use crate::process::{complete_rows, rows, simulate_input};

fn trace() -> String {
    csv(&requests(3000, 5))
}

fn cluster_rows(arguments: &[&str]) -> Vec<Value> {
    complete_rows(simulate_input(&[arguments, &["--json", "-"]].concat(), trace().as_bytes()))
}

fn table(arguments: &[&str]) -> String {
    simulate_input(&[arguments, &["-"]].concat(), trace().as_bytes()).succeeded_silently()
}

/// The error for arguments that are refused before the trace is read.
fn refusal(arguments: &[&str]) -> String {
    simulate_input(&[arguments, &["/nowhere/trace.csv"]].concat(), &[]).failed_with(2)
}

fn names(row: &Value) -> Vec<&str> {
    row.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn one_node_is_reported_as_a_single_cache() {
    let arguments = ["--capacity", "4KiB,60KB"];
    let rows = |more: &[&str]| {
        let mut rows = cluster_rows(&[&arguments[..], more].concat());
        rows.iter_mut().for_each(|row| assert!(row["seconds"].take().is_f64()));
        rows
    };
    assert_eq!(rows(&["--nodes", "1"]), rows(&[]));
    assert!(table(&["--nodes", "1"]).starts_with("  CAPACITY  POLICY "));
}

#[test]
fn json_has_the_counts_of_each_node_of_the_tier_and_of_the_origins() {
    let rows = cluster_rows(&["--nodes", "3", "--tier", "50KB", "--capacity", "9000,4KiB", "--policy", "gdsf", "--policy", "lru"]);
    let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(
        (column("policy"), column("capacity")),
        (vec!["gdsf".into(), "lru".into(), "gdsf".into(), "lru".into()], vec![4096.into(), 4096.into(), 9000.into(), 9000.into()])
    );
    for row in &rows {
        let nodes = row["nodes"].as_array().unwrap();
        assert_eq!(nodes.iter().map(|node| node["node"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
        for name in ["requests", "object_misses", "missed_bytes", "bytes_written", "evictions"] {
            let sum: u64 = nodes.iter().map(|node| node[name].as_u64().unwrap()).sum();
            assert_eq!(row[name], sum, "{name}");
        }
        assert_eq!(names(&nodes[0]), ["bytes_written", "evictions", "missed_bytes", "node", "object_misses", "requests"]);
        assert_eq!(names(&row["tier"]), ["bytes_read", "bytes_written", "hits", "lookups", "peak_bytes", "size"]);
        assert_eq!((&row["tier"]["size"], &row["tier"]["lookups"]), (&json!(50_000), &row["object_misses"]));
        let behind = row["tier"]["hits"].as_u64().unwrap() + row["origins"]["requests"].as_u64().unwrap();
        assert_eq!((row["object_misses"].as_u64(), names(&row["origins"])), (Some(behind), vec!["bytes", "requests"]));
        assert_eq!((&row["phases"], &row["missed_wait"]), (&Value::Null, &Value::Null));
    }
}

#[test]
fn json_has_the_counts_before_and_after_each_change() {
    let row =
        cluster_rows(&["--nodes", "3", "--lose-node", "25", "--add-node", "50", "--policy", "lru", "--capacity", "9000"]).remove(0);
    let phases = row["phases"].as_array().unwrap();
    let column = |name: &str| phases.iter().map(|phase| phase[name].clone()).collect::<Vec<_>>();
    assert_eq!(
        (column("requests_before"), column("requests")),
        (vec![0.into(), 750.into(), 1500.into()], vec![750.into(), 750.into(), 1500.into()])
    );
    assert_eq!(column("nodes"), [3, 2, 3]);
    assert!(phases[0]["unchanged"].is_null() && phases[1]["unchanged"]["origins"]["requests"].is_u64());
    let marks = |name: &str| row["nodes"].as_array().unwrap().iter().map(|node| node[name] == true).collect::<Vec<_>>();
    assert_eq!((marks("lost"), marks("added")), (vec![false, false, true, false], vec![false, false, false, true]));
    assert!(row["tier"].is_null() && phases[1]["tier"].is_null());
}

#[test]
fn tables_describe_the_cluster_and_have_a_row_for_each_node_and_phase() {
    let arguments = ["--nodes", "2", "--tier", "50KB", "--lose-node", "50", "--policy", "lru", "--capacity", "9000,20000"];
    let table = table(&arguments);
    let blocks: Vec<Vec<&str>> = table.split("\n\n").map(|block| block.lines().collect()).collect();
    let expected =
        ["2 nodes with the capacity shown, and a tier of 48.83 KiB behind them", "after 1500 of 3000 requests, node 2 is lost"];
    assert_eq!(blocks[0], expected);
    let labels = |block: &[&str], name: &str| {
        let column = block[1].find(name).unwrap();
        block[2..].iter().map(|line| line[column..].split("  ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let phases = ["1 to 1500", "1501 to 3000", "1501 to 3000, unchanged"];
    let nodes = ["1", "2, lost", "all", "all, 1 to 1500", "all, 1501 to 3000", "all, 1501 to 3000, unchanged"];
    assert_eq!(blocks[1][0], "nodes:");
    assert_eq!(labels(&blocks[1], "NODE"), [nodes, nodes].concat());
    let requests = [&["all"][..], &phases].concat();
    assert_eq!(blocks[2][0], "tier and origins:");
    assert_eq!(labels(&blocks[2], "REQUESTS"), [&requests[..], &requests].concat());
    let head = "CAPACITY POLICY REQUESTS LOOKUPS HITS READ WRITTEN PEAK ORIGIN REQUESTS ORIGIN BYTES VS UNCHANGED";
    assert!(blocks[2][1].split_whitespace().eq(head.split(' ')), "{table}");
    let change = blocks[2][4].rsplit("  ").next().unwrap();
    assert!(change.starts_with(['+', '-']) && change.ends_with(" %") && blocks[2][5].ends_with("iB"), "{table}");
}

#[test]
fn table_without_a_tier_has_only_origins() {
    let table = table(&["--nodes", "2", "--policy", "lru", "--objective", "bytes"]);
    assert!(table.starts_with("2 nodes with the capacity shown\n\nnodes:\n") && table.contains("\n\norigins:\n"), "{table}");
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[3].ends_with("  OBJECTIVE") && !table.contains("LOOKUPS"), "{table}");
}

#[test]
fn curves_are_drawn_for_the_nodes_together() {
    let directory = tempfile::tempdir().unwrap();
    let plot = directory.path().join("curves.svg");
    table(&["--nodes", "2", "--policy", "lru", "--capacity", "4KiB,9000", "--plot", plot.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(plot).unwrap().matches("<circle").count(), 4);
}

#[test]
fn impossible_clusters_are_refused_before_the_replay() {
    for (arguments, expected) in [
        (&["--nodes", "0"][..], "--nodes 0: it must be at least 1"),
        (&["--nodes", "501"], "--nodes 501: it must be at most 500"),
        (&["--tier", "5G"], "--tier 5G: \"5G\" is an ambiguous size"),
        (&["--nodes", "2", "--lose-node", "100"], "--lose-node 100: it must be "),
        (
            &["--lose-node", "30", "--add-node", "31"],
            "--lose-node 30: the only node cannot be lost, unless another one is added before or at the same time; give --nodes 2 or more, \
             or --add-node",
        ),
        (&["--nodes", "2", "--bound"], "--bound applies to a single cache; leave out --bound, or --nodes, --tier, "),
        (&["--tier", "1GiB", "--objective", "bytes"], "--objective does not distinguish the tier from the origins; leave out "),
    ] {
        let said = refusal(arguments);
        assert!(said.starts_with(&format!("media-cache: {expected}")), "{said}");
    }
}

#[test]
fn fault_of_a_policy_names_its_node() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mine.wasm");
    std::fs::write(&path, components::TRAPS).unwrap();
    let arguments =
        ["--nodes", "3", "--add-node", "90", "--capacity", "9000", "--policy", path.to_str().unwrap(), "--policy", "lru"];
    let finished = simulate_input(&[&arguments[..], &["--json", "-"]].concat(), trace().as_bytes());
    assert_eq!(finished.code, Some(1));
    let rows = rows(finished.text());
    let node = rows[0]["faulty_node"].as_u64().unwrap();
    let error = rows[0]["error"].as_str().unwrap();
    assert!(finished.stderr.contains("mine.wasm at 8.79 KiB stopped at request "), "{}", finished.stderr);
    assert!(finished.stderr.trim_end().ends_with(&format!(": node {node}: {error}")), "{}", finished.stderr);
    assert!(rows[1]["faulty_node"].is_null() && rows[1]["requests"] == 3000);
    let table = simulate_input(&[&arguments[..], &["-"]].concat(), trace().as_bytes());
    assert!(table.text().contains("  stopped\n"), "{}", table.text());
}
