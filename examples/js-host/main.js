// Stores media in a cache, downloads media once, and finds both again after a restart. Prints every call and its outcome.

import { mkdirSync } from "node:fs";
import http from "node:http";
import { Blob, Queue, load } from "./host/index.js";

const GREETING = "https://example.com/greeting.txt";

/** An origin on this machine, which counts its requests. */
async function startOrigin() {
  const origin = { requests: 0 };
  const server = http.createServer((_request, response) => {
    origin.requests += 1;
    response.writeHead(200, { "content-type": "text/plain", "cache-control": "max-age=3600" }).end("from the origin");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin.url = `http://127.0.0.1:${server.address().port}/page.txt`;
  origin.stop = () => server.close();
  return origin;
}

/** A cache in a directory, in an instance of its own. */
async function open(directory) {
  const { MediaCache } = await load(directory);
  const keyRules = { dropFragments: true, lowerCaseHosts: true, parameters: [] };
  const cache = new MediaCache({ directory: ".", maxDiskBytes: 100n << 20n, failureMemoryMs: [], keyRules, policyOptions: [] });
  const { entries } = await cache.ensureLoaded();
  console.log(`open: ${entries} entries`);
  return cache;
}

/** Describes media, and releases both of their handles, so that the cache can close files. */
function describe(media) {
  if (media === undefined) return "nothing";
  using body = media.body;
  using _file = media.file;
  return `${JSON.stringify(Buffer.from(body.bytes()).toString())}, ${media.mimetype}, from ${media.source}`;
}

const directory = process.argv[2] ?? "cache";
mkdirSync(directory, { recursive: true });
const origin = await startOrigin();

let cache = await open(directory);
const media = {
  body: Blob.fromBytes(Buffer.from("hello")),
  mimetype: "text/plain",
  filename: "greeting.txt",
  cacheControl: { cacheability: "public", age: 0 },
  validators: {},
};
const { media: stored, known } = await cache.put(GREETING, media);
console.log(`put: ${describe(stored)}, ${known ? "known" : "new"}`);
console.log(`get: ${describe(await cache.get(GREETING))}`);
console.log(`get of something else: ${describe(await cache.get("https://example.com/other.txt"))}`);

// Requests that arrive at the same time.
const queue = new Queue();
const downloads = [1, 2].map(() => queue.run(() => cache.getOrDownload(origin.url, undefined)));
for (const media of await Promise.all(downloads)) console.log(`get-or-download: ${describe(media)}`);
console.log(`requests to the origin: ${origin.requests}`);
try {
  await cache.getOrDownload("http://127.0.0.1:1/", undefined);
} catch (error) {
  console.log(`get-or-download without an origin: ${error.payload.tag}`);
}
await cache.close();

cache = await open(directory);
for (const url of [GREETING, origin.url]) console.log(`get: ${describe(await cache.get(url))}`);
const { hits, misses, entries } = cache.stats();
console.log(`stats: ${hits} hits, ${misses} misses, ${entries} entries`);
await cache.close();
origin.stop();
