"""A client for checks: one keep-alive connection, and responses with unmodified heads."""

import socket
from dataclasses import dataclass

from processes import Failure


@dataclass
class Response:
    status: int
    head: bytes
    headers: dict
    body: bytes


class Client:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.address = address
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = self.socket.makefile("rb", buffering=1 << 16)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.input.close()
        self.socket.close()

    def get(self, target, headers=None):
        return self.request("GET", target, headers)

    def request(self, method, target, headers=None, body=b""):
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.address}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        head = []
        while not head or head[-1] != b"\r\n":
            line = self.input.readline()
            if not line:
                raise Failure(f"{self.address} closed the connection instead of answering {method} {target}")
            head.append(line)
        received = {}
        for line in head[1:-1]:
            name, value = line.decode("latin-1").split(":", 1)
            # Header lines with the same name form one list.
            received[name.lower()] = ", ".join(filter(None, [received.get(name.lower()), value.strip()]))
        status = int(head[0].split()[1])
        if "content-length" not in received:
            raise Failure(f"{self.address} answered {method} {target} with {status} and without a length")
        length = int(received["content-length"])
        body = self.input.read(length)
        if len(body) != length:
            raise Failure(f"{self.address} answered {method} {target} with {len(body)} of {length} bytes")
        return Response(status, b"".join(head), received, body)


def get(address, target, headers=None):
    """One request on a separate connection."""
    with Client(address) as client:
        return client.get(target, headers)
