//! Policies for the tests: hostile ones, built from `hostile/` when this is, and one in C, built beforehand (see `c/build.sh`).

macro_rules! hostile {
    ($name:literal) => {
        include_bytes!(concat!(env!("HOSTILE_POLICIES"), "/", $name, ".wasm"))
    };
}

/// Breaks off when it is asked for victims.
pub static TRAPS: &[u8] = hostile!("traps");
/// Panics, as a policy in Rust that has a bug: it complains before it breaks off.
pub static PANICS: &[u8] = hostile!("panics");
/// Comes back from no decision.
pub static LOOPS: &[u8] = hostile!("loops");
/// Goes down until the stack ends.
pub static RECURSES: &[u8] = hostile!("recurses");
/// Takes memory without end.
pub static ALLOCATES: &[u8] = hostile!("allocates");
/// Ends the process that it takes itself for.
pub static EXITS: &[u8] = hostile!("exits");
/// Wants to sleep.
pub static WAITS: &[u8] = hostile!("waits");
/// Takes handles to the standard output and never gives one back.
pub static HOARDS_HANDLES: &[u8] = hostile!("hoards_handles");
/// Answers, and then takes for ever to clear away its answer.
pub static LOOPS_IN_FREE: &[u8] = hostile!("loops_in_free");
/// Names entries that do not reside, and nothing else.
pub static NAMES_STRANGERS: &[u8] = hostile!("names_strangers");
/// Names the right victims, and each of them twice.
pub static NAMES_TWICE: &[u8] = hostile!("names_twice");
/// Names no victim, whatever is needed.
pub static NAMES_TOO_FEW: &[u8] = hostile!("names_too_few");
/// Names everything that resides as a victim, however little is needed.
pub static NAMES_EVERYTHING: &[u8] = hostile!("names_everything");
/// Names two million victims.
pub static NAMES_MILLIONS: &[u8] = hostile!("names_millions");
/// Admits every candidate, and names it as its own victim.
pub static NAMES_THE_CANDIDATE: &[u8] = hostile!("names_the_candidate");
/// Refuses everything.
pub static REFUSES: &[u8] = hostile!("refuses");
/// Writes and reads whatever it can get hold of. Should anything of the system be there, it breaks off.
pub static PRINTS_AND_READS: &[u8] = hostile!("prints_and_reads");
/// Breaks off when it is told that an entry was asked for.
pub static TRAPS_ON_A_HIT: &[u8] = hostile!("traps_on_a_hit");
/// Breaks off when it is told what resides, though not in a trial.
pub static TRAPS_WHEN_SEEDED: &[u8] = hostile!("traps_when_seeded");
/// Comes back from no account of what resides, though it does in a trial.
pub static LOOPS_WHEN_SEEDED: &[u8] = hostile!("loops_when_seeded");
/// Takes a while for every entry that it is told of, but does nothing wrong.
pub static SLOW_WHEN_SEEDED: &[u8] = hostile!("slow_when_seeded");
/// Does not let go of a ranking.
pub static LOOPS_WHEN_DROPPED: &[u8] = hostile!("loops_when_dropped");
/// Is not done starting, ever.
pub static LOOPS_AT_THE_START: &[u8] = hostile!("loops_at_the_start");
/// Breaks off instead of saying what it is.
pub static TRAPS_IN_DESCRIBE: &[u8] = hostile!("traps_in_describe");
/// Describes a thousand options, each with the same megabytes of text.
pub static DESCRIBES_ENDLESSLY: &[u8] = hostile!("describes_endlessly");
/// Has a name as long as a book, which would do something to a terminal.
pub static HAS_A_LONG_NAME: &[u8] = hostile!("has_a_long_name");
/// Makes no ranking, and takes for ever to.
pub static LOOPS_IN_CREATE: &[u8] = hostile!("loops_in_create");
/// Likes no options, and says so at length.
pub static COMPLAINS_ENDLESSLY: &[u8] = hostile!("complains_endlessly");
/// Calls somebody up.
pub static REACHES_OUT: &[u8] = hostile!("reaches_out");
/// CLOCK, written in C.
pub static CLOCK: &[u8] = include_bytes!("../c/clock.wasm");
