"""What happens to caches when the process forks or exits."""

from __future__ import annotations

import atexit
import os

from . import _native

#: How long closing all caches may take when the interpreter exits, in seconds.
EXIT_LIMIT = 10.0

# The sockets and locks that were open when the process forked. They are listed before the fork, since another thread might hold the mutex
# of the list during it.
_inherited: list[int] = []


def _before_fork() -> None:
    _inherited[:] = _native.open_descriptors()


def _after_fork_in_child() -> None:
    """Releases what the child inherited, so that it cannot be mistaken for its parent when that ends."""
    if not _native.is_started():
        return
    _native.mark_forked()
    for descriptor in _inherited:
        try:
            os.close(descriptor)
        except OSError:
            pass


def _at_exit() -> None:
    _native.close_all(EXIT_LIMIT)


def register() -> None:
    """Registers the handlers, once."""
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
    atexit.register(_at_exit)
