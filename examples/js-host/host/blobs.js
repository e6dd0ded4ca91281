// The interface `blobs`: bytes that stay on the host, in memory or in an open file.

import { createHash } from "node:crypto";
import fs from "node:fs";
import { attempt, failure } from "./failure.js";

/** Reads bytes of an open file; fewer than `count` only at its end. */
export function read(file, offset, count) {
  const bytes = new Uint8Array(count);
  let filled = 0;
  while (filled < count) {
    const length = fs.readSync(file.fd, bytes, filled, count - filled, offset + filled);
    if (length === 0) break;
    filled += length;
  }
  return bytes.subarray(0, filled);
}

/** Writes all bytes to an open file. */
export function write(file, offset, bytes) {
  for (let written = 0; written < bytes.length; ) {
    written += fs.writeSync(file.fd, bytes, written, bytes.length - written, offset + written);
  }
}

/** What identifies a version of a file. */
const version = ({ dev, ino, size, mtimeNs, ctimeNs, nlink }) => [dev, ino, size, mtimeNs, ctimeNs, nlink].join();

export class Blob {
  #bytes;
  #file;
  #length;
  #known;

  /** `known` is shared by all handles to the same bytes. */
  constructor({ bytes, file, length, known }) {
    this.#bytes = bytes;
    this.#file = file;
    this.#length = length ?? bytes.length;
    this.#known = known ?? {};
  }

  static fromBytes(bytes) {
    return new Blob({ bytes: bytes.slice() });
  }

  static fromFile(descriptor) {
    if (!descriptor.file) throw failure("invalid");
    return Blob.ofFile(descriptor.file.share());
  }

  /** A blob that takes over an open file. Its digest may be known. */
  static ofFile(file, digest) {
    const stat = attempt(() => file.stat());
    return new Blob({ file, length: Number(stat.size), known: digest && { digest, version: version(stat) } });
  }

  /** All bytes, for the host. */
  bytes() {
    if (this.#bytes) return this.#bytes;
    const bytes = attempt(() => read(this.#file, 0, this.#length));
    if (bytes.length < this.#length) throw failure("io");
    return bytes;
  }

  size() {
    return BigInt(this.#length);
  }

  /** Bodies never arrive in files here. */
  arrivedBytes() {
    return 0n;
  }

  inMemory() {
    return this.#bytes !== undefined;
  }

  head(count) {
    const length = Math.min(count, this.#length);
    return this.#bytes ? this.#bytes.subarray(0, length) : attempt(() => read(this.#file, 0, length));
  }

  async digest() {
    if (this.#known.digest === undefined) {
      this.#known.digest = new Uint8Array(createHash("sha256").update(this.bytes()).digest());
      this.#known.version = this.#version();
    }
    return this.#known.digest;
  }

  unchanged() {
    return this.#known.digest !== undefined && this.#known.version === this.#version();
  }

  #version() {
    return this.#file && attempt(() => version(this.#file.stat()));
  }

  share() {
    return new Blob({ bytes: this.#bytes, file: this.#file?.share(), length: this.#length, known: this.#known });
  }

  async load() {
    const known = this.unchanged() ? { digest: this.#known.digest } : undefined;
    return new Blob({ bytes: this.bytes(), known });
  }

  /** Every body is complete here: the downloader returns it only then. */
  async finished() {}

  [Symbol.dispose]() {
    this.#file?.release();
    this.#bytes = this.#file = undefined;
  }
}
