"""What happens to caches when the process forks or exits."""

from __future__ import annotations

import atexit
import os

from . import _native

#: How long closing all caches may take when the interpreter exits, in seconds.
EXIT_LIMIT = 10.0

_LOCK_FILE = "media-cache.lock"

# The sockets that were open when the process forked. They are listed before the fork, since another thread might hold their lock during it.
_inherited: list[int] = []


def _before_fork() -> None:
    _inherited[:] = _native.open_descriptors()


def _after_fork_in_child() -> None:
    """Releases what the child inherited, so that it cannot be mistaken for its parent when that ends."""
    if not _native.is_started():
        return
    _native.mark_forked()
    for descriptor in [*_inherited, *_lock_files()]:
        try:
            os.close(descriptor)
        except OSError:
            pass


def _lock_files() -> list[int]:
    """The descriptors of the files by which directories are locked."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if os.path.basename(path).removesuffix(" (deleted)") == _LOCK_FILE:
            found.append(int(name))
    return found


def _at_exit() -> None:
    _native.close_all(EXIT_LIMIT)


def register() -> None:
    """Registers the handlers, once."""
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
    atexit.register(_at_exit)
