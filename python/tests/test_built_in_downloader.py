"""The built-in downloader, with an origin on this machine."""

import asyncio
import socket

import pytest
from media_cache import MediaCache, RefusedError, errors


def open_cache(directory, **options):
    return MediaCache(directory, allow_addresses=["127.0.0.1"], max_body_mb=1, **options)


def test_image_is_downloaded_once_and_stored(tmp_path, run, png, http_origin):
    async def main():
        async with open_cache(tmp_path, headers={"User-Agent": "bot/1", "127.0.0.1=Authorization": "Bot secret"}) as cache:
            results = await asyncio.gather(*(cache.get_or_download(http_origin.url("/a.png")) for _ in range(20)))
            assert results == [(png, "image/png", "a.png")] * 20
            assert await cache.get(http_origin.url("/a.png")) == (png, "image/png", "a.png")
            assert (await cache.get_or_download(http_origin.url("/named")))[2] == "b.png"
            assert (await cache.get_or_download(http_origin.url("/moved")))[0] == png
            assert cache.stats()["downloads"] == 3

    run(main())
    assert [path for path, _ in http_origin.requests] == ["/a.png", "/named", "/moved", "/a.png"]
    assert all(headers["User-Agent"] == "bot/1" for _, headers in http_origin.requests)
    # Credentials are not sent unencrypted.
    assert not any("Authorization" in headers for _, headers in http_origin.requests)


def test_gif_is_downloaded_and_returned_as_mp4(tmp_path, run, http_origin):
    async def main():
        async with open_cache(tmp_path) as cache:
            for view in (await cache.get_or_download_view(http_origin.url("/a.gif")), await cache.get_view(http_origin.url("/a.gif"))):
                assert view[1:] == ("video/mp4", "a.mp4") and bytes(view[0][4:8]) == b"ftyp"
        async with open_cache(tmp_path / "unconverted", gif="never") as cache:
            data, mimetype, filename = await cache.get_or_download(http_origin.url("/a.gif"))
            assert (data[:6], mimetype, filename) == (b"GIF89a", "image/gif", "a.gif")

    run(main())


@pytest.mark.parametrize(
    ("path", "kind", "status", "retry_after"),
    [
        ("/401", errors.DeniedError, 403, None),
        ("/404", errors.NotFoundError, 404, None),
        ("/410", errors.GoneError, 410, None),
        ("/418", errors.OriginStatusError, 502, None),
        ("/451", errors.UnavailableForLegalReasonsError, 451, None),
        ("/busy", errors.UnavailableError, 503, 7),
        ("/page", errors.UnacceptableTypeError, 415, None),
        ("/empty", errors.EmptyBodyError, 502, None),
        ("/large", errors.TooLargeError, 413, None),
        ("/short", errors.ShortBodyError, 502, None),
        ("/coded", errors.EncodedBodyError, 502, None),
    ],
)
def test_failed_download_raises_the_class_of_its_kind(tmp_path, run, http_origin, path, kind, status, retry_after):
    async def main():
        async with open_cache(tmp_path) as cache:
            with pytest.raises(kind) as raised:
                await cache.get_or_download(http_origin.url(path))
            assert (raised.value.status, raised.value.retry_after) == (status, retry_after)
            assert isinstance(raised.value, errors.DownloadError)
            assert await cache.get(http_origin.url(path)) is None and cache.stats()["download_failures"] == 1

    run(main())


def test_origin_that_does_not_listen_is_unreachable(tmp_path, run):
    async def main():
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            async with open_cache(tmp_path) as cache:
                with pytest.raises(errors.UnreachableError) as raised:
                    await cache.get_or_download(f"http://127.0.0.1:{bound.getsockname()[1]}/a.png")
            assert raised.value.status == 502

    run(main())


def test_addresses_that_are_not_public_are_refused_unless_they_are_allowed(tmp_path, run, png, http_origin):
    async def main():
        async with MediaCache(tmp_path) as cache:
            with pytest.raises(RefusedError) as raised:
                await cache.get_or_download(http_origin.url("/a.png"))
            assert raised.value.status == 403 and http_origin.requests == []
        async with MediaCache(tmp_path, allow_addresses=["127.0.0.0/8"]) as cache:
            assert (await cache.get_or_download(http_origin.url("/a.png")))[0] == png

    run(main())
