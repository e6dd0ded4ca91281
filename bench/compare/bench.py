"""Runs the cases: starts the servers of each, fills them, loads them in turn, and checks the results."""

import os
import shutil
import tempfile
import time
from pathlib import Path

from cases import CACHES, OURS
from client import Client
from load import load
from processes import SERVER_CORE, Failure, Process, run
from servers import KINDS, Origin
from verify import Counts, Digests, check, sample

# The maximum length of a round of misses. Each starts with an empty cache, so that the default budget of media-cache is large enough.
MISS_SECONDS = 2
# The number of the first new media, higher than the numbers of all other media.
NEW = 1_000_000
# From this size on, requests are counted by the bytes received, since some are always in progress.
COUNTED_BY_BYTES = 1_000_000


class Bench:
    def __init__(self, options, binaries, servers_program, skipped):
        self.options, self.servers_program, self.skipped = options, servers_program, skipped
        self.work = Path(tempfile.mkdtemp(prefix="compare-", dir=options.dir))
        self.binaries, self.running, self.origin, self.results, self.next_number = binaries, {}, None, {}, NEW

    def __enter__(self):
        try:
            self.prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def prepare(self):
        # Copies, so that a build during the run does not change what is measured.
        self.binaries = {name: shutil.copy2(binary, self.work / f"{name}-program") for name, binary in self.binaries.items()}
        self.help = {name: run(name, [binary, "serve", "--help"]) for name, binary in self.binaries.items()}
        # Keeps compiled components apart from those of the user who runs the bench.
        os.environ["XDG_CACHE_HOME"] = str(self.work / "compiled")
        self.origin = Origin(self.servers_program, self.work)
        self.digests = Digests(self.origin)

    def __exit__(self, *_):
        self.stop_servers()
        if self.origin:
            self.origin.stop()
        shutil.rmtree(self.work, ignore_errors=True)

    def ours(self):
        return self.running["media-cache"]

    def servers_of(self, case):
        return [name for name in case.servers if (name not in OURS or name in self.binaries) and name not in self.skipped]

    def start_servers(self, case):
        for name in self.servers_of(case):
            self.start_server(name, case)

    def start_server(self, name, case):
        server = KINDS[name](name, self, case, self.work)
        self.running[name] = server
        if name in CACHES and not case.misses:
            # The second request is a hit, and resident if anything is.
            with Client(server.address) as client:
                for _ in range(2 if case.objects == 1 else 1):
                    for number in range(case.objects):
                        check(server, client, number, self.digests)

    def stop_servers(self):
        for server in self.running.values():
            server.stop()
        self.running = {}

    def run_case(self, case):
        self.start_servers(case)
        for server in self.running.values():
            if server.name in OURS and not case.misses:
                sample(server, self.digests, 0)
        for connections in case.connections:
            for round_number in range(self.options.rounds):
                order = list(self.running)
                # Rotates the order: no server is always first, or always follows the same one.
                turn = round_number % len(order)
                for name in order[turn:] + order[:turn]:
                    result = self.measure(case, name, connections)
                    self.results.setdefault((case.name, connections), {}).setdefault(name, []).append(result)
            yield connections
        self.stop_servers()

    def measure(self, case, name, connections):
        """One round of one server."""
        if case.misses:
            self.running[name].stop()
            self.start_server(name, case)
        server = self.running[name]
        seconds = min(self.options.seconds, MISS_SECONDS) if case.misses else self.options.seconds
        first = self.next_number
        counts, before = Counts(server, self.origin), server.process.cpu_times()
        done = load(server, case, connections, seconds, first)
        cpu = server.process.cpu_since(before)
        memory = server.process.memory_bytes()
        counted = counts.compare(done)
        requests = done.bytes / case.size if case.size >= COUNTED_BY_BYTES else done.requests
        if requests == 0:
            raise Failure(f"{case.name}, {name}, {connections} connections: nothing arrived within {seconds} s")
        self.next_number += done.sent + 1
        if name in OURS or case.misses:
            counted["compared"] = sample(server, self.digests, first + 1 if case.misses else 0)
        # With few completed requests, percentiles are meaningless.
        times = {"p50": done.p50, "p99": done.p99, "p999": done.p999} if done.requests >= 20 else {}
        return {"requests": requests, "per_second": requests / done.microseconds * 1e6, "cpu_us": cpu / requests * 1e6,
                "busy": cpu / done.microseconds * 1e6, "memory": memory, "sent": done.sent, "answered": done.requests, **times, **counted}

    def startup(self, name):
        """Milliseconds from the start of the process to its first response, with an empty directory, at the first and later starts."""
        taken = []
        for turn in range(self.options.rounds + 1):
            directory = self.work / f"startup-{name}-{turn}"
            command = [self.binaries[name], "serve", "--listen", "127.0.0.1:0", "--dir", directory]
            begin = time.monotonic()
            process = Process(name, command, self.work, SERVER_CORE, reports_address=True)
            try:
                with Client(process.address) as client:
                    status = client.get("/healthz").status
                taken.append((time.monotonic() - begin) * 1000)
            finally:
                process.stop()
            if status != 200:
                raise Failure(f"startup: /healthz is {status}")
        return taken
