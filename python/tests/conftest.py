"""Fixtures for all tests."""

import asyncio
import io
import struct

import pytest

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4


@pytest.fixture
def png():
    return PNG


@pytest.fixture
def gif():
    """An animation of two frames, 16 by 16 pixels."""
    out = io.BytesIO()
    out.write(b"GIF89a" + struct.pack("<HHBBB", 16, 16, 0x80, 0, 0) + b"\x00\x00\x00\xff\xff\xff")
    for colour in (0, 1):
        out.write(b"\x21\xf9\x04\x00\x0a\x00\x00\x00" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 16, 16, 0))
        # Codes of 3 bits, with a clear code before every second pixel, so that their length stays the same.
        bits = [code for _ in range(128) for code in (4, colour, colour)] + [5]
        value = sum(code << (3 * at) for at, code in enumerate(bits))
        data = value.to_bytes((3 * len(bits) + 7) // 8, "little")
        out.write(b"\x02" + b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255)) + b"\x00")
    out.write(b"\x3b")
    return out.getvalue()


@pytest.fixture
def run():
    return asyncio.run


class Origin:
    """A downloader that counts its calls."""

    def __init__(self, data=PNG, mimetype="image/png", filename="a.png", error=None):
        self.result, self.error, self.calls = (data, mimetype, filename), error, 0

    async def __call__(self, url):
        self.calls += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.result


@pytest.fixture
def origin():
    return Origin
