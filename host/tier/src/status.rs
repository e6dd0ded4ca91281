//! What a tier reports about itself.

use std::time::SystemTime;

use media_cache::HistogramSnapshot;

/// The state of a tier, and what it has done since the start of the process.
#[derive(Clone, Debug)]
pub struct TierStatus {
    /// Where the tier is.
    pub location: String,
    /// Whether media can be looked up.
    pub reads: Direction,
    /// Whether media can be uploaded. Credentials may allow only reading.
    pub writes: Direction,
    /// The number of lookups, by outcome.
    pub lookups: Vec<(LookupOutcome, u64)>,
    /// How long lookups took, except those during a pause.
    pub lookup_seconds: HistogramSnapshot,
    /// The bytes of media that were received.
    pub received_bytes: u64,
    /// The number of uploads, by outcome.
    pub uploads: Vec<(UploadOutcome, u64)>,
    /// The bytes of media that were sent.
    pub sent_bytes: u64,
    /// The number of entries that wait to be uploaded or are being uploaded.
    pub queued: u64,
    /// The number of leases that were requested, by outcome.
    pub leases: Vec<(LeaseOutcome, u64)>,
}

/// Whether a store can be used for reading, or for writing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Direction {
    /// Why not, if it cannot be used at present.
    pub outage: Option<Outage>,
}

/// Why a store cannot be used at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The last failure.
    pub reason: String,
    /// When the outage was noticed.
    pub since: SystemTime,
}

/// Declares the outcomes of an operation, with their names in metrics.
macro_rules! outcomes {
    ($(#[$attribute:meta])* $outcome:ident { $($(#[$doc:meta])* $variant:ident => $name:literal,)+ }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $outcome {
            $($(#[$doc])* $variant,)+
        }

        impl $outcome {
            /// Every outcome.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name in metrics and documents.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

outcomes! {
    /// The outcome of a lookup.
    LookupOutcome {
        /// The media was found.
        Hit => "hit",
        /// It is not there.
        Miss => "miss",
        /// The objects are incomplete, or have wrong bytes.
        Damaged => "damaged",
        /// This node does not accept such media, or must not share it.
        Refused => "refused",
        /// The store failed or was too slow.
        Failed => "failed",
        /// The store was not asked, because earlier requests failed, or the service is stopping.
        Paused => "paused",
        /// The store was not asked, because too many lookups were in progress.
        Busy => "busy",
    }
}

outcomes! {
    /// The outcome of an upload.
    UploadOutcome {
        /// The entry is in the store.
        Stored => "stored",
        /// This node did not store the media, has evicted it, or must not share it.
        Skipped => "skipped",
        /// The store kept failing.
        Failed => "failed",
        /// Too many entries were waiting.
        Dropped => "dropped",
    }
}

outcomes! {
    /// The outcome of a request for a lease.
    LeaseOutcome {
        /// This node fetches the media.
        Granted => "granted",
        /// Another node had the lease, and this node waited for its media.
        Waited => "waited",
        /// Another node had the lease, but has given it up, or its media did not arrive in time.
        Expired => "expired",
        /// The store failed, or does not support leases.
        Failed => "failed",
    }
}
