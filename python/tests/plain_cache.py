"""The original class in 60 lines: a plain Python cache with two files for each entry, against which the package is compared."""

import asyncio
import hashlib
import json
import os
import time
from collections import OrderedDict


class PlainCache:
    def __init__(self, cache_dir="media_cache", max_size_mb=500, max_memory_items=64):
        self.dir, self.max_bytes, self.max_items = cache_dir, max_size_mb << 20, max_memory_items
        self.index, self.memory, self.total, self.loaded = OrderedDict(), OrderedDict(), 0, False
        self.lock, self.pending = asyncio.Lock(), {}

    def _paths(self, url):
        base = os.path.join(self.dir, hashlib.sha256(url.encode()).hexdigest())
        return base + ".dat", base + ".json"

    async def ensure_loaded(self):
        if self.loaded:
            return
        self.loaded = True
        os.makedirs(self.dir, exist_ok=True)
        names = [name for name in os.listdir(self.dir) if name.endswith(".json")]
        metas = [json.load(open(os.path.join(self.dir, name))) for name in names]
        for meta in sorted(metas, key=lambda meta: meta["ts"]):
            self.index[meta["url"]] = meta
            self.total += meta["size"]

    async def get(self, url):
        async with self.lock:
            await self.ensure_loaded()
            if (meta := self.index.get(url)) is None:
                return None
            self.index.move_to_end(url)
            if url not in self.memory:
                with open(self._paths(url)[0], "rb") as file:
                    self._remember(url, file.read())
            self.memory.move_to_end(url)
            return self.memory[url], meta["mimetype"], meta["filename"]

    def _remember(self, url, data):
        self.memory[url] = data
        while len(self.memory) > self.max_items:
            self.memory.popitem(last=False)

    async def put(self, url, data, mimetype, filename):
        async with self.lock:
            await self.ensure_loaded()
            if url in self.index:
                return
            meta = {"mimetype": mimetype, "filename": filename, "url": url, "ts": time.time(), "size": len(data)}
            for path, content in zip(self._paths(url), (data, json.dumps(meta).encode())):
                with open(path + ".tmp", "wb") as file:
                    file.write(content)
                os.replace(path + ".tmp", path)
            self.index[url] = meta
            self.total += len(data)
            self._remember(url, data)
            while self.total > self.max_bytes:
                old, meta = self.index.popitem(last=False)
                self.total -= meta["size"]
                self.memory.pop(old, None)
                for path in self._paths(old):
                    os.unlink(path)

    async def get_or_download(self, url, downloader):
        if (stored := await self.get(url)) is not None:
            return stored
        if (running := self.pending.get(url)) is None:
            running = self.pending[url] = asyncio.ensure_future(downloader(url))
            running.add_done_callback(lambda _: self.pending.pop(url, None))
        data, mimetype, filename = await asyncio.shield(running)
        if data:
            await self.put(url, data, mimetype, filename)
        return data, mimetype, filename
