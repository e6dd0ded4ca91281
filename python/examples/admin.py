"""An admin page for the cache of a bot, in a process of its own. Shows the statistics and the entries of the directory."""

import argparse
import html
from collections.abc import AsyncIterator
from urllib.parse import quote

from aiohttp import web
from media_cache import MediaCache

CACHE = web.AppKey("cache", MediaCache)


async def page(request: web.Request) -> web.Response:
    cache = request.app[CACHE]
    stats = "".join(f"<tr><th>{name}<td>{value}" for name, value in cache.stats().items())
    entries = [
        f"<tr><td><a href='/media?url={quote(entry['url'], safe='')}'>{html.escape(entry['url'])}</a>"
        f"<td>{html.escape(entry['mimetype'])}<td>{entry['size']}<td>{entry['hits']}"
        async for entry in cache.entries()
    ]
    policy = await cache.policy()
    return web.Response(
        text=f"<!doctype html><title>Media cache</title><h1>{html.escape(str(cache.directory))}</h1><table>{stats}</table>"
        f"<h2>Entries, least recently used first ({policy['name']})</h2><table><tr><th>URL<th>Type<th>Bytes<th>Hits{''.join(entries)}</table>",
        content_type="text/html",
    )


async def media(request: web.Request) -> web.Response:
    found = await request.app[CACHE].get(request.query["url"])
    if found is None:
        raise web.HTTPNotFound
    data, mimetype, _ = found
    # Media comes from strangers: it must not run scripts here.
    return web.Response(body=data, content_type=mimetype, headers={"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"})


def app(directory: str) -> web.Application:
    async def open_cache(app: web.Application) -> AsyncIterator[None]:
        async with MediaCache(directory) as app[CACHE]:
            yield

    app = web.Application()
    app.cleanup_ctx.append(open_cache)
    app.router.add_get("/", page)
    app.router.add_get("/media", media)
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", default="media_cache")
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args()
    web.run_app(app(options.directory), host="127.0.0.1", port=options.port)
