"""A process that uses a directory together with others, until it is killed or its standard input is closed.

It gets media that the other processes get as well, with a downloader that records each download, and puts media of its own, which it records
once the put has been acknowledged. Records go to standard output: a name, the time, this process, its role and a URL.
"""

import asyncio
import os
import random
import sys
import time

from media_cache import MediaCache

#: How many URLs all processes get at about the same time, and how many new ones there are in a second.
CURRENT, NEW = 20, 200

#: The number of calls that a process makes at once.
TASKS = 4


def content(url):
    """The media at a URL. Every eighth is large."""
    return url.encode() * (5000 if sum(url.encode()) % 8 == 0 else 1)


def record(name, cache, url=""):
    # A single write of a short line to a pipe is atomic, and is not lost if the process is killed.
    os.write(1, f"{name} {time.monotonic_ns()} {os.getpid()} {cache.role} {url}\n".encode())


async def main(directory):
    cache = MediaCache(directory, max_size_mb=2000)
    await cache.ensure_loaded()
    if os.fork() == 0:
        # This child lives longer than its parent.
        os.read(0, 1)
        os._exit(0)
    loop, is_over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(0, lambda: loop.remove_reader(0) and is_over.set())
    record("ready", cache)

    async def download(url):
        record("fetch", cache, url)
        await asyncio.sleep(0.005)
        return content(url), "image/png", "a.png"

    async def use():
        for number in range(sys.maxsize):
            if is_over.is_set():
                return
            url = f"https://example.org/{int(time.monotonic() * NEW) + random.randrange(CURRENT)}"
            try:
                data, _, _ = await cache.get_or_download(url, download)
                record("got" if data == content(url) else "wrong", cache, url)
                if number % 8 == 0:
                    url = f"https://example.org/{os.getpid()}/{random.random()}"
                    await cache.put(url, content(url), "image/png", "a.png")
                    record("put", cache, url)
            except Exception as error:
                record("failed", cache, f"{url}: {error!r}")

    await asyncio.gather(*(use() for _ in range(TASKS)))
    await cache.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
