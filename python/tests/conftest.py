"""Fixtures for all tests."""

import asyncio
import http.server
import io
import struct
import threading

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


class HttpOrigin(http.server.ThreadingHTTPServer):
    """Serves responses by path: the status, headers and the body."""

    def __init__(self, responses):
        self.responses, self.requests = responses, []
        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append((self.path, self.headers))
        status, headers, body = self.server.responses[self.path]
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def http_origin(png, gif):
    """An HTTP server on this machine."""
    page = (200, {"Content-Type": "text/html"}, b"<p>no image</p>")
    origin = HttpOrigin(
        {
            "/a.png": (200, {"Content-Type": "image/png"}, png),
            "/named": (200, {"Content-Type": "image/png", "Content-Disposition": 'inline; filename="b.png"'}, png),
            "/moved": (302, {"Location": "/a.png"}, b""),
            "/a.gif": (200, {"Content-Type": "image/gif"}, gif),
            "/page": page,
            "/empty": (200, {"Content-Type": "image/png"}, b""),
            "/large": (200, {"Content-Type": "image/png"}, png + bytes(2 << 20)),
            "/short": (200, {"Content-Type": "image/png", "Content-Length": 2 * len(png)}, png),
            "/coded": (200, {"Content-Type": "image/png", "Content-Encoding": "gzip"}, png),
            "/busy": (503, {"Retry-After": "7"}, b""),
            **{f"/{status}": (status, {}, b"") for status in (401, 404, 410, 418, 451)},
        }
    )
    thread = threading.Thread(target=origin.serve_forever, args=(0.01,))
    thread.start()
    yield origin
    origin.shutdown()
    thread.join()
    origin.server_close()
