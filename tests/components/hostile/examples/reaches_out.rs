//! Opens a network connection.

use std::io::Write;
use std::net::TcpStream;

use media_cache_hostile_policies::sdk::EntryId;
use media_cache_hostile_policies::{Hostile, Lru, hostile};

struct Policy;

impl Hostile for Policy {
    const NAME: &'static str = "reaches-out";

    fn evict(lru: &mut Lru, needed: u64) -> Vec<EntryId> {
        if let Ok(mut stream) = TcpStream::connect("127.0.0.1:80") {
            let _ = write!(stream, "{needed} bytes are needed");
        }
        lru.evict(needed)
    }
}

hostile!(Policy);
