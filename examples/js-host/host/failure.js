// Errors of the operating system, as the cases of `error-code` in wasi:filesystem.

const CASES = {
  EACCES: "access",
  EBADF: "bad-descriptor",
  EBUSY: "busy",
  EDQUOT: "quota",
  EEXIST: "exist",
  EFBIG: "file-too-large",
  EINVAL: "invalid",
  EIO: "io",
  EISDIR: "is-directory",
  ELOOP: "loop",
  EMLINK: "too-many-links",
  ENAMETOOLONG: "name-too-long",
  ENOENT: "no-entry",
  ENOSPC: "insufficient-space",
  ENOTDIR: "not-directory",
  ENOTEMPTY: "not-empty",
  ENXIO: "invalid",
  EPERM: "not-permitted",
  EROFS: "read-only",
  EXDEV: "cross-device",
};

/** An error that jco returns to the component as the error of a `result`. */
export function failure(tag, val) {
  return Object.assign(new Error(tag), { payload: val === undefined ? { tag } : { tag, val } });
}

/** Runs an operation on files, and translates its error. */
export function attempt(operation) {
  try {
    return operation();
  } catch (error) {
    if (error.payload !== undefined || error.code === undefined) throw error;
    const tag = CASES[error.code];
    throw tag === undefined ? failure("other", error.message) : failure(tag);
  }
}
