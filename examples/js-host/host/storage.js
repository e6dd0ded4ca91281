// The interface `storage`: operations on files that WASI 0.3 lacks.

import fs from "node:fs";
import path from "node:path";
import { Blob, read, write } from "./blobs.js";
import { attempt, failure } from "./failure.js";
import { OpenFile } from "./filesystem.js";

const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = fs.constants;

const stampOf = (stat) => ({ size: stat.size, modified: stat.mtimeNs < 0n ? 0n : stat.mtimeNs });

const inspect = (name) => fs.lstatSync(name, { bigint: true });

/** The resource `listing`. */
class Listing {
  #directory;
  #names;

  constructor(directory) {
    this.#directory = directory;
    const entries = fs.readdirSync(directory, { withFileTypes: true });
    this.#names = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  }

  async next(limit) {
    return this.#names.splice(0, limit).map((name) => {
      try {
        return { name, stamp: stampOf(inspect(path.join(this.#directory, name))) };
      } catch {
        return { name, stamp: undefined };
      }
    });
  }

  [Symbol.dispose]() {}
}

function readFile(name, maxBytes) {
  const file = new OpenFile(name, O_RDONLY);
  try {
    const stamp = stampOf(file.stat());
    if (stamp.size > BigInt(maxBytes)) throw failure("file-too-large");
    const bytes = read(file, 0, Number(stamp.size));
    return { bytes, stamp: { ...stamp, size: BigInt(bytes.length) } };
  } finally {
    file.release();
  }
}

export const storage = {
  Listing,

  listFiles(directory) {
    return attempt(() => new Listing(directory.resolve(".")));
  },

  async readFiles(directory, names, maxBytes) {
    return names.map((name) => {
      try {
        return { tag: "ok", val: attempt(() => readFile(directory.resolve(name), maxBytes)) };
      } catch (error) {
        return { tag: "err", val: error.payload };
      }
    });
  },

  async readAt(descriptor, offset, count) {
    return attempt(() => read(descriptor.file, Number(offset), count));
  },

  async writeAt(descriptor, offset, bytes) {
    attempt(() => write(descriptor.file, Number(offset), bytes));
  },

  directoryStamp(directory) {
    return attempt(() => stampOf(inspect(directory.resolve("."))));
  },

  freeSpace(directory) {
    const { bavail, blocks, bsize } = attempt(() => fs.statfsSync(directory.resolve("."), { bigint: true }));
    return { available: bavail * bsize, missing: 0n, total: blocks * bsize };
  },

  /** Node.js has no `syncfs`. With the durability `none`, which this host uses, the cache does not call this. */
  async sync() {
    throw failure("unsupported");
  },

  /** Bodies arrive in memory, this host keeps no files of its own in the directory, and it releases every file at once. */
  hostUsage() {
    return { arriving: 0n, removed: 0n, hostFiles: 0n };
  },

  async persist(body, directory, name, durable, keepOpen) {
    if (name === "." || name === ".." || name === "" || name.includes("/")) throw failure("invalid");
    return attempt(() => {
      const target = directory.resolve(name);
      const file = new OpenFile(target, O_CREAT | O_EXCL | O_RDWR);
      try {
        write(file, 0, body.bytes());
        if (durable) fs.fsyncSync(file.fd);
      } catch (error) {
        file.release();
        fs.rmSync(target, { force: true });
        throw error;
      }
      if (keepOpen) return Blob.ofFile(file);
      file.release();
      return undefined;
    });
  },
};
