"""The native module. Use ``media_cache.MediaCache``, which extends ``Cache``."""

import os
import sys
from collections.abc import Coroutine, Generator
from typing import Any, Self, final

from .cache import Downloader, Entry, Media, MediaView, Policy

__all__ = [
    "Body",
    "Cache",
    "Call",
    "close_all",
    "default_options",
    "failure_kinds",
    "is_started",
    "mark_forked",
    "open_descriptors",
]

def close_all(limit: float) -> bool: ...
def default_options() -> list[tuple[str, str]]: ...
def failure_kinds() -> list[tuple[str, int]]: ...
def is_started() -> bool: ...
def mark_forked() -> None: ...
def open_descriptors() -> list[int]: ...

@final
class Body:
    def __len__(self) -> int: ...
    if sys.version_info >= (3, 12):
        def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Call[T](Coroutine[Any, Any, T]):
    """A call that can be awaited once. Nothing happens before it is awaited."""

    def __await__(self) -> Generator[Any, Any, T]: ...
    def send(self, value: Any, /) -> Any: ...
    def throw(self, kind: Any, value: Any = None, traceback: Any = None, /) -> Any: ...
    def close(self) -> None: ...

class Cache:
    def __new__(
        cls,
        directory: str,
        options: list[tuple[str, str]],
        max_body_mb: int,
        allow_addresses: list[str],
        headers: list[str],
        failure_memory_seconds: float,
    ) -> Self: ...
    @property
    def directory(self) -> os.PathLike[str]:
        """The absolute path of the directory."""
    @property
    def role(self) -> str:
        """``unopened``, ``owner``, ``attached`` or ``closed``."""
    def ensure_loaded(self) -> Call[None]:
        """Opens the directory, or attaches to the process that owns it. All other calls do this too."""
    def get(self, url: str) -> Call[Media | None]:
        """Returns the stored media of a URL as ``(data, mimetype, filename)``, or ``None``."""
    def get_view(self, url: str) -> Call[MediaView | None]:
        """Like ``get``, but returns a ``memoryview`` of the bytes in the cache, which are not copied."""
    def get_or_download(self, url: str, downloader: Downloader | None = None) -> Call[Media]:
        """Returns the stored media of a URL. If there is none, downloads and stores it.

        ``downloader`` is an async callable that takes the URL and returns ``(data, mimetype, filename)``. It runs in the event loop of this
        call. Concurrent calls for the same media share one download, and all of them get the exception if it fails. Without ``downloader``,
        the built-in one is used.
        """
    def get_or_download_view(self, url: str, downloader: Downloader | None = None) -> Call[MediaView]:
        """Like ``get_or_download``, but returns a ``memoryview``, like ``get_view``."""
    def put(self, url: str, data: bytes | bytearray | memoryview, mimetype: str, filename: str) -> Call[bool]:
        """Stores media. Returns whether it is new. If media is already stored for the URL, that is kept. A GIF is converted to MP4."""
    def remove(self, url: str) -> Call[bool]:
        """Removes the media of a URL. Returns whether there was any."""
    def entries_page(self, after: int | None, limit: int) -> Call[tuple[list[Entry], int | None]]: ...
    def open_stats(self) -> dict[str, Any] | None: ...
    def policy(self) -> Call[Policy]:
        """The active eviction policy."""
    def swap_policy(self, policy: str) -> Call[Policy]:
        """Replaces the eviction policy, such as ``gdsf:beta=0.75`` or the file of a component, and returns the new one."""
    def rollback_policy(self) -> Call[Policy]:
        """Restores the previous eviction policy."""
    def close(self) -> Call[None]:
        """Finishes the work in progress and releases the directory. Every later call raises ``ClosedError``."""
