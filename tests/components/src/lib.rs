//! Components for the tests: hostile policies, which are built from `hostile/` together with this crate; a policy in C, which is checked in
//! (see `c/build.sh`); and the cache component with known faults.

macro_rules! hostile {
    ($name:literal) => {
        include_bytes!(concat!(env!("HOSTILE_POLICIES"), "/", $name, ".wasm"))
    };
}

/// Traps when victims are requested.
pub static TRAPS: &[u8] = hostile!("traps");
/// Panics like a policy in Rust that has a bug: prints a message and then traps.
pub static PANICS: &[u8] = hostile!("panics");
/// Never returns from a decision.
pub static LOOPS: &[u8] = hostile!("loops");
/// Recurses until the stack overflows.
pub static RECURSES: &[u8] = hostile!("recurses");
/// Allocates memory endlessly.
pub static ALLOCATES: &[u8] = hostile!("allocates");
/// Exits the process.
pub static EXITS: &[u8] = hostile!("exits");
/// Sleeps.
pub static WAITS: &[u8] = hostile!("waits");
/// Acquires handles to standard output and never drops them.
pub static HOARDS_HANDLES: &[u8] = hostile!("hoards_handles");
/// Returns a result, and then never finishes freeing it.
pub static LOOPS_IN_FREE: &[u8] = hostile!("loops_in_free");
/// Names only entries that are not tracked.
pub static NAMES_STRANGERS: &[u8] = hostile!("names_strangers");
/// Names the correct victims, each of them twice.
pub static NAMES_TWICE: &[u8] = hostile!("names_twice");
/// Names no victims, no matter how much space is needed.
pub static NAMES_TOO_FEW: &[u8] = hostile!("names_too_few");
/// Names every tracked entry as a victim, no matter how little space is needed.
pub static NAMES_EVERYTHING: &[u8] = hostile!("names_everything");
/// Names two million victims.
pub static NAMES_MILLIONS: &[u8] = hostile!("names_millions");
/// Admits every candidate, and names it as its own victim.
pub static NAMES_THE_CANDIDATE: &[u8] = hostile!("names_the_candidate");
/// Refuses every candidate.
pub static REFUSES: &[u8] = hostile!("refuses");
/// Tries to use standard streams, files, environment variables and the clock. Traps if any of them gives it access to the system.
pub static PRINTS_AND_READS: &[u8] = hostile!("prints_and_reads");
/// Traps when a hit is reported.
pub static TRAPS_ON_A_HIT: &[u8] = hostile!("traps_on_a_hit");
/// Traps when entries are restored, except in a trial.
pub static TRAPS_WHEN_SEEDED: &[u8] = hostile!("traps_when_seeded");
/// Never returns from `restore`, except in a trial.
pub static LOOPS_WHEN_SEEDED: &[u8] = hostile!("loops_when_seeded");
/// Takes a few milliseconds for every restored entry, but does nothing wrong.
pub static SLOW_WHEN_SEEDED: &[u8] = hostile!("slow_when_seeded");
/// Never finishes dropping a policy.
pub static LOOPS_WHEN_DROPPED: &[u8] = hostile!("loops_when_dropped");
/// Never finishes its initialisation.
pub static LOOPS_AT_THE_START: &[u8] = hostile!("loops_at_the_start");
/// Traps in `describe`.
pub static TRAPS_IN_DESCRIBE: &[u8] = hostile!("traps_in_describe");
/// Describes a thousand options, each with megabytes of text.
pub static DESCRIBES_ENDLESSLY: &[u8] = hostile!("describes_endlessly");
/// Has a name of more than a megabyte, with control characters.
pub static HAS_A_LONG_NAME: &[u8] = hostile!("has_a_long_name");
/// Never returns from `create`.
pub static LOOPS_IN_CREATE: &[u8] = hostile!("loops_in_create");
/// Rejects all options with an error message of several megabytes.
pub static COMPLAINS_ENDLESSLY: &[u8] = hostile!("complains_endlessly");
/// Opens a network connection.
pub static REACHES_OUT: &[u8] = hostile!("reaches_out");
/// CLOCK, written in C.
pub static CLOCK: &[u8] = include_bytes!("../c/clock.wasm");

/// The cache component with faults that are all switched off. See `guest/cache/src/mutants.rs`.
static MUTANTS: &[u8] = include_bytes!(env!("MUTANTS"));

/// The text in the component that precedes the number of the active fault.
const SWITCH: &[u8] = b"media-cache mutant: ";

/// The cache component with the fault of this number switched on. With 0, all faults remain off.
///
/// # Panics
/// If the switch is not in the component exactly once, or if there is no such fault.
#[must_use]
pub fn cache_with_fault(number: u8) -> Vec<u8> {
    assert!(number < 10);
    let places: Vec<usize> =
        MUTANTS.windows(SWITCH.len()).enumerate().filter(|(_, bytes)| *bytes == SWITCH).map(|(at, _)| at).collect();
    assert_eq!(places.len(), 1, "the switch must occur exactly once, but is at {places:?}");
    let place = places[0];
    let mut component = MUTANTS.to_vec();
    component[place + SWITCH.len()] = b'0' + number;
    component
}
