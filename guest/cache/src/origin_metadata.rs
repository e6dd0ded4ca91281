//! Metadata in the form that downloaders and callers use. Only this module converts between the WIT and the format of sidecars.

use media_cache_entry_files::{Cacheability, Metadata, is_validator};

use crate::bindings::media_cache::cache::downloader::{self, CacheControl, Validators};

/// Converts what an origin says about media to and from [`Metadata`].
pub trait OriginMetadata {
    /// Adds what the origin said. Invalid validators are dropped.
    #[must_use]
    fn with_origin(self, cache_control: CacheControl, validators: Validators) -> Self;

    /// What the origin said about storing the media.
    #[must_use]
    fn cache_control(&self) -> CacheControl;

    /// The validators with which the origin identifies this version of the media.
    #[must_use]
    fn validators(&self) -> Validators;
}

impl OriginMetadata for Metadata {
    fn with_origin(self, cache_control: CacheControl, validators: Validators) -> Self {
        Self {
            cacheability: cache_control.cacheability.into(),
            max_age: cache_control.max_age,
            age: cache_control.age,
            etag: validators.etag.filter(|text| is_validator(text)),
            last_modified: validators.last_modified.filter(|text| is_validator(text)),
            ..self
        }
    }

    fn cache_control(&self) -> CacheControl {
        CacheControl { cacheability: self.cacheability.into(), max_age: self.max_age, age: self.age }
    }

    fn validators(&self) -> Validators {
        Validators { etag: self.etag.clone(), last_modified: self.last_modified.clone() }
    }
}

impl From<downloader::Cacheability> for Cacheability {
    fn from(cacheability: downloader::Cacheability) -> Self {
        match cacheability {
            downloader::Cacheability::Public => Self::Public,
            downloader::Cacheability::Private => Self::Private,
            downloader::Cacheability::NoStore => Self::NoStore,
        }
    }
}

impl From<Cacheability> for downloader::Cacheability {
    fn from(cacheability: Cacheability) -> Self {
        match cacheability {
            Cacheability::Public => Self::Public,
            Cacheability::Private => Self::Private,
            Cacheability::NoStore => Self::NoStore,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(validator: &str) -> Metadata {
        let validators = Validators { etag: Some(validator.into()), last_modified: Some(validator.into()) };
        let cache_control = CacheControl { cacheability: downloader::Cacheability::Private, max_age: Some(60), age: 5 };
        Metadata::new("image/png".into(), "a.png", 1).with_origin(cache_control, validators)
    }

    #[test]
    fn metadata_keeps_cache_control_and_validators_of_the_origin() {
        let metadata = with("W/\"an etag\"");
        assert_eq!((metadata.cacheability, metadata.max_age), (Cacheability::Private, Some(60)));
        assert_eq!(metadata.validators().etag.as_deref(), Some("W/\"an etag\""));
        assert_eq!(metadata.validators().last_modified.as_deref(), Some("W/\"an etag\""));
        assert_eq!(metadata.cache_control().cacheability, downloader::Cacheability::Private);
        assert_eq!((metadata.cache_control().max_age, metadata.cache_control().age), (Some(60), 5));
    }

    #[test]
    fn validators_that_are_too_long_or_not_visible_ascii_are_dropped() {
        assert!(with(&"e".repeat(1024)).etag.is_some());
        for invalid in ["", "a\nb", "a\tb", "café", "\x7f", &"e".repeat(1025)] {
            let metadata = with(invalid);
            assert_eq!((metadata.etag, metadata.last_modified), (None, None), "{invalid:?}");
        }
    }
}
