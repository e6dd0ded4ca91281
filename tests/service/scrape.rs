//! Reads the metrics at `/metrics`.

use std::collections::BTreeMap;

use media_cache_test_support::service_process::Service;

/// The result of a scrape.
#[derive(Debug)]
pub struct Scrape {
    pub families: Vec<Family>,
}

/// A metric family: the samples of one metric.
#[derive(Debug)]
pub struct Family {
    pub name: String,
    pub kind: String,
    pub help: String,
    pub samples: Vec<Sample>,
}

#[derive(Debug)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Scrape {
    /// Scrapes a service in the older text format.
    pub async fn of(service: &Service) -> Self {
        let answer = service.get("/metrics").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
        Self::read(std::str::from_utf8(&answer.body).unwrap())
    }

    /// Reads the text format 0.0.4. Every family must begin with its help and its type, and every sample must belong to its family.
    pub fn read(text: &str) -> Self {
        let mut families = Vec::<Family>::new();
        for line in text.lines() {
            if let Some(about) = line.strip_prefix("# HELP ") {
                let (name, help) = about.split_once(' ').unwrap();
                assert!(families.iter().all(|family| family.name != name), "{name} appears twice");
                families.push(Family { name: name.into(), kind: String::new(), help: help.into(), samples: Vec::new() });
            } else if let Some(about) = line.strip_prefix("# TYPE ") {
                let family = families.last_mut().unwrap();
                let (name, kind) = about.split_once(' ').unwrap();
                assert_eq!(name, family.name);
                family.kind = kind.into();
            } else {
                let (family, sample) = (families.last_mut().unwrap(), sample(line));
                let part =
                    sample.name.strip_prefix(&family.name).unwrap_or_else(|| panic!("{line:?} does not belong to {}", family.name));
                let parts: &[&str] = if family.kind == "histogram" { &["_bucket", "_count", "_sum"] } else { &[""] };
                assert!(parts.contains(&part), "{line:?} in {} {}", family.kind, family.name);
                family.samples.push(sample);
            }
        }
        Self { families }
    }

    /// The sum of all samples with this name that have at least these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let samples = self.families.iter().flat_map(|family| &family.samples).filter(|sample| sample.name == name);
        let mut samples = samples.peekable();
        assert!(samples.peek().is_some(), "there is no {name}");
        let has = |sample: &&Sample| labels.iter().all(|(name, value)| sample.labels.get(*name).is_some_and(|have| have == value));
        samples.filter(has).map(|sample| sample.value).sum()
    }
}

/// Reads a line such as `name{label="value",…} 1.5`.
fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix("\"}").unwrap().split("\",").collect()),
        None => (series, Vec::new()),
    };
    let labels = labels.iter().map(|label| {
        let (name, value) = label.split_once("=\"").unwrap();
        (name.to_owned(), value.to_owned())
    });
    Sample { name: name.into(), labels: labels.collect(), value: value.parse().unwrap() }
}
