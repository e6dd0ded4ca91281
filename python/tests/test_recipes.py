"""The bridge from Discord in ``contrib/recipes``, with its configuration. Needs the program, whose path is in `SERVICE_PROGRAM`."""

import os
import pathlib
import re
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

PROGRAM = os.environ.get("SERVICE_PROGRAM")
RECIPES = pathlib.Path(__file__).parents[2] / "contrib" / "recipes"
ATTACHMENT = "/attachments/1/2/a.png"

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="SERVICE_PROGRAM is not set")


def signed(number):
    """An attachment as Discord signs it, with a size, which is not part of the signature."""
    return f"{ATTACHMENT}?ex=6{number}&is=5{number}&hm={number:064x}&width=100"


@pytest.fixture
def key(tmp_path):
    file = tmp_path / "key"
    file.write_text("0123456789abcdef0123456789abcdef\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def service(tmp_path, key):
    """The address of a service with the configuration of the recipe, for an origin on this machine instead of Discord."""
    configuration = (RECIPES / "discord.toml").read_text()
    changed = re.sub(r'key-rules = .*', 'key-rules = ["127.0.0.1:ex+is+hm", "fragments"]', configuration)
    changed = re.sub(r'allow-host = .*', 'allow-address = ["127.0.0.0/8"]', changed)
    changed = changed.replace("/etc/media-cache/signing-key", str(key))
    assert changed.count("127.0.0.1:ex") == changed.count("127.0.0.0/8") == 1 and "discord" not in changed.replace("Discord", "")
    file = tmp_path / "discord.toml"
    file.write_text(changed)
    options = ["--config", file, "--dir", tmp_path / "cache", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MEDIA_CACHE_")}
    process = subprocess.Popen([PROGRAM, "serve", *options], env=environment, stdout=subprocess.PIPE, text=True)
    yield re.search(r"http://\S+", process.stdout.readline()).group()
    process.terminate()
    process.wait()


def test_bridge_links_to_attachments_that_discord_no_longer_serves(service, key, http_origin, png):
    http_origin.responses |= {signed(number): (200, {"Content-Type": "image/png"}, png) for number in (1, 2)}
    bridge = subprocess.Popen(
        [sys.executable, RECIPES / "discord_bridge.py", service, service, key],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )

    def forward(path):
        bridge.stdin.write(http_origin.url(path) + "\n")
        return bridge.stdout.readline().strip()

    with bridge:
        links = [forward(signed(number)) for number in (1, 2)]
        failure = forward("/404")
        bridge.stdin.close()
        assert bridge.wait(20) == 0
    assert links[0] == links[1] and "width" in links[0] and "hm%3D" not in links[0]
    assert failure.startswith(http_origin.url("/404") + ": ") and "404" in failure
    assert len([path for path, _ in http_origin.requests if path.startswith(ATTACHMENT)]) == 1
    with urllib.request.urlopen(links[0], timeout=20) as response:
        assert response.read() == png
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(links[0].replace("a.png", "b.png"), timeout=20)
