#!/usr/bin/env python3
"""Measures starts, memory and operations of the service with many entries.

    bench/entries.py [--entries N] [--dir DIR] [--scenarios A,B,...] [--program PATH]

First, a directory of N entries is created below DIR, as another implementation would write it: two small files each. Then the release
build serves it, once for each scenario, and one client requests a random entry every few milliseconds, from the start on:

    cold      there is no index log
    clean     after a clean stop
    killed    after SIGKILL
    changed   after a clean stop, and after another program has removed an entry (`media-cache rm`, whose time is printed)
    rewrite   the index log is rewritten, after it was deleted
    list      all entries are listed over HTTP (`GET /entries`), in pages of 1000
    filter    the entries of a host are removed over HTTP (`DELETE /entries?host=...`), which reads all sidecars
    half      with half of the budget, so that half of the entries are evicted
    policies  cold, with each of the built-in policies, to measure its memory

Every response must be a hit: origins do not exist, so a request that the service does not answer from its directory fails the bench.
Memory is the peak resident set from the start until everything is loaded, minus that of a service with an empty directory.

For a cold start from disk, `--before-cold COMMAND` runs a shell command first, for example `echo 3 >/proc/sys/vm/drop_caches`.
"""

import argparse
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from multiprocessing import Process
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
POLICIES = ["lru", "sieve", "s3-fifo", "gdsf", "w-tinylfu", "hazard"]
SCENARIOS = ["cold", "clean", "killed", "changed", "rewrite", "list", "filter", "half", "policies"]
# The bytes of an entry on disk: a block for each of its files.
DISK_SIZE = 8192
WRITERS = 2
# The number of hosts. Consecutive entries have different hosts.
HOSTS = 100
TOKEN = "0123456789abcdef0123456789abcdef"


def url(number):
    return f"http://{number % HOSTS}.invalid/{number}"


def write_entries(directory, numbers):
    for number in numbers:
        name = os.path.join(directory, hashlib.sha256(url(number).encode()).hexdigest())
        with open(name + ".dat", "w") as media:
            media.write(f"{number:064}")
        fields = {"mimetype": "text/plain", "filename": f"{number}.txt", "url": url(number), "ts": 1.6e9 + number, "size": 64}
        with open(name + ".json", "w") as sidecar:
            json.dump(fields, sidecar)


