//! The interface `failures`: it has only types, which are converted to those of the host and back.

use media_cache_interfaces as interfaces;
use media_cache_interfaces::for_each_failure;

use crate::bindings::cache::media_cache::cache::failures::{FailureKind, FetchError, Host};
use crate::host_state::HostState;

impl Host for HostState {}

/// Converts failures and their kinds. Both sides have the same variants. Payloads are the same, or are converted.
macro_rules! convert {
    ($(
        $(#[$attribute:meta])*
        $kind:ident $(($(#[$role:meta])? $field:ident: $type:ty))? => $name:literal, $status:literal;
    )+) => {
        #[allow(clippy::useless_conversion, reason = "most payloads have the same type")]
        impl From<interfaces::FetchError> for FetchError {
            fn from(error: interfaces::FetchError) -> Self {
                match error {
                    $(interfaces::FetchError::$kind $(($field))? => Self::$kind $(($field.into()))?,)+
                }
            }
        }

        #[allow(clippy::useless_conversion, reason = "most payloads have the same type")]
        impl From<FetchError> for interfaces::FetchError {
            fn from(error: FetchError) -> Self {
                match error {
                    $(FetchError::$kind $(($field))? => Self::$kind $(($field.into()))?,)+
                }
            }
        }

        impl From<interfaces::FailureKind> for FailureKind {
            fn from(kind: interfaces::FailureKind) -> Self {
                match kind {
                    $(interfaces::FailureKind::$kind => Self::$kind,)+
                }
            }
        }
    };
}

for_each_failure!(convert);
