// wasi:filesystem 0.3, as far as the cache uses it: one preopened directory, and files in it and in its subdirectories.
//
// Node.js cannot open a file relative to an open directory, so a directory is its path here. Whoever can rename directories above the
// preopened one can therefore redirect the cache; the host in Rust has no such gap.

import fs from "node:fs";
import path from "node:path";
import { attempt, failure } from "./failure.js";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = fs.constants;

/** An open file, which is closed when its last user releases it. */
export class OpenFile {
  #users = 1;

  constructor(name, flags) {
    this.fd = fs.openSync(name, flags | O_NOFOLLOW | O_NONBLOCK, 0o600);
    if (!fs.fstatSync(this.fd).isFile()) {
      fs.closeSync(this.fd);
      throw failure("invalid");
    }
  }

  share() {
    this.#users += 1;
    return this;
  }

  release() {
    this.#users -= 1;
    if (this.#users === 0) fs.closeSync(this.fd);
  }

  stat() {
    return fs.fstatSync(this.fd, { bigint: true });
  }
}

/** A time of wasi:clocks. */
const instant = (nanoseconds) => ({ seconds: nanoseconds / 1_000_000_000n, nanoseconds: Number(nanoseconds % 1_000_000_000n) });

function typeOf(stat) {
  if (stat.isFile()) return { tag: "regular-file" };
  if (stat.isDirectory()) return { tag: "directory" };
  return { tag: stat.isSymbolicLink() ? "symbolic-link" : "other" };
}

const statOf = (stat) => ({
  type: typeOf(stat),
  linkCount: stat.nlink,
  size: stat.size,
  dataAccessTimestamp: instant(stat.atimeNs),
  dataModificationTimestamp: instant(stat.mtimeNs),
  statusChangeTimestamp: instant(stat.ctimeNs),
});

/** The resource `descriptor`: an open file, or the path of a directory. */
export class Descriptor {
  constructor({ file, directory }) {
    this.file = file;
    this.directory = directory;
  }

  /** The path of a name in this directory. */
  resolve(name) {
    if (this.directory === undefined) throw failure("not-directory");
    if (path.isAbsolute(name) || name.split("/").includes("..")) throw failure("not-permitted");
    return path.join(this.directory, name);
  }

  async openAt(_pathFlags, name, openFlags, flags) {
    return attempt(() => {
      const target = this.resolve(name);
      if (openFlags.directory || flags.mutateDirectory) {
        if (!fs.statSync(target).isDirectory()) throw failure("not-directory");
        return new Descriptor({ directory: target });
      }
      let how = flags.write ? (flags.read ? O_RDWR : O_WRONLY) : O_RDONLY;
      if (openFlags.create) how |= O_CREAT;
      if (openFlags.exclusive) how |= O_EXCL;
      if (openFlags.truncate) how |= O_TRUNC;
      return new Descriptor({ file: new OpenFile(target, how) });
    });
  }

  async createDirectoryAt(name) {
    attempt(() => fs.mkdirSync(this.resolve(name), 0o700));
  }

  async statAt(_pathFlags, name) {
    return attempt(() => statOf(fs.lstatSync(this.resolve(name), { bigint: true })));
  }

  async renameAt(from, directory, to) {
    attempt(() => fs.renameSync(this.resolve(from), directory.resolve(to)));
  }

  async unlinkFileAt(name) {
    attempt(() => fs.unlinkSync(this.resolve(name)));
  }

  /** Identifies the file or directory, and changes when it is replaced. */
  async metadataHash() {
    const stat = attempt(() => (this.file ? this.file.stat() : fs.statSync(this.directory, { bigint: true })));
    return { lower: stat.ino, upper: stat.dev };
  }

  async sync() {
    attempt(() => {
      const fd = this.file ? this.file.fd : fs.openSync(this.directory, O_RDONLY);
      fs.fsyncSync(fd);
      if (!this.file) fs.closeSync(fd);
    });
  }

  [Symbol.dispose]() {
    this.file?.release();
  }
}

/** The interface `preopens`: the component sees this directory only. */
export const preopens = (directory) => ({ getDirectories: () => [[new Descriptor({ directory }), "/"]] });
