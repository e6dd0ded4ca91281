//! Where a tier is: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `file:///directory`.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};
use url::Url;

use crate::advice::MAYBE_NO_CREDENTIALS;
use crate::failure::StoreFailure;

/// The library's own limit for a whole request, which does not apply.
const NO_TIMEOUT: &str = "365days";

/// Where a tier is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    url: Url,
    scheme: Scheme,
    prefix: Path,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scheme {
    S3,
    Google,
    Azure,
    Directory(PathBuf),
}

/// Why text is not the location of a tier, or the store there cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    /// The text is not such a URL.
    #[error(
        "{0:?} is not the location of a tier: write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///DIRECTORY"
    )]
    Invalid(String),
    /// The URL has a part that is not used, such as a password.
    #[error("the location of a tier has no {0}; credentials and options come from the environment, such as AWS_ACCESS_KEY_ID")]
    Superfluous(&'static str),
    /// The directory does not exist, or the options for the store from the environment are incomplete or invalid.
    #[error("cannot use {location} as a tier: {reason}")]
    Unusable {
        /// The location.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let invalid = || LocationError::Invalid(text.into());
        let url = Url::parse(text).map_err(|_| invalid())?;
        let unused = [
            ("user name or password", !url.username().is_empty() || url.password().is_some()),
            ("port", url.port().is_some()),
            ("query", url.query().is_some()),
            ("fragment", url.fragment().is_some()),
        ];
        if let Some((part, _)) = unused.into_iter().find(|(_, is_present)| *is_present) {
            return Err(LocationError::Superfluous(part));
        }
        let has_bucket = url.host_str().is_some_and(|bucket| !bucket.is_empty());
        let scheme = match url.scheme() {
            "s3" if has_bucket => Scheme::S3,
            "gs" if has_bucket => Scheme::Google,
            "az" if has_bucket => Scheme::Azure,
            "file" => Scheme::Directory(url.to_file_path().map_err(|()| invalid())?),
            _ => return Err(invalid()),
        };
        let prefix = match &scheme {
            Scheme::Directory(_) => Path::default(),
            Scheme::S3 | Scheme::Google | Scheme::Azure => Path::from_url_path(url.path()).map_err(|_| invalid())?,
        };
        Ok(Self { url, scheme, prefix })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

impl Location {
    /// The prefix of all objects.
    pub(crate) fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// The directory, if the store is one.
    pub(crate) fn directory(&self) -> Option<&FilePath> {
        match &self.scheme {
            Scheme::Directory(directory) => Some(directory),
            Scheme::S3 | Scheme::Google | Scheme::Azure => None,
        }
    }

    /// The endpoint to which requests for a bucket or container are sent, according to the environment, without credentials. `None` if the
    /// store is a directory, or the endpoint is unknown.
    #[must_use]
    pub fn endpoint(&self) -> Option<String> {
        let usual = match &self.scheme {
            Scheme::S3 => {
                let region = AmazonS3Builder::from_env().get_config_value(&AmazonS3ConfigKey::Region);
                format!("https://s3.{}.amazonaws.com", region.as_deref().unwrap_or("us-east-1"))
            }
            Scheme::Google => "https://storage.googleapis.com".into(),
            Scheme::Azure => {
                let account = MicrosoftAzureBuilder::from_env().get_config_value(&AzureConfigKey::AccountName)?;
                format!("https://{account}.blob.core.windows.net")
            }
            Scheme::Directory(_) => return None,
        };
        let url = endpoint_url(&self.configured_endpoint().unwrap_or(usual))?;
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        Some(format!("{}://{}{port}{}", url.scheme(), url.host_str()?, url.path().trim_end_matches('/')))
    }

    /// The endpoint that the environment names.
    fn configured_endpoint(&self) -> Option<String> {
        match &self.scheme {
            Scheme::S3 => AmazonS3Builder::from_env().get_config_value(&AmazonS3ConfigKey::Endpoint),
            Scheme::Google => GoogleCloudStorageBuilder::from_env().get_config_value(&GoogleConfigKey::BaseUrl),
            Scheme::Azure => MicrosoftAzureBuilder::from_env().get_config_value(&AzureConfigKey::Endpoint),
            Scheme::Directory(_) => None,
        }
    }

    /// The advice if the store does not answer.
    pub(crate) fn timeout_advice(&self) -> Option<&'static str> {
        use AmazonS3ConfigKey as Key;
        let builder = AmazonS3Builder::from_env();
        let keys =
            [Key::AccessKeyId, Key::WebIdentityTokenFile, Key::ContainerCredentialsRelativeUri, Key::ContainerCredentialsFullUri];
        let is_set = || keys.iter().any(|key| builder.get_config_value(key).is_some());
        (self.scheme == Scheme::S3 && !is_set()).then_some(MAYBE_NO_CREDENTIALS)
    }

    /// The store. Credentials and further options come from the environment. Nothing is requested from the store yet. `timeout` limits
    /// each connection attempt, and `retries` is how often the library tries again itself.
    pub(crate) fn store(&self, timeout: Duration, retries: usize) -> Result<Arc<dyn ObjectStore>, LocationError> {
        // The library has no provider of its own. A second installation fails, and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let retry = RetryConfig { max_retries: retries, ..RetryConfig::default() };
        let connect_timeout = format!("{}ms", timeout.as_millis());
        let url = self.url.as_str();
        // The three builders have the same methods, but no trait in common.
        macro_rules! build {
            ($builder:expr, $key:ty) => {
                $builder
                    .with_url(url)
                    .with_retry(retry)
                    .with_config(<$key>::Client(ClientConfigKey::ConnectTimeout), connect_timeout)
                    .with_config(<$key>::Client(ClientConfigKey::Timeout), NO_TIMEOUT)
                    .build()
                    .map(|store| Arc::new(store) as _)
            };
        }
        let unusable = |reason| LocationError::Unusable { location: self.to_string(), reason };
        // The library would panic. The text may contain credentials.
        if self.configured_endpoint().is_some_and(|endpoint| endpoint_url(&endpoint).is_none()) {
            return Err(unusable("the endpoint in the environment is not a URL such as https://s3.example.org".into()));
        }
        let store = match &self.scheme {
            Scheme::Directory(directory) if !directory.is_dir() => return Err(unusable("there is no such directory".into())),
            Scheme::S3 => {
                // Not all stores with this protocol can delete several objects with one request.
                let builder = AmazonS3Builder::from_env().with_config(AmazonS3ConfigKey::DisableBulkDelete, "true");
                build!(builder, AmazonS3ConfigKey)
            }
            Scheme::Google => build!(GoogleCloudStorageBuilder::from_env(), GoogleConfigKey),
            Scheme::Azure => build!(MicrosoftAzureBuilder::from_env(), AzureConfigKey),
            Scheme::Directory(directory) => LocalFileSystem::new_with_prefix(directory).map(|store| Arc::new(store) as _),
        };
        store.map_err(|error| unusable(StoreFailure::from(error).to_string()))
    }
}

/// The URL of an endpoint, if it is one.
fn endpoint_url(endpoint: &str) -> Option<Url> {
    Url::parse(endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_is_a_bucket_with_a_prefix_or_a_directory() {
        for (text, prefix, shown) in [
            ("s3://bucket/a/b/", "a/b", "s3://bucket/a/b"),
            ("s3://bucket", "", "s3://bucket"),
            ("gs://bucket/a", "a", "gs://bucket/a"),
            ("az://container/a", "a", "az://container/a"),
            ("file:///mnt/media", "", "file:///mnt/media"),
        ] {
            let location: Location = text.parse().unwrap();
            assert_eq!((location.prefix().as_ref(), location.to_string().as_str()), (prefix, shown), "{text}");
        }
    }

    #[test]
    fn other_text_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "is not the location"),
            ("/mnt/media", "is not the location"),
            ("https://example.org/bucket", "is not the location"),
            ("s3:///prefix", "is not the location"),
            ("s3://key:secret@bucket", "no user name or password"),
            ("s3://bucket:9000/", "no port"),
            ("s3://bucket/a?endpoint=b", "no query"),
            ("file://host/directory", "is not the location"),
        ] {
            let error = text.parse::<Location>().unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn directory_must_exist() {
        let location: Location = "file:///nonexistent/directory".parse().unwrap();
        let error = location.store(Duration::from_secs(1), 0).unwrap_err().to_string();
        assert_eq!(error, "cannot use file:///nonexistent/directory as a tier: there is no such directory");
    }
}
