//! The servers that `bench/compare` starts besides the caches: the origin of all media, and two that only send a fixed response. Each
//! listens on a free port of 127.0.0.1, prints it, and runs until it is killed.

mod bare;
mod epoll;
mod hyper;
mod origin;
mod rendered;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail};

use crate::rendered::Rendered;

const USAGE: &str = "usage: compare-servers origin, or compare-servers bare|hyper HEAD BODY, with files that contain the head and the body of \
                     all responses";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on 127.0.0.1")?;
    println!("listening on http://{}", listener.local_addr()?);
    match arguments[..] {
        ["origin"] => epoll::serve(listener, origin::Origin::new()).context("the origin failed"),
        ["bare", head, body] => {
            epoll::serve(listener, bare::Bare::new(Rendered::read(head, body)?)).context("the bare responder failed")
        }
        ["hyper", head, body] => hyper::serve(listener, &Rendered::read(head, body)?).context("hyper failed"),
        _ => bail!(USAGE),
    }
}
