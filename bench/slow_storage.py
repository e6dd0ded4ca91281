#!/usr/bin/env python3
"""Measures whether reads from a slow disk delay hits in memory.

    cargo build --release
    sudo python3 bench/slow_storage.py [--binary PATH] [--dir PATH] [--rate MB_PER_SECOND] [--seconds N]
                                         [--rounds N]

The service's reads from the disk are limited by a control group (v2, or v1 with the controller blkio). wrk requests one resident object of
1 kB over 32 connections, in turn alone and beside 8 clients that each read media of 1 MB that is not in the page cache, one after the other.
Printed are the latencies of the hits and the rate of the other clients. Needs Python 3.9 or newer, Linux, wrk, root, and a directory on a
block device, which a temporary directory often is not.
"""

import argparse
import contextlib
import hashlib
import os
import pathlib
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent / "compare"))

from client import Client  # noqa: E402
from processes import LOAD_CORE, Failure, Process, run  # noqa: E402

TOKEN = "token-of-the-bench-with-enough-characters"
COLD_FILES, COLD_BYTES, COLD_CLIENTS = 128, 1_000_000, 8
URL = "http://192.0.2.1/{}.png"
TARGET = "/media?url=http%3A%2F%2F192.0.2.1%2F{}.png"


class ReadLimit:
    """A control group whose processes read from the device of a directory at a limited rate."""

    def __init__(self, directory, bytes_per_second):
        device = os.stat(directory).st_dev
        sysfs = pathlib.Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
        if not sysfs.exists():
            raise Failure(f"{directory} is not on a block device; choose another one with --dir")
        # Limits apply to whole disks.
        disk = sysfs.resolve().parent if (sysfs / "partition").exists() else sysfs
        number = (disk / "dev").read_text().strip()
        v1, v2 = pathlib.Path("/sys/fs/cgroup/blkio"), pathlib.Path("/sys/fs/cgroup")
        parent, file, value = (v1, "blkio.throttle.read_bps_device", f"{number} {bytes_per_second}") if v1.exists() else (
            v2, "io.max", f"{number} rbps={bytes_per_second}")
        self.group = parent / f"media-cache-bench-{os.getpid()}"
        try:
            self.group.mkdir()
            (self.group / file).write_text(value)
        except OSError as error:
            raise Failure(f"cannot limit reads with a control group, which needs root: {error}") from None

    def add(self, pid):
        (self.group / "cgroup.procs").write_text(str(pid))

    def remove(self):
        with contextlib.suppress(OSError):
            self.group.rmdir()


def put(client, name, body):
    headers = {"Content-Type": "image/png", "Authorization": f"Bearer {TOKEN}"}
    status = client.request("PUT", TARGET.format(name), headers, body).status
    if status != 201:
        raise Failure(f"PUT of {name} was answered with {status}")


class ColdLoad:
    """Clients that read media from the disk until they are stopped."""

    def __init__(self, address, directory):
        self.address, self.directory, self.bytes, self.stopped, self.failure = address, directory, 0, False, None
        self.threads = [threading.Thread(target=self.read, args=(first,)) for first in range(COLD_CLIENTS)]
        for thread in self.threads:
            thread.start()

    def read(self, first):
        try:
            with Client(self.address) as client:
                number = first
                while not self.stopped:
                    drop_from_page_cache(self.directory, number)
                    self.bytes += len(client.get(TARGET.format(number)).body)
                    number = (number + COLD_CLIENTS) % COLD_FILES
        except (Failure, OSError) as failure:
            self.failure = failure

    def stop(self):
        self.stopped = True
        for thread in self.threads:
            thread.join()
        if self.failure:
            raise Failure(f"a client that reads from the disk failed: {self.failure}")


def drop_from_page_cache(directory, number):
    file = os.open(directory / (hashlib.sha256(URL.format(number).encode()).hexdigest() + ".dat"), os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def hits(address, seconds):
    """Latencies of hits in memory, as wrk prints them."""
    command = ["taskset", "--cpu-list", LOAD_CORE, "wrk", "--threads", 1, "--connections", 32, "--duration", f"{seconds}s", "--latency",
               f"http://{address}{TARGET.format('hot')}"]
    lines = [line.split() for line in run("wrk", command).splitlines()]
    values = {line[0]: line[1] for line in lines if len(line) == 2}
    return f"p50 {values['50%']}, p99 {values['99%']}, {values['Requests/sec:']} requests per second"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=pathlib.Path, default=pathlib.Path("target/release/media-cache"))
    parser.add_argument("--dir", type=pathlib.Path, help="where the cache is kept during the run; the temporary directory by default")
    parser.add_argument("--rate", type=int, default=20, metavar="MB_PER_SECOND", help="the limit of reads from the disk")
    parser.add_argument("--seconds", type=int, default=5, metavar="N", help="how long each measurement takes")
    parser.add_argument("--rounds", type=int, default=2, metavar="N")
    options = parser.parse_args()
    if min(options.rate, options.seconds, options.rounds) < 1:
        parser.error("the rate, the seconds and the rounds are at least 1")
    with tempfile.TemporaryDirectory(dir=options.dir) as work, contextlib.ExitStack() as started:
        directory = pathlib.Path(work) / "cache"
        limit = ReadLimit(work, options.rate * 1_000_000)
        started.callback(limit.remove)
        tokens = pathlib.Path(work) / "tokens"
        tokens.touch(mode=0o600)
        tokens.write_text(TOKEN)
        command = [options.binary, "serve", "--listen", "127.0.0.1:0", "--dir", directory, "--admin-token-file", tokens]
        service = Process("media-cache", command, work, reports_address=True)
        started.callback(service.stop)
        with Client(service.address) as client:
            for number in range(COLD_FILES):
                put(client, number, b"\x89PNG\r\n\x1a\n" + os.urandom(COLD_BYTES - 8))
            put(client, "hot", b"\x89PNG\r\n\x1a\n" + os.urandom(992))
            client.get(TARGET.format("hot"))
        limit.add(service.process.pid)
        for _ in range(options.rounds):
            print(f"hits in memory alone: {hits(service.address, options.seconds)}")
            cold = ColdLoad(service.address, directory)
            print(f"hits in memory beside reads from a slow disk: {hits(service.address, options.seconds)}")
            cold.stop()
            print(f"  media read from the disk: {cold.bytes / options.seconds / 1e6:.1f} MB per second, limit {options.rate}")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"slow_storage.py: {failure}")
