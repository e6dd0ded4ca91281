"""Runs wrk on a separate core, and parses its report."""

from dataclasses import dataclass
from pathlib import Path

from processes import LOAD_CORE, Failure, run

SCRIPT = Path(__file__).with_name("load.lua")


@dataclass
class Load:
    """What one run of wrk sent and received. Times are in microseconds."""

    requests: int
    sent: int
    bytes: int
    microseconds: int
    p50: int
    p99: int
    p999: int


def load(server, case, connections, seconds, first):
    """Loads a server for some seconds. `first` is the random seed, and the number of the first new media."""
    before, after = server.target(case.size)
    arguments = [case.mode, case.objects, first, before, after, *(text for header in server.headers.items() for text in header)]
    pinned = ["taskset", "--cpu-list", LOAD_CORE, "setpriv", "--pdeathsig", "TERM"]
    wrk = ["wrk", "--threads", 1, "--connections", connections, "--duration", f"{seconds}s", "--timeout", "60s", "--latency"]
    command = [*pinned, *wrk, "--script", SCRIPT, f"http://{server.address}/", "--", *arguments]
    output = run(f"{case.name}, {server.name}: wrk", command, timeout=seconds + 120)
    lines = [line for line in output.splitlines() if line.startswith("RESULT ")]
    if not lines:
        raise Failure(f"{case.name}, {server.name}: wrk printed no result: {output}")
    values = {name: int(value) for name, value in (pair.split("=") for pair in lines[0].split()[1:])}
    failed = {name: count for name in ("connect", "read", "write", "status", "timeout") if (count := values.pop(name))}
    if failed:
        raise Failure(f"{case.name}, {server.name}, {connections} connections: wrk counted errors: {failed}")
    return Load(**values)
