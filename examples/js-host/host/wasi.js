// The thirteen interfaces of WASI 0.2 that Rust's standard library imports: standard error, and otherwise nothing. And the clocks of
// WASI 0.3.

/** Standard error, to which the component writes if it panics. */
class OutputStream {
  checkWrite() {
    return 65536n;
  }

  write(bytes) {
    process.stderr.write(bytes);
  }

  blockingFlush() {}

  subscribe() {
    return new Pollable();
  }
}

/** Always ready. */
class Pollable {
  block() {}
}

/** Resources that this host never creates. */
class InputStream {}
class StreamError {}
class TerminalInput {}
class TerminalOutput {}

const nothing = () => undefined;

export const wasi02 = {
  "wasi:cli/environment": { getEnvironment: () => [] },
  "wasi:cli/exit": {
    exit() {
      throw new Error("the component called exit");
    },
  },
  "wasi:cli/stdin": { getStdin: () => new InputStream() },
  "wasi:cli/stdout": { getStdout: () => new OutputStream() },
  "wasi:cli/stderr": { getStderr: () => new OutputStream() },
  "wasi:cli/terminal-input": { TerminalInput },
  "wasi:cli/terminal-output": { TerminalOutput },
  "wasi:cli/terminal-stdin": { getTerminalStdin: nothing },
  "wasi:cli/terminal-stdout": { getTerminalStdout: nothing },
  "wasi:cli/terminal-stderr": { getTerminalStderr: nothing },
  "wasi:io/error": { Error: StreamError },
  "wasi:io/poll": { Pollable },
  "wasi:io/streams": { InputStream, OutputStream },
};

export const clocks = {
  "wasi:clocks/monotonic-clock": {
    now: () => process.hrtime.bigint(),
    waitFor: (nanoseconds) => new Promise((resolve) => setTimeout(resolve, Number(nanoseconds) / 1e6)),
  },
  "wasi:clocks/system-clock": {
    now() {
      const milliseconds = Date.now();
      return { seconds: BigInt(Math.floor(milliseconds / 1000)), nanoseconds: (milliseconds % 1000) * 1_000_000 };
    },
  },
};
