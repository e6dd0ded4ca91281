"""Which bytes callers get, and whether they are copied."""

import asyncio

from media_cache import MediaCache

URL = "https://example.org/a.png"


def test_callers_get_the_object_that_the_downloader_returned(tmp_path, run, origin):
    body = bytes(range(256)) * 4000

    async def main():
        async with MediaCache(tmp_path) as cache:
            results = await asyncio.gather(*(cache.get_or_download(URL, origin(body)) for _ in range(20)))
            assert all(data is body for data, _, _ in results)
            assert (await cache.get(URL))[0] is body

    run(main())


def test_get_returns_the_object_that_was_stored_while_it_is_in_memory(tmp_path, run, png):
    async def main():
        async with MediaCache(tmp_path, max_memory_items=1) as cache:
            await cache.put(URL, png, "image/png", "a.png")
            await cache.put(URL + "2", png, "image/png", "a.png")
            assert (await cache.get(URL + "2"))[0] is png
            await cache.remove(URL + "2")
            data, _, _ = await cache.get(URL)
            assert data == png and data is not png

    run(main())


def test_only_bytes_are_shared_with_the_caller(tmp_path, run, png):
    class Subclass(bytes):
        pass

    async def main():
        async with MediaCache(tmp_path) as cache:
            for number, data in enumerate([Subclass(png), bytearray(png), memoryview(png)[::1]]):
                await cache.put(f"{URL}{number}", data, "image/png", "a.png")
                stored, _, _ = await cache.get(f"{URL}{number}")
                assert stored == png and type(stored) is bytes and stored is not data

    run(main())
