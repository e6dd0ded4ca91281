//! Tests the servers over connections.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use crate::{bare::Bare, epoll, hyper, origin::Origin, rendered::Rendered};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-cache: hit\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n";
const BODY: &[u8] = b"media";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Runs a server on a free port until the test ends.
fn start(server: impl FnOnce(TcpListener) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || server(listener));
    address
}

fn start_origin() -> SocketAddr {
    start(|listener| epoll::serve(listener, Origin::new()).unwrap())
}

fn rendered() -> Rendered {
    Rendered { head: HEAD.into(), body: BODY.into() }
}

fn start_bare() -> SocketAddr {
    start(|listener| epoll::serve(listener, Bare::new(rendered())).unwrap())
}

/// Sends a request that closes the connection, and returns head and body of the response.
fn get(address: SocketAddr, target: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    let end = response.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let body = response.split_off(end);
    (String::from_utf8(response).unwrap(), body)
}

#[test]
fn origin_serves_the_same_media_of_the_requested_size_each_time() {
    let origin = start_origin();
    for size in [0, 1, 12, 10_000, 3_000_000] {
        let (head, body) = get(origin, &format!("/{size}/1.png"));
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains(&format!("\r\nContent-Length: {size}\r\n")), "{head}");
        assert_eq!(body.len(), size);
        assert_eq!(get(origin, &format!("/{size}/1.png")), (head, body));
    }
    let (first, second) = (get(origin, "/10000/1.png").1, get(origin, "/10000/2.png").1);
    assert!(first != second && first.starts_with(b"\x89PNG"));
}

#[test]
fn origin_counts_every_request_except_those_for_the_count() {
    let origin = start_origin();
    assert_eq!(get(origin, "/count").1, b"0");
    get(origin, "/10/1.png");
    assert!(get(origin, "/other").0.starts_with("HTTP/1.1 404 "));
    assert!(get(origin, "/99999999999/1.png").0.starts_with("HTTP/1.1 404 "));
    assert_eq!(get(origin, "/count").1, b"3");
}

#[test]
fn bare_responder_answers_split_and_pipelined_requests() {
    let mut stream = TcpStream::connect(start_bare()).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut response = vec![0; HEAD.len() + BODY.len()];
    for byte in REQUEST {
        stream.write_all(&[*byte]).unwrap();
    }
    stream.read_exact(&mut response).unwrap();
    assert_eq!(response, [HEAD, BODY].concat());

    stream.write_all(&REQUEST.repeat(1000)).unwrap();
    let mut responses = vec![0; response.len() * 1000];
    stream.read_exact(&mut responses).unwrap();
    assert_eq!(responses, response.repeat(1000));
}

#[test]
fn bare_responder_completes_a_response_that_the_client_reads_late() {
    let body = vec![7; 20_000_000];
    let rendered = Rendered { head: HEAD.into(), body: body.clone().into() };
    let mut stream = TcpStream::connect(start(|listener| epoll::serve(listener, Bare::new(rendered)).unwrap())).unwrap();
    stream.write_all(REQUEST).unwrap();
    stream.write_all(REQUEST).unwrap();
    let mut responses = vec![0; (HEAD.len() + body.len()) * 2];
    stream.read_exact(&mut responses).unwrap();
    assert!(responses.ends_with(&body));
}

#[test]
fn hyper_responder_sends_the_given_headers_and_body() {
    let (head, body) = get(start(|listener| hyper::serve(listener, &rendered()).unwrap()), "/");
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n")
            && head.contains("\r\nx-cache: hit\r\n")
            && head.contains("\r\ncontent-length: 5\r\n"),
        "{head}"
    );
    assert!(head.contains("\r\ndate: ") && !head.contains("2026 00:00:00"), "{head}");
    assert_eq!(body, BODY);
}
