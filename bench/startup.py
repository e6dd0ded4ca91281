#!/usr/bin/env python3
"""Measures the time from a start to the first response, with an empty directory.

    cargo build --release
    python3 bench/startup.py [--binary PATH]... [--starts N] [--first-starts N]

A first start compiles the components; later ones load the compiled code, which is kept below $XDG_CACHE_HOME (here a temporary directory).
Each start has a new, empty cache directory. Times count from before the process exists:

    listening   the service has printed its address
    response    the first response of the cache component has arrived: 504, since nothing is stored and `only-if-cached` forbids a download
    cpu         processor time of all threads until then, which depends less on other programs on the machine

Binaries take turns, and medians are printed (with minimum and maximum). Needs Python 3.9 or newer and Linux.
"""

import argparse
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

REQUEST = b"GET /media?url=http://192.0.2.1/ HTTP/1.1\r\nHost: localhost\r\nCache-Control: only-if-cached\r\nConnection: close\r\n\r\n"
FIGURES = ("listening", "response", "cpu")


def cpu_ms(pid):
    """Processor time of all threads of a process."""
    threads = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e6


def start(binary, compiled, work):
    """Starts and stops the service. Returns the figures of FIGURES in milliseconds."""
    directory = tempfile.mkdtemp(dir=work)
    log = work / "log"
    with log.open("w") as stderr:
        begin = time.monotonic()
        process = subprocess.Popen([binary, "serve", "--listen", "127.0.0.1:0", "--dir", directory], stdout=subprocess.PIPE,
                                   stderr=stderr, env={**os.environ, "XDG_CACHE_HOME": str(compiled)})
    try:
        line = process.stdout.readline().decode().strip()
        listening = time.monotonic()
        if not line.startswith("listening on http://"):
            sys.exit(f"startup.py: cannot start {binary}: {log.read_text()}")
        host, port = line.removeprefix("listening on http://").rsplit(":", 1)
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(REQUEST)
            response = connection.recv(4096)
        responded = time.monotonic()
        cpu = cpu_ms(process.pid)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(directory)
    if not response.startswith(b"HTTP/1.1 504 "):
        sys.exit(f"startup.py: the first response is {response[:100]!r}")
    return (listening - begin) * 1e3, (responded - begin) * 1e3, cpu


def report(title, starts):
    columns = zip(FIGURES, zip(*starts))
    texts = (f"{name} {statistics.median(values):.1f} ms ({min(values):.1f} to {max(values):.1f})" for name, values in columns)
    print(f"{title}, {len(starts)} starts: {', '.join(texts)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", action="append", type=pathlib.Path, help="target/release/media-cache by default")
    parser.add_argument("--starts", type=int, default=21, metavar="N", help="later starts of each binary")
    parser.add_argument("--first-starts", type=int, default=3, metavar="N", help="first starts of each binary")
    options = parser.parse_args()
    if min(options.starts, options.first_starts) < 1:
        parser.error("at least one start of each kind is measured")
    binaries = options.binary or [pathlib.Path("target/release/media-cache")]
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        first, later = ({binary: [] for binary in binaries} for _ in range(2))
        for _ in range(options.first_starts):
            for number, binary in enumerate(binaries):
                compiled = work / f"compiled-{number}"
                shutil.rmtree(compiled, ignore_errors=True)
                first[binary].append(start(binary, compiled, work))
        for _ in range(options.starts):
            for number, binary in enumerate(binaries):
                later[binary].append(start(binary, work / f"compiled-{number}", work))
        for binary in binaries:
            print(binary)
            report("  first start", first[binary])
            report("  later start", later[binary])


if __name__ == "__main__":
    main()
