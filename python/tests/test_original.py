"""The documented behaviour of the original class."""

import asyncio
import hashlib
import json
import time

import pytest
from media_cache import EmptyBodyError, MediaCache
from plain_cache import PlainCache

URL = "https://example.org/a.png"


def test_constructor_neither_blocks_nor_touches_the_directory(tmp_path):
    started = time.perf_counter()
    cache = MediaCache(tmp_path / "cache")
    assert time.perf_counter() - started < 0.05
    assert not (tmp_path / "cache").exists() and cache.role == "unopened"


def test_directory_is_loaded_by_the_first_call(tmp_path, run, png):
    async def main():
        async with MediaCache(tmp_path) as first:
            await first.put(URL, png, "image/png", "a.png")
        second = MediaCache(tmp_path)
        assert second.stats()["total_entries"] == 0
        stored = await second.get(URL)
        assert second.stats()["total_entries"] == 1
        await second.close()
        return stored

    assert run(main()) == (png, "image/png", "a.png")


def test_concurrent_first_calls_load_the_directory_once(tmp_path, run):
    async def main():
        async with MediaCache(tmp_path) as cache:
            assert await asyncio.gather(*(cache.get(URL) for _ in range(50))) == [None] * 50
            assert cache.role == "owner"

    run(main())


def test_put_of_a_known_url_keeps_the_stored_bytes(tmp_path, run, png):
    async def main():
        async with MediaCache(tmp_path) as cache:
            assert await cache.put(URL, png, "image/png", "a.png") is True
            assert await cache.put(URL, b"other", "text/plain", "b.txt") is False
            assert await cache.get(URL) == (png, "image/png", "a.png")

    run(main())


def test_least_recently_used_entry_is_evicted_by_size(tmp_path, run):
    async def main():
        async with MediaCache(tmp_path, max_size_mb=2) as cache:
            body = bytes(400_000)
            for number in range(4):
                await cache.put(f"https://example.org/{number}", body, "image/png", "a.png")
            assert await cache.get("https://example.org/0")
            await cache.put("https://example.org/4", body, "image/png", "a.png")
            urls = {entry["url"][-1] async for entry in cache.entries()}
            assert "0" in urls and "1" not in urls and "4" in urls
            assert cache.stats()["disk_bytes"] <= 2 << 20

    run(main())


def test_memory_tier_holds_at_most_max_memory_items(tmp_path, run, png):
    async def main():
        async with MediaCache(tmp_path, max_memory_items=3) as cache:
            for number in range(10):
                await cache.put(f"https://example.org/{number}", png, "image/png", "a.png")
                await cache.get(f"https://example.org/{number}")
            stats = cache.stats()
            assert stats["total_entries"] == 10 and 1 <= stats["in_memory_entries"] <= 3

    run(main())


def test_gif_is_returned_as_mp4(tmp_path, run, gif, origin):
    async def main():
        async with MediaCache(tmp_path) as cache:
            await cache.put("https://example.org/a.gif", gif, "image/gif", "a.gif")
            data, mimetype, filename = await cache.get("https://example.org/a.gif")
            assert (mimetype, filename, data[4:8]) == ("video/mp4", "a.mp4", b"ftyp")
            data, mimetype, _ = await cache.get_or_download("https://example.org/b.gif", origin(gif, "image/gif", "b.gif"))
            assert (mimetype, data[4:8]) == ("video/mp4", b"ftyp")

    run(main())


def test_failed_download_is_neither_stored_nor_remembered(tmp_path, run, png, origin):
    async def main():
        async with MediaCache(tmp_path) as cache:
            error = ValueError("no such emoji")
            with pytest.raises(ValueError) as raised:
                await cache.get_or_download(URL, origin(error=error))
            assert raised.value is error and await cache.get(URL) is None
            assert await cache.get_or_download(URL, origin()) == (png, "image/png", "a.png")

    run(main())


@pytest.mark.parametrize("nothing", [(b"", "image/png", "a.png"), (None, None, None), None])
def test_empty_download_is_not_stored(tmp_path, run, origin, nothing):
    async def main():
        async with MediaCache(tmp_path) as cache:
            empty = origin()
            empty.result = nothing
            for _ in range(2):
                with pytest.raises(EmptyBodyError):
                    await cache.get_or_download(URL, empty)
            assert empty.calls == 2 and cache.stats()["total_entries"] == 0

    run(main())


def test_200_concurrent_calls_make_one_download(tmp_path, run, png, origin):
    async def main():
        async with MediaCache(tmp_path) as cache:
            downloader = origin()
            results = await asyncio.gather(*(cache.get_or_download(URL, downloader) for _ in range(200)))
            assert set(results) == {(png, "image/png", "a.png")} and downloader.calls == 1

    run(main())


def test_every_waiter_gets_the_exception_of_the_downloader(tmp_path, run, origin):
    async def main():
        async with MediaCache(tmp_path) as cache:
            error = LookupError("gone")
            release = asyncio.Event()

            async def fail(_):
                await release.wait()
                raise error

            waiters = [asyncio.ensure_future(cache.get_or_download(URL, fail)) for _ in range(20)]
            await asyncio.sleep(0.1)
            release.set()
            failures = await asyncio.gather(*waiters, return_exceptions=True)
            assert all(failure is error for failure in failures)

    run(main())


def test_stats_have_the_keys_of_the_original(tmp_path, run, png):
    async def main():
        async with MediaCache(tmp_path, max_size_mb=7) as cache:
            await cache.put(URL, png, "image/png", "a.png")
            await cache.get(URL)
            stats = cache.stats()
            assert (stats["total_entries"], stats["total_bytes"], stats["max_size_mb"]) == (1, len(png), 7.0)
            assert stats["in_memory_entries"] == 1 and stats["total_mb"] == round(len(png) / 2**20, 2)

    run(main())


def test_entry_has_two_files_and_the_fields_of_the_original(tmp_path, run, png):
    async def main():
        async with MediaCache(tmp_path) as cache:
            await cache.put(URL, png, "image/png", "a.png")

    run(main())
    base = tmp_path / hashlib.sha256(URL.encode()).hexdigest()
    assert base.with_suffix(".dat").read_bytes() == png
    sidecar = json.loads(base.with_suffix(".json").read_text())
    wanted = {"mimetype": "image/png", "filename": "a.png", "url": URL, "size": len(png)}
    assert wanted.items() <= sidecar.items() and abs(sidecar["ts"] - time.time()) < 60


def test_directory_of_the_plain_class_is_read(tmp_path, run, png):
    async def main():
        plain = PlainCache(str(tmp_path))
        for number in range(20):
            await plain.put(f"https://example.org/{number}", png + bytes([number]), "image/png", f"{number}.png")
        async with MediaCache(tmp_path) as cache:
            for number in range(20):
                stored = await cache.get(f"https://example.org/{number}")
                assert stored == (png + bytes([number]), "image/png", f"{number}.png")

    run(main())


def test_plain_class_reads_our_directory(tmp_path, run, png):
    async def main():
        async with MediaCache(tmp_path) as cache:
            for number in range(20):
                await cache.put(f"https://example.org/{number}", png + bytes([number]), "image/png", f"{number}.png")
        plain = PlainCache(str(tmp_path))
        for number in range(20):
            assert await plain.get(f"https://example.org/{number}") == (png + bytes([number]), "image/png", f"{number}.png")

    run(main())
