//! The output and the files of the command.

use std::io::Write;

use serde_json::Value;

use crate::generated::{csv, requests};
use crate::process::{complete_rows, rows, simulate, simulate_input};

fn trace() -> String {
    csv(&requests(3000, 5))
}

/// A directory with a trace in it.
fn on_disk() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.csv");
    std::fs::write(&path, trace()).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

fn without_times(mut rows: Vec<Value>) -> Vec<Value> {
    for row in &mut rows {
        assert!(row["seconds"].take().as_f64().is_some_and(|seconds| seconds > 0.0));
    }
    rows
}

#[test]
fn json_has_a_row_for_each_policy_at_each_capacity() {
    let (_directory, trace) = on_disk();
    let arguments = ["--json", "--capacity", "60KB,4KiB", "--policy", "gdsf:beta=0.75", "--policy", "lru", &trace];
    let rows = complete_rows(simulate(&arguments));
    let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("policy"), ["gdsf", "lru", "gdsf", "lru"]);
    assert_eq!(column("capacity"), [4096, 4096, 60_000, 60_000]);
    assert_eq!(rows[0]["options"], serde_json::json!({ "beta": "0.75", "cost": "1" }));
    assert_eq!(rows[1]["options"], serde_json::json!({}));
    let mut names: Vec<_> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = ["bytes_written", "capacity", "evictions", "missed_bytes", "object_misses", "options", "origin", "policy"];
    assert_eq!(names, [&expected[..], &["requests", "seconds"]].concat());
    for name in ["requests", "object_misses", "missed_bytes", "bytes_written", "evictions", "capacity"] {
        assert!(rows.iter().all(|row| row[name].is_u64()), "{name}");
    }
}

#[test]
fn options_that_are_not_set_are_listed_with_their_defaults() {
    let rows = complete_rows(simulate_input(&["--json", "--capacity", "4KiB", "--policy", "gdsf", "-"], trace().as_bytes()));
    assert_eq!(rows[0]["options"], serde_json::json!({ "beta": "0", "cost": "1" }));
}

#[test]
fn plain_and_compressed_traces_give_equal_counts_from_files_and_stdin() {
    // A file that xz compressed beforehand.
    let xz = include_bytes!("../data/small.csv.xz").to_vec();
    let text: String = (0..300).map(|n| format!("{n},{},{}\n", n * n % 23, 100 + n * n % 23 * 7)).collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let header = format!("time,key,size\n{text}").into_bytes();
    let inputs = [text.into_bytes(), xz, gzip.finish().unwrap(), header];
    let directory = tempfile::tempdir().unwrap();
    let counts = inputs.iter().flat_map(|input| {
        // The name says nothing about the contents of the file.
        let path = directory.path().join("trace.xz");
        std::fs::write(&path, input).unwrap();
        let arguments = |trace| ["--json", "--capacity", "1000", "--policy", "sieve", trace];
        [simulate(&arguments(path.to_str().unwrap())), simulate_input(&arguments("-"), input)]
            .map(|run| without_times(complete_rows(run)))
    });
    let counts: Vec<_> = counts.collect();
    assert_eq!(counts[0][0]["requests"], 300);
    assert!(counts.iter().all(|other| *other == counts[0]), "{counts:?}");
}

#[test]
fn number_of_jobs_does_not_change_the_counts() {
    let run = |jobs| {
        let arguments = ["--json", "--capacity", "4KiB,9000,20000", "--jobs", jobs, "-"];
        without_times(complete_rows(simulate_input(&arguments, trace().as_bytes())))
    };
    assert_eq!(run("1"), run("8"));
}

#[test]
fn simulate_defaults_to_all_built_in_policies_at_the_default_budget() {
    let rows = complete_rows(simulate_input(&["--json", "-"], trace().as_bytes()));
    let policies: Vec<_> = rows.iter().map(|row| row["policy"].as_str().unwrap()).collect();
    assert_eq!(policies, media_cache::embedded::policy_names());
    assert!(rows.iter().all(|row| row["capacity"] == 500 << 20));
}

#[test]
fn rows_of_a_component_file_and_its_built_in_policy_differ_only_in_the_origin() {
    let (directory, trace) = on_disk();
    let mine = directory.path().join("mine.wasm");
    std::fs::write(&mine, media_cache::embedded::policy("gdsf").unwrap()).unwrap();
    let mine = mine.to_str().unwrap();
    let with_option = format!("{mine}:beta=0");
    let arguments = ["--json", "--capacity", "9000", "--policy", &with_option, "--policy", "gdsf", &trace];
    let mut rows = without_times(complete_rows(simulate(&arguments)));
    assert_eq!([rows[0]["origin"].take(), rows[1]["origin"].take()], [mine, "gdsf"]);
    assert_eq!(rows[0], rows[1]);
}

