"""The client for the HTTP service. Needs the program, whose path is in `SERVICE_PROGRAM`."""

import os
import re
import subprocess
import urllib.request

import pytest
from media_cache import Client, NotAdmittedError, RefusedError, ServiceError

PROGRAM = os.environ.get("SERVICE_PROGRAM")
URL = "https://example.org/a%20file.png"
KEY = b"0123456789abcdef0123456789abcdef"

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="SERVICE_PROGRAM is not set")


@pytest.fixture
def service(tmp_path):
    """The addresses of a service: for media and for administration."""
    key = tmp_path / "key"
    key.write_bytes(KEY)
    key.chmod(0o600)
    options = ["--dir", tmp_path / "cache", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--signing-key-file", key]
    # The service refuses variables that it does not know.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MEDIA_CACHE_")}
    process = subprocess.Popen(
        [PROGRAM, "serve", *options], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    addresses, lines = [], []
    while len(addresses) < 2:
        lines.append(process.stdout.readline())
        assert lines[-1], "".join(lines)
        addresses += re.findall(r"http://127\.0\.0\.1:\d+", lines[-1])
    yield addresses
    process.terminate()
    process.wait()


def test_client_stores_lists_and_removes(service, run, png):
    async def main():
        async with Client(service[1], signing_key=KEY) as client:
            assert await client.get(URL) is None
            assert await client.put(URL, png, "image/png", "a.png") is True
            assert await client.put(URL, png, "image/png", "a.png") is False
            assert await client.get(URL) == (png, "image/png", "a.png")
            assert (await client.stats())["total_entries"] == 1
            assert [entry["url"] async for entry in client.entries()] == [URL]
            assert (await client.swap_policy("gdsf:beta=0.75"))["options"]["beta"] == "0.75"
            assert (await client.rollback_policy())["name"] == "lru" == (await client.policy())["name"]
            assert await client.remove(URL) is True and await client.remove(URL) is False

    run(main())


def test_media_urls_have_the_digest_in_their_path(service, run, png):
    async def main():
        client = Client(service[1], signing_key=KEY, digest_paths=True)
        assert await client.put(URL, png, "image/png", "a.png") is True
        assert await client.get(URL) == (png, "image/png", "a.png")
        path = client.media_url(URL).removeprefix(service[1])
        digest = "75bf1c43e7a305dc7696635076e579c12e3d214dd84da4bb5fdf1fadb9fb24f8"
        assert re.fullmatch(rf"/media/[0-9a-f]{{64}}/{digest}/https%3A%2F%2Fexample\.org%2Fa%2520file\.png", path)
        until = client.media_url(URL, expires=1900000000).removeprefix(service[1])
        assert until.endswith("?expires=1900000000") and until[:71] != path[:71]
        for signed in (path, until):
            # The listener for media requires the signature.
            assert urllib.request.urlopen(service[0] + signed).read() == png
        unsigned = Client(service[1], digest_paths=True)
        assert unsigned.media_url(URL, expires=1) == f"{service[1]}/media/unsigned/{path[72:]}"
        wrong = Client(service[0], signing_key=KEY, digest_paths=True, cache_key=lambda url: url.upper())
        with pytest.raises(ServiceError) as raised:
            await wrong.get(URL)
        assert (raised.value.status, raised.value.code) == (400, "wrong-digest") and digest in str(raised.value)

    run(main())


def test_problem_documents_become_exceptions(service, run):
    async def main():
        async with Client(service[1], signing_key=KEY) as client:
            with pytest.raises(RefusedError) as refused:
                await client.get_or_download("http://127.0.0.1/a.png")
            assert (refused.value.status, refused.value.code) == (403, "refused")
        async with Client(service[0]) as unsigned:
            with pytest.raises(ServiceError) as raised:
                await unsigned.get(URL)
            assert (raised.value.status, raised.value.code) == (403, "unsigned")

    run(main())
    assert NotAdmittedError.status == 507
