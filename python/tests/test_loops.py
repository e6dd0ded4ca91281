"""Event loops, threads and cancellation."""

import asyncio
import contextvars
import threading

import pytest
import uvloop
from media_cache import ClosedError, CustomError, MediaCache

URL = "https://example.org/a.png"


def test_cache_is_used_by_several_event_loops_in_sequence(tmp_path, png):
    cache = MediaCache(tmp_path)
    assert asyncio.run(cache.put(URL, png, "image/png", "a.png")) is True
    assert asyncio.run(cache.get(URL)) == (png, "image/png", "a.png")
    assert asyncio.run(cache.remove(URL)) is True
    asyncio.run(cache.close())


def test_cache_is_used_from_threads_with_loops_of_their_own(tmp_path, png, origin):
    cache, downloader, results = MediaCache(tmp_path), origin(), []

    async def main():
        calls = [cache.get_or_download(f"https://example.org/{number}", downloader) for number in range(50)]
        results.append(await asyncio.gather(*calls))

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[(png, "image/png", "a.png")] * 50] * 4 and downloader.calls == 50
    asyncio.run(cache.close())


def test_cache_works_in_uvloop(tmp_path, png, origin):
    async def main():
        async with MediaCache(tmp_path) as cache:
            assert (await cache.get_or_download(URL, origin()))[0] == png
            assert (await cache.get(URL))[0] == png
            with pytest.raises(ValueError):
                await cache.get_or_download(URL + "2", origin(error=ValueError()))

    uvloop.run(main())


def test_cancelled_call_does_not_cancel_the_download_of_others(tmp_path, png, run):
    async def main():
        async with MediaCache(tmp_path) as cache:
            started, release = asyncio.Event(), asyncio.Event()

            async def download(_):
                started.set()
                await release.wait()
                return png, "image/png", "a.png"

            first = asyncio.create_task(cache.get_or_download(URL, download))
            await started.wait()
            second = asyncio.create_task(cache.get_or_download(URL, download))
            await asyncio.sleep(0)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            release.set()
            assert (await second)[0] == png

    run(main())


def test_timeout_ends_only_the_wait(tmp_path, png, run):
    async def main():
        async with MediaCache(tmp_path) as cache:
            release = asyncio.Event()

            async def download(_):
                await release.wait()
                return png, "image/png", "a.png"

            with pytest.raises(TimeoutError):
                await asyncio.wait_for(cache.get_or_download(URL, download), 0.05)
            release.set()
            assert (await cache.get_or_download(URL, download))[0] == png

    run(main())


@pytest.mark.parametrize("library", [asyncio, uvloop])
def test_download_fails_when_its_event_loop_is_closed(tmp_path, library):
    cache = MediaCache(tmp_path)
    started = threading.Event()

    async def download(_):
        started.set()
        await asyncio.Event().wait()

    def abandon():
        loop = library.new_event_loop()
        task = loop.create_task(cache.get_or_download(URL, download))
        while not started.is_set():
            loop.run_until_complete(asyncio.sleep(0.01))
        ready.set()
        joined.wait()
        del task
        loop.close()

    ready, joined = threading.Event(), threading.Event()
    thread = threading.Thread(target=abandon)
    thread.start()
    ready.wait()

    async def wait():
        waiting = asyncio.ensure_future(cache.get_or_download(URL, download))
        await asyncio.sleep(0.05)
        joined.set()
        with pytest.raises(CustomError, match="event loop was closed"):
            await asyncio.wait_for(waiting, 5)
        await cache.close()

    asyncio.run(wait())
    thread.join()


def test_downloader_runs_in_the_context_of_its_call(tmp_path, png, run):
    variable = contextvars.ContextVar("variable", default="none")

    async def main():
        async def download(_):
            return png, "image/png", variable.get()

        async with MediaCache(tmp_path) as cache:
            variable.set("set")
            assert (await cache.get_or_download(URL, download))[2] == "set"

    run(main())


def test_closed_cache_raises_closed_error(tmp_path, run):
    async def main():
        cache = MediaCache(tmp_path)
        await cache.ensure_loaded()
        await cache.close()
        await cache.close()
        with pytest.raises(ClosedError) as raised:
            await cache.get(URL)
        assert raised.value.status == 503 and cache.role == "closed"
        with pytest.raises(ClosedError):
            cache.stats()

    run(main())


def test_view_has_the_bytes_without_a_copy(tmp_path, png, run):
    async def main():
        async with MediaCache(tmp_path) as cache:
            await cache.put(URL, png, "image/png", "a.png")
            view, mimetype, filename = await cache.get_view(URL)
            assert isinstance(view, memoryview) and view.readonly
            assert (bytes(view), mimetype, filename) == (png, "image/png", "a.png")
            again, *_ = await cache.get_or_download_view(URL)
            assert again == view
        assert bytes(view) == png

    run(main())


def test_call_is_awaited_once_and_does_nothing_before(tmp_path, png, run, origin):
    async def main():
        async with MediaCache(tmp_path) as cache:
            downloader = origin()
            call = cache.get_or_download(URL, downloader)
            await asyncio.sleep(0.05)
            assert downloader.calls == 0
            await call
            with pytest.raises(RuntimeError):
                await call

    run(main())