#[test]
fn table_has_aligned_columns_and_a_line_for_each_policy_and_capacity() {
    let (_directory, trace) = on_disk();
    let arguments = ["--capacity", "1MiB,4KiB", "--policy", "lru", "--policy", "gdsf:beta=0.75", &trace];
    let table = simulate(&arguments).succeeded_silently();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 5, "{table}");
    assert!(lines[0].split_whitespace().eq("CAPACITY POLICY OBJECT MISSES BYTE MISSES WRITTEN TIME/REQUEST".split(' ')), "{table}");
    assert!(lines[1].starts_with("4.00 KiB  lru ") && lines[2].starts_with("4.00 KiB  gdsf:beta=0.75  "), "{table}");
    assert!(lines[3].starts_with("1.00 MiB  lru ") && lines[4].starts_with("1.00 MiB  gdsf:beta=0.75  "), "{table}");
    assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{table}");
    assert!(lines[1..].iter().all(|line| line.ends_with(" ns") && line.matches(" %").count() == 2), "{table}");
}

#[test]
fn objective_adds_a_column_and_a_field_with_its_value() {
    let trace = "0,a,1000,30\n1,b,2000,50,1\n2,a,1000\n3,c,3000\n";
    let arguments = ["--capacity", "1MiB", "--policy", "lru", "--objective", "requests=1,bytes=1KB,wait=10ms"];
    let rows = complete_rows(simulate_input(&[&arguments[..], &["--json", "-"]].concat(), trace.as_bytes()));
    // 3 requests, 6 KB, and 30 + 2 * 50 ms.
    assert_eq!((&rows[0]["objective"], &rows[0]["missed_wait"]), (&(3.0 + 6.0 + 13.0).into(), &130.into()));
    let table = simulate_input(&[&arguments[..], &["--bound", "-"]].concat(), trace.as_bytes()).succeeded_silently();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].ends_with("  TIME/REQUEST  OBJECTIVE") && lines[1].ends_with("      5.500"), "{table}");
}

#[test]
fn curves_are_drawn_as_svg_with_a_line_for_each_policy() {
    let (directory, trace) = on_disk();
    let plot = directory.path().join("curves.svg");
    let named = directory.path().join("a&b<c.wasm");
    std::fs::write(&named, media_cache::embedded::policy("lru").unwrap()).unwrap();
    let capacity = ["--capacity", "4KiB,9000,1MiB", "--policy", "sieve", "--policy", named.to_str().unwrap()];
    let said = simulate(&[&capacity[..], &["--json", "--plot", plot.to_str().unwrap(), &trace]].concat()).succeeded_silently();
    assert_eq!(rows(&said).len(), 6);
    let svg = std::fs::read_to_string(plot).unwrap();
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    for text in ["Object miss ratio", "Byte miss ratio", "sieve", "a&amp;b&lt;c.wasm", "4 KiB", "8.8 KiB", "1 MiB"] {
        assert!(svg.contains(text), "{text}");
    }
    // Two charts with two lines each, and a point for every row in both.
    assert_eq!(svg.matches("<circle").count(), 12);
}

#[test]
fn a_long_name_is_shortened_in_the_legend_and_has_a_title() {
    let (directory, trace) = on_disk();
    let plot = directory.path().join("curves.SVG");
    let named = directory.path().join("a".repeat(100) + "<\u{202e}>.wasm");
    std::fs::write(&named, media_cache::embedded::policy("lru").unwrap()).unwrap();
    let arguments = ["--policy", named.to_str().unwrap(), "--policy", "lru", "--plot", plot.to_str().unwrap(), &trace];
    simulate(&arguments).succeeded_silently();
    let svg = std::fs::read_to_string(plot).unwrap();
    let texts: Vec<&str> = svg.split("<text").skip(1).map(|rest| rest.split("</text>").next().unwrap()).collect();
    let long: Vec<&&str> = texts.iter().filter(|text| text.contains(".wasm")).collect();
    assert_eq!(long.len(), 2, "one in each chart");
    for text in long {
        let (label, title) = text.split_once('>').unwrap().1.split_once("<title>").unwrap();
        assert!(label.trim().chars().count() <= 50 && label.contains('…'), "{label}");
        let whole = named.to_str().unwrap().replace('<', "&lt;").replace('>', "&gt;").replace('\u{202e}', "\\u{202e}");
        assert_eq!(title, format!("{whole}</title>"));
    }
    assert_eq!(svg.matches("<title>").count(), 2);
}

#[test]
fn help_states_the_defaults() {
    let help = simulate(&["--help"]).succeeded_silently();
    assert!(help.contains("[default: 500MiB]") && help.contains("one per processor"), "{help}");
}
