// The interfaces `downloader` and `transcoder`.

import { Blob } from "./blobs.js";
import { failure } from "./failure.js";

/** How long a download may take, in milliseconds. The cache sets no limits. */
const TIME_LIMIT = 30_000;

/** The largest body, in bytes. */
const SIZE_LIMIT = 64 << 20;

/** What the origin says about storing a response. */
function cacheControl(headers) {
  const directives = (headers.get("cache-control") ?? "").toLowerCase().split(",").map((directive) => directive.trim());
  const cacheability = ["no-store", "private"].find((name) => directives.includes(name)) ?? "public";
  const maxAge = directives.find((directive) => /^max-age=\d+$/.test(directive))?.slice("max-age=".length);
  return { cacheability, maxAge: maxAge && Math.min(Number(maxAge), 2 ** 31), age: Number(headers.get("age")) >>> 0 };
}

/** The body of a response, up to the limit. */
async function bodyOf(response) {
  const chunks = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > SIZE_LIMIT) throw failure("too-large", BigInt(SIZE_LIMIT));
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The error for a response without media. */
function refusal(status) {
  switch (status) {
    case 401:
    case 403:
      return failure("denied", status);
    case 404:
      return failure("not-found");
    case 410:
      return failure("gone");
    default:
      return failure("origin-status", status);
  }
}

/**
 * Fetches media with `fetch`. This is for URLs that you trust: unlike the downloader of the Rust host, it does not check to which
 * addresses they lead.
 */
export const downloader = {
  async fetch({ url, validators }) {
    const headers = {};
    if (validators?.etag) headers["if-none-match"] = validators.etag;
    if (validators?.lastModified) headers["if-modified-since"] = validators.lastModified;
    let response, body;
    try {
      response = await fetch(url, { headers, signal: AbortSignal.timeout(TIME_LIMIT) });
      if (response.status === 304 && validators) return { tag: "not-modified", val: cacheControl(response.headers) };
      if (response.status !== 200) throw refusal(response.status);
      body = await bodyOf(response);
    } catch (error) {
      if (error.payload !== undefined) throw error;
      throw error.name === "TimeoutError" ? failure("timed-out", error.message) : failure("unreachable", error.message);
    }
    const media = {
      body: Blob.fromBytes(body),
      mimetype: response.headers.get("content-type") ?? "application/octet-stream",
      filename: new URL(url).pathname,
      cacheControl: cacheControl(response.headers),
      validators: {
        etag: response.headers.get("etag") ?? undefined,
        lastModified: response.headers.get("last-modified") ?? undefined,
      },
    };
    return { tag: "media", val: media };
  },
};

/** Converts nothing. */
export const transcoder = {
  acceptedTypes: () => [],
  transcode: async () => ({ tag: "keep" }),
};
