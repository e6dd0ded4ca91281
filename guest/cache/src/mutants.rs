//! Deliberate faults for tests. The crash test must detect some of them, which proves that it can detect faults. A host must recover from
//! the others. All exist only with the feature `mutants`.
//!
//! One build contains all of them, switched off. A test switches one on by changing the last byte of [`SWITCH`] in the component's file.

/// A fault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Media is acknowledged before its sidecar is written.
    AcknowledgesEarly = b'1' as isize,
    /// The saved index takes precedence over the sidecar of an entry.
    TrustsTheIndex = b'2' as isize,
    /// A file that cannot be deleted counts as deleted.
    IgnoresFailedDeletes = b'3' as isize,
    /// `activate` loads what it needs, and then traps.
    TrapsWhenActivated = b'4' as isize,
    /// `activate` loads what it needs, and then returns an error.
    FailsToActivate = b'5' as isize,
    /// Loading the directory traps.
    TrapsWhenLoaded = b'6' as isize,
}

#[cfg(feature = "mutants")]
static SWITCH: [u8; 21] = *b"media-cache mutant: 0";

impl Mutant {
    /// The delay between an early acknowledgement and the write of the sidecar, in nanoseconds.
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
