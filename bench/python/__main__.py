"""Compares the Python package with a plain Python cache, in one run: `python bench/python`, with the package installed.

Prints the minimum and the median, over several rounds, of the time of a hit, in the process that owns the directory and in one that is
attached to it, of the time of a miss, and of the longest pause of the event loop while 100 bodies of 1 MB are downloaded and stored. The
rounds of what is compared alternate. Goals are for the minimum, except that of the pause, which is for the median. Exits with 1 if one is
missed. On a machine that is not idle, the pauses of an event loop that only waits (`idle`) show how much of the others is due to that.
"""

import asyncio
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "python/tests"))

from media_cache import MediaCache  # noqa: E402
from plain_cache import PlainCache  # noqa: E402

ROUNDS = 9
SMALL, LARGE = "https://example.org/1000", "https://example.org/100000"
failed = False


def report(name, values, unit="µs", goal=None, of=min):
    global failed
    verdict = ""
    if goal is not None:
        is_met = of(values) <= goal
        failed |= not is_met
        verdict = f"  goal {goal:.4g}: {'met' if is_met else 'MISSED'}"
    print(f"{name:<48}{min(values):9.2f} {statistics.median(values):9.2f} {unit}{verdict}")


async def per_call(count, call):
    """The mean time of a call, in microseconds."""
    begun = time.perf_counter()
    for number in range(count):
        await call(number)
    return (time.perf_counter() - begun) / count * 1e6


async def download(url):
    return b"x" * 1000, "image/png", "a.png"


async def hits(caches, count):
    """The times of hits of each cache: 1 KB, the same with `get_or_download`, and 100 KB."""
    for cache in caches:
        for url, size in ((SMALL, 1000), (LARGE, 100_000)):
            await cache.put(url, b"x" * size, "image/png", "a.png")
            await cache.get(url)
    times = [([], [], []) for _ in caches]
    for _ in range(ROUNDS):
        for cache, (small, downloaded, large) in zip(caches, times):
            small.append(await per_call(count, lambda _: cache.get(SMALL)))
            downloaded.append(await per_call(count, lambda _: cache.get_or_download(SMALL, download)))
            large.append(await per_call(count // 10, lambda _: cache.get(LARGE)))
    return times


async def misses(caches, count=300):
    times = [[] for _ in caches]
    for round_ in range(ROUNDS):
        for cache, own in zip(caches, times):
            own.append(await per_call(count, lambda number: cache.get_or_download(f"https://example.org/{round_}/{number}", download)))
    return times


async def pause_during(work):
    """The longest time for which the event loop did not run during the work, in milliseconds."""
    longest, is_over = 0.0, False

    async def watch():
        nonlocal longest
        while not is_over:
            begun = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - begun)

    watching = asyncio.ensure_future(watch())
    await work()
    is_over = True
    await watching
    return longest * 1e3


async def pauses(directory, caches):
    """The longest pauses of an idle event loop, of one that writes files on threads, and with each cache."""
    body = os.urandom(1_000_000)

    async def large(url):
        return body, "image/png", "a.png"

    def write(path):
        with open(path + ".tmp", "wb") as file:
            file.write(body)
        os.replace(path + ".tmp", path)

    times = [[] for _ in range(2 + len(caches))]
    for round_ in range(ROUNDS):
        names = [f"{round_}-{number}" for number in range(100)]
        works = [lambda: asyncio.sleep(0.3), lambda: asyncio.gather(*(asyncio.to_thread(write, f"{directory}/{name}") for name in names))]
        for cache in caches:
            works.append(lambda cache=cache: asyncio.gather(*(cache.get_or_download(f"https://example.org/{name}", large) for name in names)))
        for work, own in zip(works, times):
            own.append(await pause_during(work))
    return times


def report_hits(label, times, goals=(None, None, None)):
    for name, values, goal in zip(("hit, 1 KB", "get_or_download, hit, 1 KB", "hit, 100 KB"), times, goals):
        report(f"{label}: {name}", values, goal=goal)


async def attached(directory):
    async with MediaCache(directory) as cache:
        assert cache.role == "attached"
        report_hits("attached", *await hits([cache], 2000))
        report("attached: miss, 1 KB", *await misses([cache]))


async def main():
    with tempfile.TemporaryDirectory() as directory:
        plain, ours = PlainCache(directory + "/plain"), directory + "/ours"
        async with MediaCache(ours) as cache:
            print(f"{'':<48}  minimum    median")
            plain_hits, our_hits = await hits([plain, cache], 20_000)
            report_hits("plain class", plain_hits)
            report_hits("owner", our_hits, (1, 2, 10))
            plain_misses, our_misses = await misses([plain, cache])
            report("plain class: miss, 1 KB", plain_misses)
            report("owner: miss, 1 KB", our_misses, goal=2 * min(plain_misses))
            idle, threads, plain_pauses, our_pauses = await pauses(directory, [plain, cache])
            report("idle: longest pause", idle, "ms")
            report("100 writes of 1 MB on threads: longest pause", threads, "ms")
            report("plain class, 100 bodies of 1 MB: longest pause", plain_pauses, "ms")
            report("owner, 100 bodies of 1 MB: longest pause", our_pauses, "ms", goal=5, of=statistics.median)
            await asyncio.to_thread(subprocess.run, [sys.executable, __file__, ours], check=True)


if __name__ == "__main__":
    asyncio.run(attached(sys.argv[1]) if len(sys.argv) > 1 else main())
    sys.exit(failed)
