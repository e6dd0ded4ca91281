//! What to do about failures whose messages do not say so.

const NO_CREDENTIALS: &str = "there are no credentials in the environment, and this machine provides none: set AWS_ACCESS_KEY_ID and \
                              AWS_SECRET_ACCESS_KEY, or the variables of the other providers";
/// The advice if a store does not answer, which may be because nothing answers to a request for credentials.
pub(crate) const MAYBE_NO_CREDENTIALS: &str =
    "unless this machine is provided with credentials, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
const ACCESS_KEY: &str = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
const ACCOUNT_KEY: &str = "check AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY";
const REGION: &str = "the bucket is in another region: set AWS_REGION, and AWS_ENDPOINT if it names a region";
const PERMISSIONS: &str = "the credentials need permission to read, write, delete and list objects";
const EXPIRED: &str = "the credentials have expired; renew them";
const CLOCK: &str = "set the clock of this machine";
const ENDPOINT: &str = "check the endpoint, such as AWS_ENDPOINT, and the network";
const ALLOW_HTTP: &str = "for an endpoint without TLS, set AWS_ALLOW_HTTP=true (or AZURE_ALLOW_HTTP, GOOGLE_ALLOW_HTTP)";

/// Parts of messages, with the advice for each. The first one that matches applies.
const BY_TEXT: [(&str, &str); 7] = [
    // The addresses from which a machine in a cloud gets its credentials.
    ("http://169.254.169.254/", NO_CREDENTIALS),
    ("http://metadata.google.internal/", NO_CREDENTIALS),
    ("http://169.254.170.2/", NO_CREDENTIALS),
    ("URL scheme is not allowed", ALLOW_HTTP),
    ("redirect without LOCATION", REGION),
    ("dns error", ENDPOINT),
    ("tcp connect error", ENDPOINT),
];

/// The codes in answers of stores, with the advice for each.
const BY_CODE: [(&str, &str); 13] = [
    ("AccessDenied", PERMISSIONS),
    ("AuthenticationFailed", ACCOUNT_KEY),
    ("AuthorizationHeaderMalformed", REGION),
    ("AuthorizationPermissionMismatch", PERMISSIONS),
    ("ExpiredToken", EXPIRED),
    ("IllegalLocationConstraintException", REGION),
    ("InvalidAccessKeyId", ACCESS_KEY),
    ("InvalidToken", EXPIRED),
    ("PermanentRedirect", REGION),
    ("RequestExpired", CLOCK),
    ("RequestTimeTooSkewed", CLOCK),
    ("SignatureDoesNotMatch", ACCESS_KEY),
    ("TemporaryRedirect", REGION),
];

/// What to do about a failure, by its whole message and the code that the store answered.
pub(crate) fn advice(message: &str, code: Option<&str>) -> Option<&'static str> {
    let by_text = BY_TEXT.iter().find(|(text, _)| message.contains(text));
    let by_code = || BY_CODE.iter().find(|(known, _)| Some(*known) == code);
    by_text.or_else(by_code).map(|(_, advice)| *advice)
}
