"""The cache in this process, or in the process that owns its directory."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, Self, TypedDict, cast

from . import _native

__all__ = ["Downloader", "Entry", "Media", "MediaCache", "MediaView", "Policy", "Stats"]

#: The data, the media type and the file name.
Media = tuple[bytes, str, str]

#: The same with a view of the bytes in the cache.
MediaView = tuple[memoryview, str, str]

#: An async callable that takes a URL and returns media, or ``None`` if there is none.
Downloader = Callable[[str], Awaitable[tuple[bytes, str | None, str | None] | None]]

#: The number of entries that are listed at a time.
_PAGE = 256

_DEFAULTS = dict(_native.default_options())


class _DefaultInt(int):
    """A default value, to tell whether the caller set the option."""


class _DefaultStr(str):
    """A default value, to tell whether the caller set the option."""


def _default_int(name: str) -> int:
    return _DefaultInt(_DEFAULTS[name])


def _default_str(name: str) -> str:
    return _DefaultStr(_DEFAULTS[name])


class Stats(TypedDict):
    """Counters and sizes. MB means 1,048,576 bytes."""

    total_entries: int
    in_memory_entries: int
    total_bytes: int
    total_mb: float
    disk_bytes: int
    max_disk_bytes: int
    max_size_mb: float
    max_entry_bytes: int
    other_disk_bytes: int
    memory_bytes: int
    max_memory_bytes: int
    max_memory_items: int
    open_files: int
    max_open_files: int
    hits: int
    disk_hits: int
    misses: int
    hit_rate: float
    downloads: int
    download_failures: int


class Entry(TypedDict):
    """A stored entry. Times are in seconds since 1970."""

    url: str
    mimetype: str
    filename: str
    size: int
    disk_size: int
    stored_at: float
    accessed_at: float
    hits: int
    resident: bool


class Policy(TypedDict):
    """The active eviction policy."""

    name: str
    version: str
    doc: str
    origin: str
    digest: str
    options: dict[str, str]
    since: float
    calls: int
    seconds: float
    memory_bytes: int
    rejected_ids: int
    swaps: int
    fallbacks: int
    previous: str | None


class MediaCache(_native.Cache):
    """A cache of media in a directory.

    The first call opens the directory. If another process of this user already uses it, this process attaches to that one, and takes over
    when it ends. Options of the directory that are not given are then those of the other process; one that is given and differs raises
    ``OptionConflictError``.
    """

    def __new__(
        cls,
        cache_dir: str | os.PathLike[str] = "media_cache",
        max_size_mb: int = _default_int("max-size-mb"),
        max_memory_items: int = _default_int("max-memory-items"),
        *,
        max_memory_mb: int = _default_int("max-memory-mb"),
        policy: str = _default_str("policy"),
        durability: str = _default_str("durability"),
        gif: str = _default_str("gif"),
        key_rules: str = _default_str("key-rules"),
        max_body_mb: int = 100,
        allow_addresses: Iterable[str] = (),
        headers: Mapping[str, str] | None = None,
        failure_memory_seconds: float = 0,
    ) -> Self:
        """Remembers the options. This does not touch the directory.

        ``max_size_mb``, ``max_memory_items``, ``max_memory_mb``, ``policy``, ``durability``, ``gif`` and ``key_rules`` (which URLs share an
        entry, such as ``discord,*.example.org:sig``) are options of the directory. The others apply to downloads of the built-in downloader while this process owns the directory: the largest body, addresses that may be
        fetched from although they are not public (``127.0.0.1``, ``10.0.0.0/8``), headers of the requests, and how long failed downloads are
        remembered. Credentials need a host, and are sent to it over https: ``{"example.org=Authorization": "Bearer …"}``.
        """
        given = {
            "max-size-mb": max_size_mb,
            "max-memory-items": max_memory_items,
            "max-memory-mb": max_memory_mb,
            "policy": policy,
            "durability": durability,
            "gif": gif,
            "key-rules": key_rules,
        }
        explicit = {name: value for name, value in given.items() if not isinstance(value, (_DefaultInt, _DefaultStr))}
        for name, value in explicit.items():
            _check(name, value)
        return super().__new__(
            cls,
            os.path.abspath(os.fspath(cache_dir)),
            [(name, str(value)) for name, value in explicit.items()],
            max_body_mb,
            [str(address) for address in allow_addresses],
            [f"{name}: {value}" for name, value in (headers or {}).items()],
            failure_memory_seconds,
        )

    def stats(self) -> Stats:
        """Counters and sizes. Blocks briefly, and for at most a second. Everything is zero before the first call has opened the directory."""
        stats: dict[str, Any] | None = self.open_stats()
        if stats is None:
            stats = dict.fromkeys(Stats.__annotations__, 0)
            stats.update(total_mb=0.0, hit_rate=0.0, max_size_mb=float(_DEFAULTS["max-size-mb"]))
        return cast(Stats, stats)

    async def entries(self) -> AsyncIterator[Entry]:
        """All entries, least recently used first."""
        after: int | None = None
        while True:
            page, after = await self.entries_page(after, _PAGE)
            for entry in page:
                yield entry
            if after is None:
                return

    async def __aenter__(self) -> Self:
        await self.ensure_loaded()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<MediaCache {self.directory} ({self.role})>"


def _check(name: str, value: object) -> None:
    if isinstance(value, str) == (name in ("policy", "durability", "gif", "key-rules")) and not isinstance(value, bool):
        if isinstance(value, (str, int)) and (isinstance(value, str) or value >= (name == "max-size-mb")):
            return
    raise ValueError(f"{name.replace('-', '_')}: {value!r} is not a valid value")
