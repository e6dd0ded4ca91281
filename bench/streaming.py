#!/usr/bin/env python3
"""Measures how soon the response to a miss begins when its origin is slow.

    cargo build --release
    python3 bench/streaming.py [--binary PATH]... [--requests N]

The origin sends the head of a response and 8 KiB of the body, which decide the media type, pauses for 50 ms, and sends the rest. Measured is
the time from the moment before the origin sends the 8 KiB to the first byte of the response at the client, for one request at a time.
Binaries take turns, and medians are printed (with the 99th percentile and the maximum). Needs Python 3.9 or newer.
"""

import argparse
import contextlib
import pathlib
import socket
import statistics
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "compare"))

from processes import Failure, Process  # noqa: E402

DECISIVE_BYTES, BODY_BYTES, PAUSE = 8 << 10, 16 << 10, 0.05
BODY = b"\x89PNG\r\n\x1a\n".ljust(BODY_BYTES, b"x")


class SlowOrigin(threading.Thread):
    """Serves every request slowly, on a connection of its own. `sent` is when it sent the bytes that decide the type of the last one."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.recv(1 << 16)
                head = f"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {BODY_BYTES}\r\nConnection: close\r\n\r\n"
                connection.sendall(head.encode())
                time.sleep(PAUSE)
                self.sent = time.monotonic()
                connection.sendall(BODY[:DECISIVE_BYTES])
                time.sleep(PAUSE)
                connection.sendall(BODY[DECISIVE_BYTES:])


def first_byte(address, origin, number):
    """Requests new media. Returns when its response begins, in milliseconds after the type could be decided."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as client:
        target = f"/media?url=http%3A%2F%2F127.0.0.1%3A{origin.port}%2F{number}.png"
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        received = client.recv(1 << 16)
        began = time.monotonic()
        while chunk := client.recv(1 << 16):
            received += chunk
    if not received.startswith(b"HTTP/1.1 200 ") or not received.endswith(BODY):
        raise Failure(f"the response to {target} is {received[:200]!r}")
    return (began - origin.sent) * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", action="append", type=pathlib.Path, help="target/release/media-cache by default")
    parser.add_argument("--requests", type=int, default=100, metavar="N", help="requests to each binary")
    options = parser.parse_args()
    if options.requests < 1:
        parser.error("at least one request is measured")
    binaries = options.binary or [pathlib.Path("target/release/media-cache")]
    origin = SlowOrigin()
    origin.start()
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as started:
        services = []
        for number, binary in enumerate(binaries):
            command = [binary, "serve", "--listen", "127.0.0.1:0", "--dir", pathlib.Path(work) / str(number),
                       "--allow-address", "127.0.0.0/8", "--log-requests", "none"]
            services.append(Process(f"{binary.name}-{number}", command, work, reports_address=True))
            started.callback(services[-1].stop)
            # The first request waits for the components.
            first_byte(services[-1].address, origin, "first")
        times = [[] for _ in binaries]
        for number in range(options.requests):
            for service, measured in zip(services, times):
                measured.append(first_byte(service.address, origin, number))
    for binary, measured in zip(binaries, times):
        measured.sort()
        p99 = measured[min(len(measured) - 1, len(measured) * 99 // 100)]
        print(f"{binary}: the response begins after {statistics.median(measured):.2f} ms (p99 {p99:.2f}, maximum {measured[-1]:.2f})")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"streaming.py: {failure}")
