"""A client for the HTTP service, in pure Python."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.client
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any, Self, cast
from urllib.parse import quote, urlencode, urlsplit

from .cache import Entry, Media, Policy, Stats
from .errors import MediaCacheError, UnreachableError, error

__all__ = ["Client"]

#: The number of entries that are requested at a time.
_PAGE = 1000


class Client:
    """Uses a running service through its HTTP interface, described in ``docs/http.md``.

    ``token`` is needed for requests that change something, unless ``base_url`` is an admin listener. With ``signing_key``, requests for media
    are signed. Requests run on threads, each with a connection of its own.

    With ``digest_paths``, requests for media have the digest of the cache key in their path, for load balancers
    (``docs/load-balancing.md``). If the service has key rules, ``cache_key`` must return the cache key of a URL.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        signing_key: bytes | None = None,
        digest_paths: bool = False,
        cache_key: Callable[[str], str] | None = None,
        timeout: float = 330,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"base_url: {base_url!r} is not an http or https URL")
        self._base = parts
        self._token, self._key, self._timeout = token, signing_key, timeout
        self._digest_paths, self._cache_key = digest_paths, cache_key
        self._connections = threading.local()

    async def get(self, url: str) -> Media | None:
        """Returns the stored media of a URL as ``(data, mimetype, filename)``, or ``None``. The origin is not contacted."""
        try:
            return await self._media(url, {"Cache-Control": "only-if-cached"})
        except MediaCacheError as failure:
            if failure.code == "not-stored":
                return None
            raise

    async def get_or_download(self, url: str) -> Media:
        """Returns the media of a URL. The service downloads and stores it if necessary."""
        return await self._media(url, {})

    async def put(self, url: str, data: bytes, mimetype: str, filename: str) -> bool:
        """Stores media. Returns whether it is new. If media is already stored for the URL, that is kept."""
        query = {"url": url} | ({"filename": filename} if filename else {})
        status, _, _ = await self._request("PUT", "/media", query, data, {"Content-Type": mimetype})
        return status == 201

    async def remove(self, url: str) -> bool:
        """Removes the media of a URL. Returns whether there was any."""
        try:
            await self._request("DELETE", "/media", {"url": url})
        except MediaCacheError as failure:
            if failure.code == "not-stored":
                return False
            raise
        return True

    async def stats(self) -> Stats:
        """Counters and sizes."""
        document: Any = await self._document("GET", "/stats")
        downloads = document["downloads"]
        stats = document["media_cache"] | {"downloads": downloads["succeeded"], "download_failures": downloads["failed"]}
        return cast(Stats, stats)

    async def entries(self) -> AsyncIterator[Entry]:
        """All entries, least recently used first."""
        after: dict[str, str] = {}
        while True:
            page: Any = await self._document("GET", "/entries", {"limit": str(_PAGE), **after})
            for entry in page["entries"]:
                yield entry
            if page["next"] is None:
                return
            after = {"after": str(page["next"])}

    async def policy(self) -> Policy:
        """The active eviction policy."""
        return cast(Policy, await self._document("GET", "/policy"))

    async def swap_policy(self, policy: str) -> Policy:
        """Replaces the eviction policy with a built-in one, such as ``gdsf:beta=0.75``, and returns the new one."""
        name, _, options = policy.partition(":")
        pairs = [option.partition("=")[::2] for option in options.split(",") if option]
        return cast(Policy, await self._document("PUT", "/policy", {"name": name, **dict(pairs)}))

    async def rollback_policy(self) -> Policy:
        """Restores the previous eviction policy."""
        return cast(Policy, await self._document("POST", "/policy/rollback"))

    def media_url(self, url: str, expires: int | None = None) -> str:
        """The URL under which the service returns media: signed, if there is a key, until ``expires`` in seconds since 1970."""
        until = "" if expires is None or self._key is None else str(expires)
        times = {"expires": until} if until else {}
        signature = self._signature(url, until)
        if self._digest_paths:
            key = url if self._cache_key is None else self._cache_key(url)
            digest = hashlib.sha256(key.encode()).hexdigest()
            return self._target(f"/media/{signature or 'unsigned'}/{digest}/{quote(url, safe='')}", times)
        return self._target("/media", {"url": url} | times | ({"signature": signature} if signature else {}))

    async def close(self) -> None:
        """Closes nothing: connections are closed with their threads. For symmetry with ``MediaCache``."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _signature(self, url: str, until: str) -> str | None:
        if self._key is None:
            return None
        return hmac.new(self._key, f"media-cache-v1\n{until}\n{url}".encode(), hashlib.sha256).hexdigest()

    def _target(self, path: str, query: dict[str, str]) -> str:
        return self._base.geturl().rstrip("/") + path + ("?" + urlencode(query, quote_via=quote, safe="") if query else "")

    async def _media(self, url: str, headers: dict[str, str]) -> Media:
        target = urlsplit(self.media_url(url))._replace(scheme="", netloc="").geturl()
        _, received, body = await asyncio.to_thread(self._exchange, "GET", target, None, headers)
        return body, received.get_content_type(), received.get_filename() or "media"

    async def _document(self, method: str, path: str, query: dict[str, str] | None = None) -> Any:
        _, _, body = await self._request(method, path, query or {})
        return json.loads(body)

    async def _request(
        self, method: str, path: str, query: dict[str, str], body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        target = self._base.path.rstrip("/") + path + ("?" + urlencode(query, quote_via=quote, safe="") if query else "")
        return await asyncio.to_thread(self._exchange, method, target, body, headers or {})

    def _exchange(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Makes one request on this thread's connection. A request on a connection that the service has closed is repeated once."""
        if self._token is not None:
            headers = {**headers, "Authorization": f"Bearer {self._token}"}
        for attempt in range(2):
            connection = getattr(self._connections, "connection", None)
            is_new = connection is None
            if connection is None:
                kind = http.client.HTTPSConnection if self._base.scheme == "https" else http.client.HTTPConnection
                connection = self._connections.connection = kind(self._base.hostname or "", self._base.port, timeout=self._timeout)
            try:
                connection.request(method, target, body, headers)
                response = connection.getresponse()
                received = response.read()
                break
            except (OSError, http.client.HTTPException) as failure:
                connection.close()
                self._connections.connection = None
                if is_new or attempt:
                    raise UnreachableError(f"{self._base.netloc}: {failure}") from failure
        if response.status >= 400:
            raise _problem(response, received)
        return response.status, response.headers, received


def _problem(response: http.client.HTTPResponse, body: bytes) -> MediaCacheError:
    """The exception for an error response."""
    try:
        document = json.loads(body)
    except ValueError:
        document = {}
    retry_after = response.headers.get("Retry-After", "")
    message = document.get("detail") or response.reason
    return error(document.get("code", "error"), message, int(retry_after) if retry_after.isdigit() else None, response.status)
