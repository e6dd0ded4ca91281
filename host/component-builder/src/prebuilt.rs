//! How to point a build at prebuilt components.

/// The variable that names a directory of prebuilt components.
///
/// The name does not start with `MEDIA_CACHE_`. Such variables configure the service, which rejects unknown ones, and `cargo run`
/// passes its environment on to the service.
pub const PREBUILT_VARIABLE: &str = "PREBUILT_COMPONENTS_DIR";
