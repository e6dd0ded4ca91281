// Instantiates the cache component with everything that it imports.

import { readFile } from "node:fs/promises";
import { instantiate } from "../transpiled/cache.js";
import { Blob } from "./blobs.js";
import { downloader, transcoder } from "./downloader.js";
import { eviction } from "./eviction.js";
import { Descriptor, preopens } from "./filesystem.js";
import { storage } from "./storage.js";
import { clocks, wasi02 } from "./wasi.js";

export { Blob } from "./blobs.js";

/** The component's interface `cache`, in a new instance that can access this directory and nothing else. */
export async function load(directory) {
  const imports = {
    ...wasi02,
    ...clocks,
    "wasi:filesystem/preopens": preopens(directory),
    "wasi:filesystem/types": { Descriptor },
    "media-cache:cache/blobs": { Blob },
    "media-cache:cache/downloader": downloader,
    "media-cache:cache/storage": storage,
    "media-cache:cache/transcoder": transcoder,
    "media-cache:policy/eviction": eviction,
  };
  const core = async (name) => WebAssembly.compile(await readFile(new URL(`../transpiled/${name}`, import.meta.url)));
  return (await instantiate(core, imports)).cache;
}

/**
 * Runs calls one after another. A call of the cache may wait for another one, for example for a download of the same URL. The code that
 * jco 1.35 generates cannot wake such a call, which then fails with `deadlock detected`.
 */
export class Queue {
  #last = Promise.resolve();

  run(call) {
    const result = this.#last.then(call);
    this.#last = result.catch(() => {});
    return result;
  }
}
