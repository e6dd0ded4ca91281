//! The names of objects, relative to the prefix of a tier.

use std::time::SystemTime;

use media_cache::OWN_DIRECTORY;
use media_cache_entry_files::{FileKind, KeyDigest};
use object_store::path::Path;

use crate::used::hour;

const LEASES: &str = "leases";
const USAGE: &str = "usage";
const CLOCK: &str = "clock";

/// The objects of a tier.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    prefix: Path,
}

/// What a listed object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Media(KeyDigest),
    Sidecar(KeyDigest),
    Lease,
    /// A list of what a node used in this hour, counted since 1970.
    Usage(u64),
    /// The object that shows the store's time.
    Clock,
    /// Anything else.
    Other,
}

impl Names {
    pub fn new(prefix: Path) -> Self {
        Self { prefix }
    }

    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    pub fn media(&self, digest: KeyDigest) -> Path {
        self.prefix.clone().join(digest.media_file())
    }

    pub fn sidecar(&self, digest: KeyDigest) -> Path {
        self.prefix.clone().join(digest.sidecar_file())
    }

    /// The lease of the node that fetches an entry.
    pub fn lease(&self, digest: KeyDigest) -> Path {
        self.all_leases().join(digest.to_string())
    }

    pub fn all_leases(&self) -> Path {
        self.own(LEASES)
    }

    /// An object that is written to learn the store's time.
    pub fn clock(&self) -> Path {
        self.own(CLOCK)
    }

    /// An object that never exists. Reading it shows whether the store can be read.
    pub fn probe(&self) -> Path {
        self.own("probe")
    }

    /// Where nodes list what they have used.
    pub fn all_usage(&self) -> Path {
        self.own(USAGE)
    }

    /// What a node used in an hour, counted since 1970.
    pub fn usage(&self, node: &str, hour: u64) -> Path {
        self.all_usage().join(node).join(hour.to_string())
    }

    /// The hour of an object below [`all_usage`](Self::all_usage).
    pub fn usage_hour(&self, path: &Path) -> Option<u64> {
        valid_hour(path.filename()?)
    }

    /// What an object is. Only objects directly below the prefix are entries.
    pub fn kind(&self, path: &Path) -> Kind {
        let Some(parts) = path.prefix_match(&self.prefix) else { return Kind::Other };
        let parts: Vec<_> = parts.collect();
        match parts.iter().map(AsRef::as_ref).collect::<Vec<&str>>()[..] {
            [name] => match FileKind::of(name) {
                FileKind::Media(digest) => Kind::Media(digest),
                FileKind::Sidecar(digest) => Kind::Sidecar(digest),
                _ => Kind::Other,
            },
            [OWN_DIRECTORY, LEASES, _] => Kind::Lease,
            [OWN_DIRECTORY, USAGE, _, hour] => valid_hour(hour).map_or(Kind::Other, Kind::Usage),
            [OWN_DIRECTORY, CLOCK] => Kind::Clock,
            _ => Kind::Other,
        }
    }

    fn own(&self, name: &str) -> Path {
        self.prefix.clone().join(OWN_DIRECTORY).join(name)
    }
}

/// The hour that a name is, unless no node can have listed anything in it. Clocks may differ by an hour.
fn valid_hour(name: &str) -> Option<u64> {
    name.parse().ok().filter(|named| *named <= hour(SystemTime::now()) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_a_cache_directory_below_the_prefix() {
        let digest = KeyDigest::of("https://example.com/");
        for prefix in ["", "a/b"] {
            let names = Names::new(Path::from(prefix));
            assert_eq!(names.kind(&names.media(digest)), Kind::Media(digest));
            assert_eq!(names.kind(&names.sidecar(digest)), Kind::Sidecar(digest));
            assert_eq!(names.usage_hour(&names.usage("node", 7)), Some(7));
            for (path, kind) in [
                (names.lease(digest), Kind::Lease),
                (names.usage("node", 7), Kind::Usage(7)),
                (names.clock(), Kind::Clock),
                (names.all_usage().join("node").join("x"), Kind::Other),
                (Path::from("c/d"), Kind::Other),
            ] {
                assert_eq!(names.kind(&path), kind, "{path}");
            }
        }
        let names = Names::new(Path::from("a"));
        let next = hour(SystemTime::now()) + 1;
        assert_eq!(names.kind(&names.usage("node", next)), Kind::Usage(next));
        for hostile in [next + 2, u64::MAX / 3600 + 1, u64::MAX] {
            let path = names.usage("node", hostile);
            assert_eq!((names.kind(&path), names.usage_hour(&path)), (Kind::Other, None), "{hostile}");
        }
        let below = Names::new(Path::from("a"));
        assert_eq!(below.kind(&Path::from(format!("a/b/{}", digest.media_file()))), Kind::Other);
        assert_eq!(below.media(digest).to_string(), format!("a/{digest}.dat"));
    }
}
