//! Tries to use standard streams, files, environment variables and the clock. Traps if any of them gives it access to the system.

use std::fs::File;
use std::io::{Read, Write};
use std::time::{Duration, Instant, SystemTime};

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "prints-and-reads";

    fn evict(lru: &mut Lru, needed: u64) -> Vec<EntryId> {
        println!("{}", "this is discarded\n".repeat(10_000));
        eprintln!("nor this");
        if !nothing_is_accessible() {
            std::process::abort();
        }
        lru.evict(needed)
    }
}

fn nothing_is_accessible() -> bool {
    let started = Instant::now();
    let mut input = [0; 16];
    let read = std::io::stdin().read(&mut input).unwrap_or(0);
    let flushed = std::io::stdout().flush();
    let files = ["/etc/passwd", ".", "/", "../secret", "/proc/self/environ"].iter().filter(|path| File::open(path).is_ok());
    let environment = std::env::vars_os().count() + std::env::args_os().count();
    let time = started.elapsed() + SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    read == 0
        && flushed.is_ok()
        && files.count() == 0
        && File::create("leftover").is_err()
        && std::fs::read_dir(".").is_err()
        && std::env::current_dir().map_or(true, |directory| directory.read_dir().is_err())
        && environment == 0
        && time == Duration::ZERO
}

hostile!(Policy);
