"""Compares the Python package with a plain Python cache, in one run: `python bench/python`, with the package installed.

Prints the time of a hit, in the process that owns the directory and in one that is attached to it, the time of a miss, and the longest pause
of the event loop while 100 bodies of 1 MB are downloaded and stored. Exits with 1 if a goal is missed.
"""

import asyncio
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "python/tests"))

from media_cache import MediaCache  # noqa: E402
from plain_cache import PlainCache  # noqa: E402

ROUNDS = 5
failed = False


def report(name, value, unit="µs", goal=None):
    global failed
    verdict = ""
    if goal is not None:
        is_met = value <= goal
        failed |= not is_met
        verdict = f"goal {goal:g}: {'met' if is_met else 'MISSED'}"
    print(f"{name:<52}{value:9.2f} {unit:<3} {verdict}")


async def per_call(count, call):
    """The median time of a call over several rounds, in microseconds."""
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(count):
            await call()
        times.append((time.perf_counter() - begun) / count * 1e6)
    return sorted(times)[ROUNDS // 2]


async def download(url):
    return b"x" * 1000, "image/png", "a.png"


async def hits(cache, label, goals=(None, None, None), count=20_000):
    for size, name in ((1000, "1 KB"), (100_000, "100 KB")):
        await cache.put(f"https://example.org/{size}", b"x" * size, "image/png", "a.png")
        await cache.get(f"https://example.org/{size}")
    small, large = "https://example.org/1000", "https://example.org/100000"
    report(f"{label}: hit, 1 KB", await per_call(count, lambda: cache.get(small)), goal=goals[0])
    report(f"{label}: get_or_download, hit, 1 KB", await per_call(count, lambda: cache.get_or_download(small, download)), goal=goals[1])
    report(f"{label}: hit, 100 KB", await per_call(count // 10, lambda: cache.get(large)), goal=goals[2])


async def misses(cache, count=300):
    times = []
    for round_ in range(ROUNDS):
        begun = time.perf_counter()
        for number in range(count):
            await cache.get_or_download(f"https://example.org/{round_}/{number}", download)
        times.append((time.perf_counter() - begun) / count * 1e6)
    return sorted(times)[ROUNDS // 2]


async def longest_pause(cache):
    """The longest time for which the event loop did not run, in milliseconds."""
    longest, body, is_over = 0.0, bytes(1_000_000), asyncio.Event()

    async def watch():
        nonlocal longest
        while not is_over.is_set():
            begun = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - begun)

    async def large(url):
        return body, "image/png", "a.png"

    watching = asyncio.ensure_future(watch())
    await asyncio.gather(*(cache.get_or_download(f"https://example.org/large/{number}", large) for number in range(100)))
    is_over.set()
    await watching
    return longest * 1e3


async def attached(directory):
    async with MediaCache(directory) as cache:
        assert cache.role == "attached"
        await hits(cache, "attached", count=2000)
        report("attached: miss, 1 KB", await misses(cache))


async def main():
    with tempfile.TemporaryDirectory() as directory:
        plain = PlainCache(directory + "/plain")
        await hits(plain, "plain class")
        plain_miss = await misses(plain)
        report("plain class: miss, 1 KB", plain_miss)
        async with MediaCache(directory + "/ours") as cache:
            await hits(cache, "owner", (1, 2, 10))
            report("owner: miss, 1 KB", await misses(cache), goal=round(2 * plain_miss, 2))
            report("owner: longest pause, 100 bodies of 1 MB", await longest_pause(cache), "ms", goal=5)
            await asyncio.to_thread(subprocess.run, [sys.executable, __file__, directory + "/ours"], check=True)


if __name__ == "__main__":
    asyncio.run(attached(sys.argv[1]) if len(sys.argv) > 1 else main())
    sys.exit(failed)
