"""The gateway of a bot: downloads the media of messages, each once. Standard input takes the place of a chat: one URL on each line."""

import asyncio
import sys

import aiohttp
from media_cache import MediaCache, MediaCacheError


async def main(directory: str) -> None:
    async with aiohttp.ClientSession() as session, MediaCache(directory, max_size_mb=500) as cache:

        async def download(url: str) -> tuple[bytes, str, str]:
            async with session.get(url, raise_for_status=True) as response:
                return await response.read(), response.content_type, response.url.name

        async def answer(url: str) -> None:
            try:
                data, mimetype, filename = await cache.get_or_download(url, download)
            except (aiohttp.ClientError, MediaCacheError) as error:
                print(f"{url}: {error}", flush=True)
            else:
                print(f"{url}: {filename}, {mimetype}, {len(data)} bytes", flush=True)

        print(f"{cache.role} of {cache.directory}", flush=True)
        async with asyncio.TaskGroup() as messages:
            while line := await asyncio.to_thread(sys.stdin.readline):
                messages.create_task(answer(line.strip()))


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "media_cache"))
