"""Checks after each round: all requests were counted, and responses are the origin's media with every documented header."""

import hashlib
import json
import time
from email.utils import parsedate_to_datetime

from cases import OURS
from client import Client, get
from processes import Failure
from servers import ALLOWED_PAGE

SAMPLES = 1000
# The maximum number of bytes compared in a round, which limits the samples of large media.
SAMPLED_BYTES = 1_000_000_000
POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


class Digests:
    """The SHA-256 of the origin's media, each of which is fetched once."""

    def __init__(self, origin):
        self.origin, self.known = origin, {}

    def of(self, size, number):
        if (size, number) not in self.known:
            response = get(self.origin.address, f"/{size}/{number}.png")
            self.known[size, number] = hashlib.sha256(response.body).hexdigest()
        return self.known[size, number]


def stats(server):
    return json.loads(get(server.address, "/stats").body)["media_cache"]


def hit_lane_responses(server):
    """Hits that were answered below the router; None if the build does not count them."""
    lines = get(server.address, "/metrics").body.decode().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("media_cache_hit_lane_responses_total ")), None)


def documented(case, number, digest):
    """The documented headers of a response of media-cache: values, or predicates on them."""
    headers = {
        "content-type": "image/png", "content-length": str(case.size), "content-disposition": f'inline; filename="{number}.png"',
        "etag": f'"{digest}"', "last-modified": parsedate_to_datetime, "cache-control": "public, max-age=86400", "accept-ranges": "bytes",
        "x-cache": "hit", "x-content-type-options": "nosniff", "content-security-policy": POLICY, "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "cross-origin", "vary": lambda value: "sec-fetch-dest" in value.lower(), "x-request-id": bool,
        "date": parsedate_to_datetime,
    }
    if case.variant == "cors":
        headers["access-control-allow-origin"] = ALLOWED_PAGE
        headers["access-control-expose-headers"] = lambda value: "x-cache" in value.lower()
        headers["vary"] = lambda value: "sec-fetch-dest" in value.lower() and "origin" in value.lower().split(", ")
    return headers


def satisfies(value, expected):
    if value is None or isinstance(expected, str):
        return value == expected
    try:
        return bool(expected(value))
    except ValueError:
        return False


def check(server, client, number, digests):
    """Checks one response: its status and bytes, and the headers if it is from media-cache."""
    case = server.case
    response, digest = client.get(server.path(number), server.headers), digests.of(case.size, number)
    where = f"{case.name}, {server.name}: GET {server.path(number)}"
    if response.status != 200:
        raise Failure(f"{where} was answered with {response.status}: {response.body[:500]}")
    if len(response.body) != case.size or hashlib.sha256(response.body).hexdigest() != digest:
        raise Failure(f"{where} was not answered with the bytes of the origin")
    if server.name in OURS and response.headers.get("x-cache") == "hit":
        for name, expected in documented(case, number, digest).items():
            if not satisfies(response.headers.get(name), expected):
                raise Failure(f"{where} has {name}: {response.headers.get(name)}")
    return response.headers.get("x-cache")


def sample(server, digests, first):
    """Compares up to 1,000 responses, which must be hits unless misses are measured."""
    case = server.case
    count = min(SAMPLES, max(SAMPLED_BYTES // case.size, 1))
    before = stats(server)["hits"] if server.name in OURS else 0
    with Client(server.address) as client:
        outcomes = [check(server, client, first + index % case.objects, digests) for index in range(count)]
    if server.name in OURS and not case.misses:
        hits = settled(lambda: stats(server)["hits"] - before, count)
        if outcomes.count("hit") != count or hits != count:
            raise Failure(f"{case.name}, {server.name}: of {count} responses {outcomes.count('hit')} say hit, and /stats counts {hits}")
    return count


def settled(measure, at_least):
    """The measured value, once it is as large as expected, or after two seconds."""
    deadline = time.monotonic() + 2
    while (value := measure()) < at_least and time.monotonic() < deadline:
        time.sleep(0.01)
    return value


class Counts:
    """Compares the requests that were sent with the counts of the service and the origin.

    When wrk ends, it closes its connections, each with a request in progress. Nearly all of these are also counted, but a connection may
    be closed before its request is read.
    """

    def __init__(self, server, origin):
        self.server, self.origin, self.ours = server, origin, server.name in OURS
        self.fetched, self.stats = origin.count(), stats(server) if self.ours else {}
        self.lane = hit_lane_responses(server) if self.ours else None

    def since(self, name):
        return stats(self.server)[name] - self.stats[name]

    def compare(self, load):
        case, where = self.server.case, f"{self.server.case.name}, {self.server.name}"
        counted = {}
        if self.ours:
            name = {"new": "misses", "mixed": "hits and misses"}.get(case.mode, "hits")
            count = settled(lambda: sum(map(self.since, name.split(" and "))), load.sent)
            if not load.requests <= count <= load.sent:
                raise Failure(f"{where}: {load.sent} requests were sent and {load.requests} answered, but /stats counts {count} {name}")
            # Shows whether a disk case really reads from the disk.
            counted = {"counted": count, "from_disk": self.since("disk_hits")}
            if self.lane is not None:
                counted["lane_share"] = (hit_lane_responses(self.server) - self.lane) / max(self.since("hits"), 1)
        if case.mode == "mixed":
            return counted
        fetched = settled(lambda: self.origin.count() - self.fetched, load.requests if case.misses else 0)
        if not case.misses and fetched:
            raise Failure(f"{where}: the origin was contacted {fetched} times for hits")
        if case.misses and not load.requests <= fetched <= load.sent:
            raise Failure(f"{where}: the origin was contacted {fetched} times, for {load.requests} to {load.sent} misses")
        return counted
