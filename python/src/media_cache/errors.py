"""Exceptions. Each has the HTTP status and the code that the service uses for the same failure."""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BrokeDownError",
    "BrokenAnswerError",
    "CannotOpenError",
    "ClosedError",
    "CustomError",
    "DegradedError",
    "DeniedError",
    "DiskFailedError",
    "DownloadError",
    "EmptyBodyError",
    "EncodedBodyError",
    "ForkError",
    "GoneError",
    "InvalidUrlError",
    "MediaCacheError",
    "NoSpaceError",
    "NoStoreError",
    "NotAdmittedError",
    "NotFoundError",
    "NotReadyError",
    "OptionConflictError",
    "OriginStatusError",
    "OtherError",
    "OverloadedError",
    "OverlongBodyError",
    "PartialBodyError",
    "PolicyError",
    "RefusedError",
    "ServiceError",
    "ShortBodyError",
    "StoreError",
    "TimedOutError",
    "TooLargeError",
    "TooManyRedirectsError",
    "UnacceptableTypeError",
    "UnavailableError",
    "UnavailableForLegalReasonsError",
    "UnreachableError",
]


class MediaCacheError(Exception):
    """Any failure of a cache or of the service."""

    #: The name of the failure, as in the problem documents of the service.
    code: str = "error"
    #: The HTTP status of the failure.
    status: int = 500
    #: After how many seconds a retry may succeed, if that is known.
    retry_after: int | None = None

    by_code: ClassVar[dict[str, type[MediaCacheError]]] = {}

    def __init_subclass__(cls, code: str | None = None, status: int | None = None) -> None:
        if code is not None:
            cls.code = code
            MediaCacheError.by_code[code] = cls
        if status is not None:
            cls.status = status


class DownloadError(MediaCacheError):
    """A download failed. Nothing was stored."""


class StoreError(MediaCacheError):
    """Something was not stored or removed."""


class InvalidUrlError(DownloadError, StoreError, code="invalid-url", status=400):
    """The URL is malformed, or of a kind that is never fetched."""


class RefusedError(DownloadError, code="refused", status=403):
    """The downloader is not allowed to fetch the URL."""


class NotFoundError(DownloadError, code="not-found", status=404):
    """The origin has nothing at the URL."""


class GoneError(DownloadError, code="gone", status=410):
    """The media is permanently gone from the origin."""


class DeniedError(DownloadError, code="denied", status=403):
    """The origin denied access."""


class UnavailableForLegalReasonsError(DownloadError, code="unavailable-for-legal-reasons", status=451):
    """The origin withholds the media for legal reasons."""


class OriginStatusError(DownloadError, code="origin-status", status=502):
    """The origin responded with a status that no other class covers."""


class TooLargeError(DownloadError, StoreError, code="too-large", status=413):
    """The media is larger than the limit for downloads, or than the budget of the cache."""


class TimedOutError(DownloadError, code="timed-out", status=504):
    """The origin was too slow."""


class UnreachableError(DownloadError, code="unreachable", status=502):
    """The origin could not be reached."""


class BrokenAnswerError(DownloadError, code="broken-answer", status=502):
    """The response is not valid HTTP."""


class ShortBodyError(DownloadError, code="short-body", status=502):
    """The body ended early."""


class OverlongBodyError(DownloadError, code="overlong-body", status=502):
    """The origin sent more bytes than it declared."""


class EmptyBodyError(DownloadError, code="empty-body", status=502):
    """The body is empty, or the downloader returned nothing."""


class PartialBodyError(DownloadError, code="partial-body", status=502):
    """The origin sent only a part of the body."""


class EncodedBodyError(DownloadError, code="encoded-body", status=502):
    """The body has a content coding, although none was requested."""


class UnacceptableTypeError(DownloadError, code="unacceptable-type", status=415):
    """The downloader does not accept the media type."""


class TooManyRedirectsError(DownloadError, code="too-many-redirects", status=502):
    """The origin redirected too often."""


class UnavailableError(DownloadError, code="unavailable", status=503):
    """The origin is temporarily unavailable."""


class OverloadedError(DownloadError, code="overloaded", status=503):
    """The downloader has no capacity left."""


class CustomError(DownloadError, code="custom", status=502):
    """A downloader of another process failed, or a downloader did not finish."""


class OtherError(DownloadError, code="other", status=502):
    """The download failed for another reason."""


class NotAdmittedError(StoreError, code="not-admitted", status=507):
    """The eviction policy refused the entry."""


class NoStoreError(StoreError, code="no-store", status=507):
    """The origin does not allow the media to be stored."""


class NotReadyError(StoreError, code="not-ready", status=503):
    """The directory is still being loaded."""


class NoSpaceError(StoreError, code="no-space", status=507):
    """There is not enough space for the entry at the moment."""


class DiskFailedError(StoreError, code="disk-failed", status=507):
    """The disk failed."""


class BrokeDownError(MediaCacheError, code="broke-down", status=500):
    """The cache component crashed while serving the request."""


class DegradedError(MediaCacheError, code="degraded", status=503):
    """The cache does not respond at the moment, or the owner of its directory cannot be reached."""


class ClosedError(MediaCacheError, code="closed", status=503):
    """The cache was closed."""


class CannotOpenError(MediaCacheError, code="cannot-open", status=503):
    """The directory can neither be opened nor attached to."""


class PolicyError(MediaCacheError, code="unfit-policy", status=422):
    """The policy cannot be used. The previous one remains active."""


class ForkError(MediaCacheError, code="forked", status=503):
    """This process was forked from one that was using a cache."""


class ServiceError(MediaCacheError):
    """The service refused a request for a reason that concerns only the service. See ``code`` and ``status``."""


class OptionConflictError(MediaCacheError, code="option-conflict", status=409):
    """An option differs from that of the process that owns the directory."""

    def __init__(self, message: str, name: str, ours: str, theirs: str) -> None:
        super().__init__(message)
        #: The name of the option, as on the command line.
        self.name = name
        #: The value in this process.
        self.ours = ours
        #: The value in the process that owns the directory.
        self.theirs = theirs

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.name, self.ours, self.theirs)


def error(code: str, message: str, retry_after: int | None = None, status: int | None = None) -> MediaCacheError:
    """Creates the exception for a code."""
    created = MediaCacheError.by_code.get(code, ServiceError)(message)
    if code != created.code:
        created.code = code
    if status is not None and status != created.status:
        created.status = status
    if retry_after is not None:
        created.retry_after = retry_after
    return created
