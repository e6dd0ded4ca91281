"""Exceptions."""

import pickle

import pytest
from media_cache import InvalidUrlError, MediaCache, PolicyError, TooLargeError, _native, errors


def test_every_kind_of_failure_has_a_class_with_its_status():
    for code, status in _native.failure_kinds():
        kind = errors.MediaCacheError.by_code[code]
        assert issubclass(kind, errors.DownloadError)
        assert (kind.code, kind.status) == (code, status)
        assert kind.__name__ == "".join(part.title() for part in code.split("-")) + "Error"
        assert kind.__name__ in errors.__all__


def test_exceptions_can_be_pickled():
    failure = errors.error("unavailable", "later", 7)
    copy = pickle.loads(pickle.dumps(failure))
    assert (type(copy), copy.retry_after, str(copy)) == (errors.UnavailableError, 7, "later")
    conflict = pickle.loads(pickle.dumps(errors.OptionConflictError("differs", "policy", "lru", "sieve")))
    assert (str(conflict), conflict.name, conflict.ours, conflict.theirs) == ("differs", "policy", "lru", "sieve")


def test_failures_raise_the_class_of_their_kind(tmp_path, run):
    async def main():
        async with MediaCache(tmp_path, max_size_mb=1) as cache:
            with pytest.raises(InvalidUrlError):
                await cache.put("no url", b"x", "image/png", "a.png")
            with pytest.raises(TooLargeError) as raised:
                await cache.put("https://example.org/a", bytes(2 << 20), "image/png", "a.png")
            assert raised.value.status == 413
            with pytest.raises(errors.RefusedError) as refused:
                await cache.get_or_download("http://127.0.0.1:9/a.png")
            assert refused.value.status == 403
            with pytest.raises(PolicyError):
                await cache.swap_policy("no-such-policy")

    run(main())


@pytest.mark.parametrize(
    "wrong", [{"max_size_mb": 0}, {"max_size_mb": "1"}, {"max_memory_items": -1}, {"allow_addresses": ["x"]}, {"policy": 1}]
)
def test_invalid_option_is_refused_by_the_constructor(tmp_path, wrong):
    with pytest.raises(ValueError):
        MediaCache(tmp_path, **wrong)
