//! Why a request to the store failed.

use std::error::Error;
use std::time::Duration;

use crate::advice::advice;

/// The maximum length of a message from a store, in bytes.
const MAX_MESSAGE: usize = 300;

/// What contains the objects of a store.
const BUCKET: &str = "bucket or container";

/// Why a request to the store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreFailure {
    /// There is no such object.
    #[error("there is no such object")]
    NotFound,
    /// The bucket, container or directory does not exist.
    #[error("the {0} does not exist; create it, or correct the location of the tier")]
    Missing(&'static str),
    /// The object exists although it must not, or differs from the one that was expected.
    #[error("another node has created or changed the object")]
    Conflict,
    /// The store does not support the operation.
    #[error("the store does not support this: {0}")]
    Unsupported(String),
    /// The store did not respond in time, or the body of its response stopped or was too slow.
    #[error("the store took longer than {} ms to {what}{}", limit.as_millis(), advice.map_or_else(String::new, |advice| format!("; {advice}")))]
    Timeout {
        /// The time limit.
        limit: Duration,
        /// What the store had to do.
        what: &'static str,
        /// What to do, if the reason may be that there are no credentials.
        advice: Option<&'static str>,
    },
    /// The object is not what was expected.
    #[error("{0}")]
    Unexpected(String),
    /// Earlier requests failed, and the pause before the next attempt is not over.
    #[error("the store is not used, because earlier requests failed")]
    Paused,
    /// Any other failure, such as a refusal.
    #[error("{0}")]
    Failed(String),
}

impl StoreFailure {
    /// Whether this means that the store cannot be used at present. Other failures are about a single object.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Timeout { .. } | Self::Failed(_))
    }
}

impl From<object_store::Error> for StoreFailure {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error as E;
        match error {
            E::NotFound { source, .. } if names_bucket(&source.to_string()) => Self::Missing(BUCKET),
            E::NotFound { .. } => Self::NotFound,
            E::AlreadyExists { .. } | E::Precondition { .. } | E::NotModified { .. } => Self::Conflict,
            E::NotImplemented { .. } | E::NotSupported { .. } => Self::Unsupported(message(&error)),
            error => Self::Failed(message(&error)),
        }
    }
}

impl StoreFailure {
    /// The failure to write an object: that something is missing can only be the bucket.
    pub(crate) fn of_write(self) -> Self {
        match self {
            Self::NotFound => Self::Missing(BUCKET),
            failure => failure,
        }
    }
}

/// Whether an answer with the status 404 is about the bucket, not about an object in it.
fn names_bucket(answer: &str) -> bool {
    element(answer, "Code").is_some_and(|code| ["NoSuchBucket", "ContainerNotFound"].contains(&code))
}

/// The message of an error, in one line: what the store answered, or why it did not, without the URL of the request, in limited length;
/// and what to do, if that is known.
fn message(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    let advice = advice(&text, element(&text, "Code"));
    // "Error performing GET https://… in 1.2s - Server returned non-2xx status code: 403 Forbidden: <?xml …>"
    let text =
        text.split_once("Error performing ").and_then(|(_, request)| request.split_once(" - ")).map_or(&*text, |(_, why)| why);
    let text = text.strip_prefix("Server returned non-2xx status code: ").map_or(text.to_owned(), |answer| {
        let status = answer.split(':').next().unwrap_or_default();
        let details = ["Code", "Message"].into_iter().filter_map(|tag| element(answer, tag));
        let details: Vec<&str> = details.collect();
        let separator = if details.is_empty() { "" } else { ": " };
        format!("the store answered {status}{separator}{}", details.join(", "))
    });
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > MAX_MESSAGE {
        line.truncate(line.floor_char_boundary(MAX_MESSAGE));
        line.push('…');
    }
    match advice {
        Some(advice) => format!("{line}; {advice}"),
        None => line,
    }
}

/// The text of an element in an XML document.
fn element<'a>(document: &'a str, tag: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&format!("<{tag}>"))?;
    rest.split_once(&format!("</{tag}>")).map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_the_answer_of_the_store_but_not_the_url() {
        let source = "Error performing GET https://key@bucket.example/a.json in 1.2s - Server returned non-2xx status code: \
                      403 Forbidden: <?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>No\nway</Message></Error>";
        let failure = StoreFailure::from(object_store::Error::Generic { store: "S3", source: source.into() });
        let expected = "the store answered 403 Forbidden: AccessDenied, No way; the credentials need permission to read, write, delete \
                        and list objects";
        assert_eq!(failure.to_string(), expected);
        let source = "Error performing GET https://key@bucket.example/a.json in 1.2s - HTTP error: connection refused";
        let failure = StoreFailure::from(object_store::Error::Generic { store: "S3", source: source.into() });
        assert_eq!(failure.to_string(), "HTTP error: connection refused");
    }

    #[test]
    fn message_says_what_to_do() {
        let answered = |status: &str, code: &str| {
            format!("GET https://x/ in 1s - Server returned non-2xx status code: {status}: <Code>{code}</Code>")
        };
        for (source, expected) in [
            (answered("403 Forbidden", "SignatureDoesNotMatch"), "check AWS_ACCESS_KEY_ID"),
            (answered("403 Forbidden", "RequestTimeTooSkewed"), "set the clock"),
            (answered("400 Bad Request", "AuthorizationHeaderMalformed"), "set AWS_REGION"),
            (answered("301 Moved Permanently", "PermanentRedirect"), "set AWS_REGION"),
            ("GET https://x/ in 1s - Received redirect without LOCATION, this normally".into(), "set AWS_REGION"),
            ("PUT http://169.254.169.254/latest/api/token in 1s - HTTP error: tcp connect error".into(), "set AWS_ACCESS_KEY_ID"),
            ("GET http://x/ in 1s - HTTP error: builder error: URL scheme is not allowed".into(), "set AWS_ALLOW_HTTP=true"),
            (answered("500 Internal Server Error", "InternalError"), ""),
        ] {
            let source = format!("Error performing {source}").into();
            let failure = StoreFailure::from(object_store::Error::Generic { store: "S3", source }).to_string();
            assert!(failure.contains(expected) && failure.contains("; ") != expected.is_empty(), "{failure}");
            assert!(!failure.contains("//"), "{failure}");
        }
    }

    #[test]
    fn missing_bucket_is_not_a_missing_object() {
        for (code, expected) in [
            ("NoSuchKey", StoreFailure::NotFound),
            ("BlobNotFound", StoreFailure::NotFound),
            ("NoSuchBucket", StoreFailure::Missing(BUCKET)),
            ("ContainerNotFound", StoreFailure::Missing(BUCKET)),
        ] {
            let source = format!("Server returned non-2xx status code: 404 Not Found: <Error><Code>{code}</Code></Error>").into();
            let failure = StoreFailure::from(object_store::Error::NotFound { path: "a.json".into(), source });
            assert_eq!((failure.is_outage(), failure), (expected != StoreFailure::NotFound, expected), "{code}");
        }
    }

    #[test]
    fn message_has_one_line_of_limited_length_with_the_causes() {
        let source = format!("cause\n{}", "é".repeat(400)).into();
        let failure = StoreFailure::from(object_store::Error::Generic { store: "S3", source });
        let StoreFailure::Failed(text) = failure else { panic!("{failure}") };
        assert!(text.starts_with("Generic S3 error: cause é") && text.ends_with("é…") && text.len() <= MAX_MESSAGE + 3, "{text}");
    }
}
