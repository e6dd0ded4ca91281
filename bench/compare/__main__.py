#!/usr/bin/env python3
"""Compares media-cache with nginx, Varnish, plain hyper and a bare epoll responder: CPU per request, latencies and memory, in one run.

    python3 bench/compare [--quick] [--only CASE]... [--connections N,N] [--rounds N] [--seconds N] [--json FILE] [--chart FILE]

It builds what it needs, and starts an origin and the servers. Each server runs on one core; wrk and the origin run on another. The servers
take turns, round by round. After each round the run fails unless the service counted the requests that were sent, the origin was
contacted for misses only, and sampled responses have the bytes of the origin and every documented header. See bench/compare/README.md.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

# Do not write compiled files next to the sources.
sys.dont_write_bytecode = True

from bench import MISS_SECONDS, Bench
from cases import chosen, every_case
from chart import chart
from goals import evaluated
from processes import Failure, run
from report import machine, print_counts, print_goals, print_table, summary, versions
from servers import NEEDS

ROOT = Path(__file__).resolve().parent.parent.parent
STARTUP = "startup"


def arguments():
    parser = argparse.ArgumentParser(prog="bench/compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join([case.name for case in every_case()] + [STARTUP])
    parser.add_argument("--quick", action="store_true", help="one round of one second, with 32 connections, without 50 MB, to check that everything works")
    parser.add_argument("--only", action="append", default=[], metavar="CASE", help=f"cases that begin with this; may be repeated: {names}")
    parser.add_argument("--connections", type=lambda text: tuple(map(int, text.split(","))), metavar="N,N", help="of 1, 32 and 256")
    parser.add_argument("--rounds", type=int, default=3, help="how many turns each server has (default: 3)")
    parser.add_argument("--seconds", type=int, default=3, help=f"the length of a turn (default: 3); at most {MISS_SECONDS} for misses")
    parser.add_argument("--binary", type=Path, metavar="PATH", help="the media-cache to measure, instead of building it")
    parser.add_argument("--base", type=Path, metavar="PATH", help="another build of media-cache, to measure in the same run")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="where the directories of the caches are created and deleted")
    parser.add_argument("--nginx-tcp-nopush", choices=("on", "off"), default="on", help="see bench/compare/README.md (default: on)")
    parser.add_argument("--require-all", action="store_true", help="fail if a server is not installed, instead of skipping it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measurements to this file")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="write a chart of CPU per hit by size to this file, as SVG")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.connections = 1, 1, options.connections or (32,)
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds must be at least 1")
    options.cases = chosen(options.only, options.connections)
    if options.quick and not options.only:
        options.cases = [case for case in options.cases if not case.name.endswith("-50m")]
    options.startup = not options.only or any(STARTUP.startswith(pattern) for pattern in options.only)
    if not options.cases and not options.startup:
        parser.error(f"no case begins with {' or '.join(options.only)}, with these connections; the cases are {names}")
    return options


def build(package):
    """The program of a package, built for release."""
    print(f"building {package}", file=sys.stderr)
    command = ["cargo", "build", "--release", "--locked", "--package", package, "--message-format", "json-render-diagnostics"]
    messages = (json.loads(line) for line in run("cargo", command, cwd=ROOT).splitlines())
    programs = [message["executable"] for message in messages if message.get("executable")]
    if not programs:
        raise Failure(f"cargo built no program in {package}")
    return Path(programs[-1])


def prerequisites(options):
    """The servers that are skipped, after checking that the others can be measured."""
    # Debian installs nginx and varnishd here, outside of a user's PATH.
    os.environ["PATH"] += os.pathsep + "/usr/sbin"
    cores = os.sched_getaffinity(0)
    if not {0, 1} <= cores:
        raise Failure(f"this needs cores 0 and 1, for the servers and the load; the available cores are {sorted(cores)}")
    for program in ("wrk", "taskset", "setpriv"):
        if not shutil.which(program):
            raise Failure(f"{program} is not installed")
    for binary in filter(None, (options.binary, options.base)):
        if not os.access(binary, os.X_OK):
            raise Failure(f"{binary} is not executable")
    skipped = [name for name, program in NEEDS.items() if not shutil.which(program)]
    for name in skipped:
        if options.require_all:
            raise Failure(f"{name} is not installed, and --require-all was given")
        print(f"{name} is not installed and is skipped; goals that compare with it remain open", file=sys.stderr)
    return skipped


def print_section(title, values):
    print(f"{title}:")
    for name, value in values.items():
        print(f"  {name}: {value}")


def measure(bench, options):
    """Runs the startup and all cases, and prints results as they arrive. Returns startup times, and configurations by server."""
    # Always first, since it leaves compiled components behind. Without them, the first case would measure compilation.
    startup = {name: bench.startup(name) for name in bench.binaries}
    for name, (first, *later) in startup.items() if options.startup else ():
        print(f"\nstartup of {name}, empty directory: first response after {first:.0f} ms at the first start, {median(later):.0f} ms at later ones")
    configurations = {}
    for case in options.cases:
        for connections in bench.run_case(case):
            for name, server in bench.running.items():
                configurations.setdefault(name, server.configuration())
            print_table(case, connections, bench.results[case.name, connections])
    return startup if options.startup else {}, configurations


def write(path, text):
    try:
        path.write_text(text)
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}") from None
    print(f"wrote {path}")


def main():
    sys.stdout.reconfigure(line_buffering=True)
    # Exit through the handlers that stop everything.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench/compare: terminated"))
    options = arguments()
    try:
        skipped, begin = prerequisites(options), time.monotonic()
        binaries = {"media-cache": (options.binary or build("media-cache-cli")).resolve()}
        if options.base:
            binaries["base"] = options.base.resolve()
        with Bench(options, binaries, build("media-cache-compare-servers"), skipped) as bench:
            about = {"versions": versions(binaries, skipped), "machine": machine(options.dir)}
            for title, values in about.items():
                print_section(title, values)
            print(f"{options.rounds} rounds of {options.seconds} s; servers on core 0, load and origin on core 1")
            startup, configurations = measure(bench, options)
            print("\nconfigurations, from the first case of each server:")
            for name, text in configurations.items():
                print(f"--- {name}\n{text.rstrip()}")
            print_counts(bench.results)
            goals = evaluated(bench.results, startup.get("media-cache"))
            print_goals(goals)
            print(f"\n{time.monotonic() - begin:.0f} s")
            results = [{"case": case, "connections": connections, "server": name, "median": summary(rounds), "rounds": rounds}
                       for (case, connections), servers in bench.results.items() for name, rounds in servers.items()]
            if options.json:
                document = {**about, "rounds": options.rounds, "seconds": options.seconds, "configurations": configurations,
                            "results": results, "startup_ms": startup, "goals": goals}
                write(options.json, json.dumps(document, indent=1) + "\n")
            if options.chart:
                drawn = chart(bench.results, about["versions"])
                if drawn is None:
                    raise Failure("cannot draw a chart: no hits were measured with 32 connections")
                write(options.chart, drawn)
    except Failure as failure:
        sys.exit(f"bench/compare: {failure}")
    except KeyboardInterrupt:
        sys.exit("bench/compare: interrupted")


if __name__ == "__main__":
    main()
