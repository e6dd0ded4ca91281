"""Several processes under load on one directory, whose owner is killed again and again."""

import asyncio
import collections
import os
import pathlib
import select
import subprocess
import sys
import time

import pytest
from media_cache import MediaCache
from worker import content

WORKER = pathlib.Path(__file__).with_name("worker.py")

Record = collections.namedtuple("Record", ["name", "time", "process", "role", "url"])

#: A process, and when it was alive for the last time and dead for the first time.
Kill = collections.namedtuple("Kill", ["process", "before", "after"])


class Workers:
    """Processes that use a directory, and what they have recorded through a pipe that they share."""

    def __init__(self, directory):
        self.directory, self.running, self.killed = directory, {}, []
        self.records, self.unread = [], b""
        self.reader, self.writer = os.pipe()

    def start(self):
        """Starts a process, and waits until it uses the directory."""
        process = subprocess.Popen([sys.executable, WORKER, self.directory], stdin=subprocess.PIPE, stdout=self.writer)
        self.running[process.pid] = process
        self.wait_for(lambda record: record.name == "ready" and record.process == process.pid)

    def wait_for_owner(self):
        """Waits until the owner of the directory has acknowledged a put, and returns its process."""
        is_owner = lambda record: record.name == "put" and record.role == "owner" and record.process in self.running
        return self.running[self.wait_for(is_owner).process]

    def kill(self, process):
        """Kills a process. Its child lives on, since its standard input stays open."""
        del self.running[process.pid]
        before = time.monotonic_ns()
        process.kill()
        process.wait()
        self.killed.append(Kill(process, before, time.monotonic_ns()))

    def stop(self):
        """Lets all processes finish their calls and close the cache."""
        os.close(self.writer)
        for process in [*self.running.values(), *(kill.process for kill in self.killed)]:
            process.stdin.close()
        for _ in self.read():
            pass
        assert [process.wait(20) for process in self.running.values()] == [0] * len(self.running)

    def wait_for(self, is_wanted):
        return next(record for record in self.read() if is_wanted(record))

    def read(self):
        """The records as they arrive."""
        while True:
            while b"\n" in self.unread:
                line, _, self.unread = self.unread.partition(b"\n")
                name, at, process, role, url = line.decode().split(" ", 4)
                self.records.append(Record(name, int(at), int(process), role, url))
                yield self.records[-1]
            assert select.select([self.reader], [], [], 20)[0], "the processes make no progress"
            received = os.read(self.reader, 1 << 16)
            if not received:
                return
            self.unread += received


@pytest.fixture
def workers(tmp_path):
    workers = Workers(tmp_path / "cache")
    yield workers
    for process in workers.running.values():
        process.kill()
        process.wait()


@pytest.mark.parametrize(("count", "kills"), [(2, 5), (10, 5)])
def test_processes_lose_nothing_when_the_owner_is_killed(workers, count, kills):
    for _ in range(count):
        workers.start()
    slowest = 0
    for _ in range(kills):
        workers.kill(workers.wait_for_owner())
        workers.wait_for_owner()
        slowest = max(slowest, time.monotonic_ns() - workers.killed[-1].before)
        workers.start()
    workers.stop()
    by_name = collections.defaultdict(list)
    for record in sorted(workers.records, key=lambda record: record.time):
        by_name[record.name].append(record)
    print({name: len(records) for name, records in by_name.items()}, f"slowest takeover: {slowest / 1e6:.0f} ms")
    assert by_name["wrong"] == by_name["failed"] == []
    assert repeated_fetches(by_name, workers.killed) == []
    assert asyncio.run(missing(workers.directory, by_name["put"])) == []


def repeated_fetches(by_name, kills):
    """The fetches of media that was fetched before, unless the owner was killed during the previous fetch."""
    ends, previous, repeated = {}, {}, []
    for record in by_name["got"]:
        ends.setdefault(record.url, record.time)
    for record in by_name["fetch"]:
        if before := previous.get(record.url):
            last = min(record.time, ends.get(record.url, record.time))
            if not any(before.time < kill.after and kill.before < last for kill in kills):
                repeated.append((before, record))
        previous[record.url] = record
    return repeated


async def missing(directory, puts):
    """The acknowledged puts that are not stored as they should be."""
    async with MediaCache(directory) as cache:
        stored = {record.url: await cache.get(record.url) for record in puts}
    return [url for url, media in stored.items() if media != (content(url), "image/png", "a.png")]
