"""The examples, as two processes on one directory."""

import pathlib
import re
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


@pytest.fixture
def start(tmp_path):
    """Starts an example on a directory."""
    processes = []

    def start(name, *options):
        command = [sys.executable, EXAMPLES / name, tmp_path / "cache", *options]
        processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1))
        return processes[-1]

    yield start
    for process in processes:
        with process:
            process.terminate()


def read(url):
    with urllib.request.urlopen(url, timeout=20) as response:
        return response.headers, response.read()


def test_admin_page_shows_what_the_gateway_has_downloaded(start, http_origin, png):
    gateway = start("gateway.py")
    assert gateway.stdout.readline().startswith("owner of ")
    for _ in range(2):
        gateway.stdin.write(http_origin.url("/a.png") + "\n")
        assert gateway.stdout.readline() == f"{http_origin.url('/a.png')}: a.png, image/png, {len(png)} bytes\n"
    gateway.stdin.write(http_origin.url("/404") + "\n")
    assert "404" in gateway.stdout.readline() and [path for path, _ in http_origin.requests] == ["/a.png", "/404"]

    admin = start("admin.py", "--port", "0")
    address = re.search(r"http://127.0.0.1:\d+", admin.stdout.readline()).group()
    page = read(address)[1].decode()
    assert "<th>total_entries<td>1<" in page and "<th>downloads<td>1<" in page and http_origin.url("/a.png") in page
    media = re.search(r"href='(/media\?url=[^']+)'", page).group(1)
    headers, body = read(address + media)
    assert (headers["Content-Type"], body) == ("image/png", png)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        read(address + "/media?url=https://example.org/none")

    # The page also works once the gateway has ended.
    gateway.stdin.close()
    assert gateway.wait(20) == 0
    assert "<th>total_entries<td>1<" in read(address)[1].decode()