def make_directory(directory, entries):
    directory.mkdir(parents=True)
    writers = [Process(target=write_entries, args=(directory, range(first, entries, WRITERS))) for first in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()


class Service:
    """A running service."""

    def __init__(self, program, directory, budget_mb, policy="lru"):
        self.token = tempfile.NamedTemporaryFile("w", suffix=".token")
        self.token.write(TOKEN)
        self.token.flush()
        options = ["--listen", "127.0.0.1:0", "--dir", directory, "--max-size-mb", str(max(budget_mb, 1)), "--policy", policy]
        options += ["--admin-token-file", self.token.name, "--log-requests", "none", "--grace-seconds", "5"]
        options += ["--shutdown-limit-seconds", "600"]
        self.started = time.monotonic()
        self.log = tempfile.TemporaryFile()
        command = [program, "serve", *map(str, options)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on http://"):
            self.log.seek(0)
            sys.exit(f"entries.py: cannot start the service: {self.log.read().decode()}")
        self.address = line.strip().removeprefix("listening on http://")
        self.connection = http.client.HTTPConnection(self.address, timeout=600)

    def age(self):
        return time.monotonic() - self.started

    def request(self, method, path):
        self.connection.request(method, path, headers={"Authorization": "Bearer " + TOKEN})
        response = self.connection.getresponse()
        return response.status, response.read()

    def get(self, number):
        """Requests an entry, and returns how long that took."""
        before = time.monotonic()
        status, body = self.request("GET", f"/media?url=http%3A%2F%2F{number % HOSTS}.invalid%2F{number}")
        if status != 200 or body != f"{number:064}".encode():
            sys.exit(f"entries.py: entry {number} was answered with {status} {body[:300]} after {self.age():.3f} s")
        return time.monotonic() - before

    def is_loaded(self):
        status, body = self.request("GET", "/readyz")
        return status == 200 and json.loads(body)["state"] == "storing"

    def metrics(self):
        text = self.request("GET", "/metrics")[1].decode()
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in lines}

    def slices(self):
        """By kind of work since the start: the longest slice of the cache's thread in seconds, the number of slices of more than 10 ms,
        and the number of all slices."""
        metrics = self.metrics()
        value = lambda name, labels: metrics[f"media_cache_driver_slice_{name}{{{labels}}}"]
        kinds = [name.split('"')[1] for name in metrics if name.startswith("media_cache_driver_slice_max_seconds{")]
        count = lambda work: value("seconds_count", f'work="{work}"')
        fast = lambda work: value("seconds_bucket", f'le="0.01",work="{work}"')
        return {work: (value("max_seconds", f'work="{work}"'), count(work) - fast(work), count(work)) for work in kinds}

    def peak(self):
        """The peak resident set in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def stop(self, how=signal.SIGTERM):
        self.connection.close()
        self.process.send_signal(how)
        before = time.monotonic()
        self.process.wait()
        self.token.close()
        return time.monotonic() - before


class Client:
    """Requests entries at random, one after the other."""

    def __init__(self, service, entries, seed):
        self.service, self.random, self.entries, self.latencies = service, random.Random(seed), entries, []

    def once(self, pause=0.002):
        self.latencies.append(self.service.get(self.random.randrange(self.entries)))
        time.sleep(pause)

    def until(self, is_over, at_most=3600):
        """Sends requests until something is over, which is checked every 25 ms."""
        end, look = time.monotonic() + at_most, 0
        while time.monotonic() < end:
            self.once()
            if time.monotonic() > look:
                if is_over():
                    return
                look = time.monotonic() + 0.025
        sys.exit("entries.py: it did not end in time")

    def summary(self):
        ordered = sorted(self.latencies)
        at = lambda share: ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000
        return f"{len(ordered)} requests, ms: median {at(0.5):.1f}, 99 % {at(0.99):.1f}, 99.9 % {at(0.999):.1f}, max {at(1):.1f}"


class Bench:
    def __init__(self, options):
        self.options, self.program = options, options.program
        self.entries, self.work = options.entries, options.reuse or Path(tempfile.mkdtemp(prefix="entries-", dir=options.dir))
        self.directory = self.work / "cache"
        # The directory itself counts too, and an eighth of the budget is reserved, for the index log among others.
        self.budget_mb = (self.entries * DISK_SIZE // 2**20 + self.entries // 2000 + 64) * 8 // 7
        # The first start compiles the components, which takes more memory.
        self.measure_baseline("lru")
        self.baseline = self.measure_baseline("lru")

    def measure_baseline(self, policy):
        service = Service(self.program, self.work / "empty", self.budget_mb, policy)
        while not service.is_loaded():
            time.sleep(0.01)
        time.sleep(0.5)
        peak = service.peak()
        service.stop()
        return peak

    def start(self, name, budget_mb=None, policy="lru", baseline=None):
        """Starts the service, and requests entries until everything is loaded."""
        service = Service(self.program, self.directory, budget_mb or self.budget_mb, policy)
        listening, client = service.age(), Client(service, self.entries, 7)
        client.once(pause=0)
        first = service.age()
        client.until(service.is_loaded)
        loaded, peak, slices = service.age(), service.peak(), service.slices()
        bytes_each = (peak - (baseline or self.baseline)) / self.entries
        print(f"{name:18} listening {listening:.2f} s, first hit {first:.2f} s, all known {loaded:.2f} s "
              f"({self.entries / loaded:,.0f} entries/s), peak {peak / 2**20:.0f} MiB, {bytes_each:.0f} bytes per entry")
        print(f"{'':18} {client.summary()}")
        print_slices(slices)
        return service

    def lost_log(self):
        shutil.rmtree(self.directory / ".media-cache", ignore_errors=True)

    def before_cold(self):
        self.lost_log()
        if self.options.before_cold:
            subprocess.run(self.options.before_cold, shell=True, check=True)

    def stop(self, service):
        print(f"{'':18} clean stop {service.stop():.2f} s")

    def cold(self):
        self.before_cold()
        self.stop(self.start("cold"))

    def clean(self):
        self.stop(self.start("clean stop"))

    def killed(self):
        service = self.start("before SIGKILL")
        client, end = Client(service, self.entries, 3), time.monotonic() + 2
        client.until(lambda: time.monotonic() > end)
        service.stop(signal.SIGKILL)
        self.stop(self.start("after SIGKILL"))

    def changed(self):
        before = time.monotonic()
        subprocess.run([self.program, "rm", "--dir", self.directory, url(0)], check=True, stdout=subprocess.DEVNULL)
        print(f"rm of one entry    {time.monotonic() - before:.3f} s")
        write_entries(self.directory, [0])
        self.stop(self.start("changed"))

    def rewrite(self):
        service = Service(self.program, self.directory, self.budget_mb)
        while not service.is_loaded():
            time.sleep(0.05)
        log = self.directory / ".media-cache/index.log"
        whole, new = log.stat().st_size, log.with_name("index.log.new")
        service.slices()
        client, begin = Client(service, self.entries, 11), time.monotonic()
        log.unlink()
        client.until(log.exists)
        print(f"rewrite            {time.monotonic() - begin:.2f} s for {log.stat().st_size / 2**20:.0f} MiB, from {whole / 2**20:.0f} MiB")
        assert not new.exists()
        print(f"{'':18} {client.summary()}")
        print_slices(service.slices())
        self.stop(service)

    def list(self):
        service = Service(self.program, self.directory, self.budget_mb)
        while not service.is_loaded():
            time.sleep(0.05)
        other = Beside(service, self.entries)
        begin, count, after = time.monotonic(), 0, None
        service.slices()
        while True:
            page = json.loads(service.request("GET", "/entries?limit=1000" + (f"&after={after}" if after else ""))[1])
            count, after = count + len(page["entries"]), page.get("next")
            if after is None:
                break
        took = time.monotonic() - begin
        print(f"list               {count} entries in {took:.2f} s ({count / took:,.0f} entries/s)")
        other.finish()
        print_slices(service.slices())
        service.stop()
        begin = time.monotonic()
        command = [self.program, "ls", "--json", "--dir", self.directory]
        lines = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.count(b"\n")
        print(f"media-cache ls     {lines} entries in {time.monotonic() - begin:.2f} s, without a service")

    def filter(self):
        service = Service(self.program, self.directory, self.budget_mb)
        while not service.is_loaded():
            time.sleep(0.05)
        service.slices()
        other = Beside(service, self.entries, avoid=5)
        begin = time.monotonic()
        status, body = service.request("DELETE", "/entries?host=5.invalid")
        print(f"DELETE ?host=      {time.monotonic() - begin:.2f} s, {status} {body.decode().strip()}")
        other.finish()
        print_slices(service.slices())
        service.stop()
        begin = time.monotonic()
        command = [self.program, "rm", "--host", "6.invalid", "--dir", self.directory]
        removed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        print(f"rm --host          {time.monotonic() - begin:.2f} s, without a service: {removed}")
        for host in (5, 6):
            write_entries(self.directory, range(host, self.entries, HOSTS))
        service = Service(self.program, self.directory, self.budget_mb)
        while not service.is_loaded():
            time.sleep(0.05)
        service.stop()

    def half(self):
        # Evicted entries are gone, so only the newer half is requested.
        service = Service(self.program, self.directory, self.budget_mb // 2)
        client = Client(service, self.entries, 13)
        client.random.randrange = lambda entries: random.randrange(entries * 3 // 4, entries)
        client.once(pause=0)
        first = service.age()
        client.until(service.is_loaded)
        print(f"half the budget    first hit {first:.2f} s, all evicted {service.age():.2f} s")
        print(f"{'':18} {client.summary()}")
        print_slices(service.slices())
        self.stop(service)

    def policies(self):
        for policy in POLICIES:
            self.measure_baseline(policy)
            baseline = self.measure_baseline(policy)
            self.lost_log()
            self.start(policy, policy=policy, baseline=baseline).stop()

    def run(self):
        try:
            begin = time.monotonic()
            if not self.options.reuse:
                make_directory(self.directory, self.entries)
            print(f"{self.entries} entries created in {time.monotonic() - begin:.0f} s in {self.work}; {os.cpu_count()} processors shared with "
                  f"the client; an empty service uses {self.baseline / 2**20:.0f} MiB", flush=True)
            for scenario in self.options.scenarios:
                getattr(self, scenario)()
                sys.stdout.flush()
        finally:
            if not self.options.keep:
                shutil.rmtree(self.work)


class Beside:
    """Requests entries on a separate connection in a separate process, while something else is measured."""

    def __init__(self, service, entries, avoid=None):
        self.output = tempfile.TemporaryFile("w+")
        self.pid = os.fork()
        if self.pid == 0:
            end = []
            signal.signal(signal.SIGTERM, lambda *_: end.append(True))
            service.connection = http.client.HTTPConnection(service.address, timeout=600)
            client = Client(service, entries, 5)
            while not end:
                number = client.random.randrange(entries)
                if number % HOSTS != avoid:
                    client.latencies.append(service.get(number))
                time.sleep(0.002)
            self.output.write(client.summary())
            self.output.flush()
            os._exit(0)

    def finish(self):
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)
        self.output.seek(0)
        print(f"{'':18} {self.output.read()}")


def print_slices(slices):
    kinds = [f"{work} {longest * 1000:.1f} ({slow:.0f} of {count:.0f} over 10)" for work, (longest, slow, count) in slices.items() if count]
    print(f"{'':18} longest slices, ms: " + ", ".join(kinds))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="where the directory is created and deleted")
    parser.add_argument("--scenarios", type=lambda text: text.split(","), default=SCENARIOS)
    parser.add_argument("--program", type=Path, default=ROOT / "target/release/media-cache")
    parser.add_argument("--before-cold", metavar="COMMAND")
    parser.add_argument("--reuse", type=Path, metavar="DIR", help="the directory of an earlier run with --keep, with the same number of entries")
    parser.add_argument("--keep", action="store_true", help="keep the directory")
    options = parser.parse_args()
    unknown = set(options.scenarios) - set(SCENARIOS)
    if unknown:
        parser.error(f"unknown scenarios: {', '.join(unknown)}; the scenarios are {', '.join(SCENARIOS)}")
    Bench(options).run()


if __name__ == "__main__":
    main()
