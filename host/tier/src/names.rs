//! The names of objects, relative to the prefix of a tier.

use media_cache::OWN_DIRECTORY;
use media_cache_entry_files::{FileKind, KeyDigest};
use object_store::path::Path;

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
        self.own("leases")
    }

    /// An object that is written to learn the store's time.
    pub fn clock(&self) -> Path {
        self.own("clock")
    }

    /// An object that never exists. Reading it shows whether the store can be read.
    pub fn probe(&self) -> Path {
        self.own("probe")
    }

    /// Where nodes list what they have used.
    pub fn all_usage(&self) -> Path {
        self.own("usage")
    }

    /// What a node used in an hour, counted since 1970.
    pub fn usage(&self, node: &str, hour: u64) -> Path {
        self.all_usage().join(node).join(hour.to_string())
    }

    /// The hour of an object below [`all_usage`](Self::all_usage).
    pub fn usage_hour(&self, path: &Path) -> Option<u64> {
        path.filename()?.parse().ok()
    }

    /// What an object is. Objects below the prefix, such as those in [`OWN_DIRECTORY`], are not entries.
    pub fn kind(&self, path: &Path) -> Kind {
        let Some(mut parts) = path.prefix_match(&self.prefix) else { return Kind::Other };
        match (parts.next(), parts.next()) {
            (Some(name), None) => match FileKind::of(name.as_ref()) {
                FileKind::Media(digest) => Kind::Media(digest),
                FileKind::Sidecar(digest) => Kind::Sidecar(digest),
                _ => Kind::Other,
            },
            _ => Kind::Other,
        }
    }

    fn own(&self, name: &str) -> Path {
        self.prefix.clone().join(OWN_DIRECTORY).join(name)
    }
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
            for other in [names.lease(digest), names.usage("node", 7), names.clock(), Path::from("c/d")] {
                assert_eq!(names.kind(&other), Kind::Other, "{other}");
            }
        }
        let below = Names::new(Path::from("a"));
        assert_eq!(below.kind(&Path::from(format!("a/b/{}", digest.media_file()))), Kind::Other);
        assert_eq!(below.media(digest).to_string(), format!("a/{digest}.dat"));
    }
}
