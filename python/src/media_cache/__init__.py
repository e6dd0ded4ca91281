"""A disk-backed, two-tier cache for downloaded media.

``MediaCache`` runs the cache in this process, or attaches to the process that already uses the directory. ``Client`` uses the HTTP service.
"""

from . import _process, errors
from .cache import Downloader, Entry, Media, MediaCache, MediaView, Policy, Stats
from .client import Client
from .errors import *  # noqa: F403

__all__ = [
    "Client", "Downloader", "Entry", "Media", "MediaCache", "MediaView", "Policy", "Stats", "errors", *errors.__all__
]

_process.register()
