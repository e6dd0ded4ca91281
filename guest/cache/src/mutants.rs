//! Faults that the crash harness has to find, or else it finds nothing, and faults from which a host has to recover. Only the feature `mutants`, which is for tests, has them.
//!
//! One build has all of them, each switched off. A test switches one on by the last byte of [`SWITCH`] in the component's file.

/// A fault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Media is acknowledged before its sidecar is written.
    AcknowledgesEarly = b'1' as isize,
    /// What the saved index says about an entry counts more than its sidecar.
    TrustsTheIndex = b'2' as isize,
    /// A file that cannot be deleted counts as deleted.
    IgnoresFailedDeletes = b'3' as isize,
    /// `activate` loads what it has to, and then traps.
    TrapsWhenActivated = b'4' as isize,
    /// The same, but it is an error.
    FailsToActivate = b'5' as isize,
    /// Loading the directory traps.
    TrapsWhenLoaded = b'6' as isize,
}

#[cfg(feature = "mutants")]
static SWITCH: [u8; 21] = *b"media-cache mutant: 0";

impl Mutant {
    /// By how much an acknowledgement is early, in nanoseconds.
    pub(crate) const DELAY: u64 = 20_000_000;

    /// Whether this fault is switched on.
    #[cfg(feature = "mutants")]
    pub(crate) fn is_on(self) -> bool {
        std::hint::black_box(&SWITCH).last().is_some_and(|switch| isize::from(i16::from(*switch)) == self as isize)
    }

    /// Whether this fault is switched on.
    #[cfg(not(feature = "mutants"))]
    pub(crate) const fn is_on(self) -> bool {
        false
    }
}
