"""Several processes on one directory: attaching, taking over, forking and exiting."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from media_cache import MediaCache, OptionConflictError

URL = "https://example.org/a.png"


def start(code, directory):
    """Starts a process that runs `main(cache, say)`. `say` prints a line."""
    program = f"""
import asyncio, os, signal, sys, time
from media_cache import *
def say(*words): os.write(1, (" ".join(map(str, words)) + "\\n").encode())
{textwrap.dedent(code)}
if asyncio.iscoroutinefunction(main): asyncio.run(main(MediaCache({str(directory)!r})))
else: main(MediaCache({str(directory)!r}))
"""
    return subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


OWNER = """
async def main(cache):
    await cache.ensure_loaded()
    say(cache.role)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    await cache.close()
"""


@pytest.fixture
def owner(tmp_path):
    process = start(OWNER, tmp_path)
    assert process.stdout.readline() == "owner\n"
    yield process
    process.kill()
    process.wait()


def test_attached_process_has_the_same_methods(tmp_path, run, png, owner, origin):
    async def main():
        async with MediaCache(tmp_path) as cache:
            assert cache.role == "attached"
            assert await cache.put(URL, png, "image/png", "a.png") is True
            assert await cache.get(URL) == (png, "image/png", "a.png")
            assert bytes((await cache.get_view(URL))[0]) == png
            large = bytes(3_000_000)
            assert (await cache.get_or_download(URL + "2", origin(large)))[0] == large
            error = ValueError("no")
            with pytest.raises(ValueError) as raised:
                await cache.get_or_download(URL + "3", origin(error=error))
            assert raised.value is error
            assert cache.stats()["total_entries"] == 2
            assert {entry["url"] async for entry in cache.entries()} == {URL, URL + "2"}
            assert (await cache.policy())["name"] == "lru"
            assert (await cache.swap_policy("sieve"))["name"] == "sieve"
            assert await cache.remove(URL) is True and await cache.remove(URL) is False

    run(main())


def test_explicit_option_that_differs_from_that_of_the_owner_is_an_error(tmp_path, run, owner):
    async def main():
        with pytest.raises(OptionConflictError) as raised:
            await MediaCache(tmp_path, max_size_mb=123).ensure_loaded()
        assert (raised.value.name, raised.value.ours, raised.value.theirs) == ("max-size-mb", "123", "500")
        async with MediaCache(tmp_path, max_size_mb=500, policy="lru") as cache:
            assert cache.role == "attached"

    run(main())


def test_key_rules_of_the_owner_apply_in_all_processes_and_after_a_takeover(tmp_path, run, png):
    rules = """
    async def main(_):
        cache = MediaCache(%r, key_rules="discord")
        await cache.ensure_loaded()
        say(cache.role)
        sys.stdin.readline()
    """ % str(tmp_path)
    owner = start(rules, tmp_path)
    assert owner.stdout.readline() == "owner\n"
    attachment = "https://cdn.discordapp.com/attachments/1/2/a.png?ex="

    async def main():
        with pytest.raises(OptionConflictError) as raised:
            await MediaCache(tmp_path, key_rules="fragments").ensure_loaded()
        assert (raised.value.ours, raised.value.theirs) == ("fragments", "discord")
        async with MediaCache(tmp_path) as cache:
            await cache.put(attachment + "1", png, "image/png", "a.png")
            assert await cache.get(attachment + "2") == (png, "image/png", "a.png")
            owner.kill()
            assert await cache.get(attachment + "3") == (png, "image/png", "a.png")
            assert cache.role == "owner"

    run(main())
    owner.wait()


def test_attached_process_takes_over_within_a_second_of_a_kill(tmp_path, run, png, owner):
    async def main():
        async with MediaCache(tmp_path) as cache:
            await cache.put(URL, png, "image/png", "a.png")
            owner.kill()
            killed = time.monotonic()
            assert await cache.get(URL) == (png, "image/png", "a.png")
            assert time.monotonic() - killed < 1 and cache.role == "owner"

    run(main())


def test_takeover_works_while_a_forked_child_of_the_owner_lives(tmp_path, run, png):
    forking = """
    async def main(cache):
        await cache.ensure_loaded()
        if os.fork() == 0:
            try: await cache.get("https://example.org/a.png")
            except ForkError as error: say("child", error.code)
            try: await MediaCache("other").ensure_loaded()
            except ForkError as error: say("new", os.getpid())
            os.read(0, 1)
            os._exit(0)
        say("parent")
        await asyncio.sleep(60)
    """
    process = start(forking, tmp_path)
    lines = sorted(process.stdout.readline() for _ in range(3))
    assert lines[0] == "child forked\n" and lines[1].startswith("new ") and lines[2] == "parent\n"

    async def main():
        async with MediaCache(tmp_path) as cache:
            assert cache.role == "attached"
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            killed = time.monotonic()
            await cache.put(URL, png, "image/png", "a.png")
            assert time.monotonic() - killed < 1 and cache.role == "owner"
            os.kill(int(lines[1].split()[1]), 0)

    run(main())
    process.stdin.close()


def test_cache_can_be_created_before_a_fork_if_it_is_first_used_after_it(tmp_path):
    code = """
    def main(cache):
        if os.fork() == 0:
            asyncio.run(cache.put("https://example.org/a", b"x", "image/png", "a.png"))
            asyncio.run(cache.close())
            os._exit(7)
        say(os.waitstatus_to_exitcode(os.wait()[1]))
    """
    output, _ = start(code, tmp_path).communicate(timeout=20)
    assert output == "7\n"


def test_nothing_is_lost_when_the_interpreter_exits_without_close(tmp_path, run, png):
    code = """
    async def main(cache):
        for number in range(50):
            await cache.put(f"https://example.org/{number}", b"x" * 1000, "image/png", "a.png")
        for number in range(10):
            await cache.get(f"https://example.org/{number}")
    """
    process = start(code, tmp_path)
    assert process.wait(20) == 0

    async def main():
        async with MediaCache(tmp_path) as cache:
            entries = [entry async for entry in cache.entries()]
            assert len(entries) == 50
            # The order of use was saved too.
            assert {entry["url"].rsplit("/", 1)[1] for entry in entries[-10:]} == {str(number) for number in range(10)}

    run(main())


def test_exit_during_a_download_does_not_hang(tmp_path):
    code = """
    async def main(cache):
        async def download(url):
            say("started")
            await asyncio.sleep(60)
        asyncio.create_task(cache.get_or_download("https://example.org/a", download))
        await asyncio.sleep(0.2)
    """
    process = start(code, tmp_path)
    assert process.wait(10) == 0


def test_processes_share_one_download(tmp_path, run, png, owner):
    other = start(
        """
    async def main(cache):
        async def download(url):
            say("started")
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
            return b"theirs", "image/png", "a.png"
        data, _, _ = await cache.get_or_download("https://example.org/a.png", download)
        say(data)
    """,
        tmp_path,
    )
    assert other.stdout.readline() == "started\n"

    async def main():
        async def download(_):
            raise AssertionError("downloaded twice")

        async with MediaCache(tmp_path) as cache:
            waiting = asyncio.ensure_future(cache.get_or_download(URL, download))
            await asyncio.sleep(0.1)
            other.stdin.write("\n")
            other.stdin.flush()
            assert (await waiting)[0] == b"theirs"

    run(main())
    assert other.stdout.readline() == "b'theirs'\n" and other.wait(10) == 0


def test_repeated_kills_of_the_owner_lose_nothing(tmp_path, run):
    """Processes own the directory in turn, and are killed, while this one stores and reads."""

    async def main():
        owner = start(OWNER, tmp_path)
        owner.stdout.readline()
        cache = MediaCache(tmp_path)
        await cache.ensure_loaded()
        assert cache.role == "attached"
        stored = []

        async def write():
            for number in range(200):
                url = f"https://example.org/{number}"
                await cache.put(url, url.encode() * 100, "image/png", "a.png")
                stored.append(url)

        writing = asyncio.ensure_future(write())
        while len(stored) < 50:
            await asyncio.sleep(0.001)
        owner.kill()
        await writing
        for url in stored:
            assert (await cache.get(url))[0] == url.encode() * 100
        await cache.close()
        owner.wait()

    run(main())
