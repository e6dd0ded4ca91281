"""Prints the configuration, a table for each case, and the goals."""

import os
import platform
import re
from pathlib import Path
from statistics import median

from processes import run
from servers import HERE

COLUMNS = f"{'':14}{'requests':>10} {'per second':>11} {'CPU each':>11} {'busy':>5} {'p50':>9} {'p99':>9} {'p99.9':>9} {'memory':>9}"


def version(command, pattern=r".+"):
    """The version that a program prints, on standard output or standard error, with any exit status."""
    text = run(command[0], ["sh", "-c", '"$@" 2>&1 || true', "sh", *command])
    found = re.search(pattern, text)
    return found.group(0).strip() if found else "unknown"


def versions(binaries, skipped):
    lock = (HERE.parent.parent / "Cargo.lock").read_text()
    hyper = re.search(r'name = "hyper"\nversion = "(.*)"', lock)
    found = {name: f"{version([str(binary), '--version'])} ({binary})" for name, binary in binaries.items()}
    if "nginx" not in skipped:
        found["nginx"] = version(["nginx", "-v"])
    if "varnish" not in skipped:
        found["varnish"] = version(["varnishd", "-V"], r"varnish-\S+")
    found["hyper"] = hyper.group(1) if hyper else "unknown"
    found["wrk"] = version(["wrk", "-v"], r"wrk \S+")
    return found


def machine(work):
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    file_system = run("stat", ["stat", "-f", "-c", "%T", work]).strip()
    return {"processor": model.group(1) if model else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release(),
            "file_system": file_system, "load_before": os.getloadavg()[0]}


def time_text(microseconds):
    if microseconds is None:
        return "-"
    return f"{microseconds:.0f} us" if microseconds < 1000 else f"{microseconds / 1000:.1f} ms" if microseconds < 1e6 else f"{microseconds / 1e6:.2f} s"


def summary(rounds):
    """The medians over the rounds, and the sum of the requests."""
    names = {name for values in rounds for name in values if name not in ("sent", "answered", "counted", "from_disk", "compared")}
    medians = {name: median(values[name] for values in rounds if name in values) for name in names}
    return {**medians, "requests": sum(values["requests"] for values in rounds)}


def print_table(case, connections, servers):
    print(f"\n{case.name}: {case.title}, {connections} connection{'s' if connections > 1 else ''}")
    print(COLUMNS)
    for name in [name for name in case.servers if name in servers]:
        of = summary(servers[name])
        print(f"  {name:12}{of['requests']:>10.0f} {of['per_second']:>11.1f} {of['cpu_us']:>8.1f} us {of['busy'] * 100:>4.0f}% "
              f"{time_text(of.get('p50')):>9} {time_text(of.get('p99')):>9} {time_text(of.get('p999')):>9} {of['memory'] / 2**20:>5.0f} MiB")


def print_counts(results):
    """The checks: the requests in all rounds of media-cache, and how the service counted them."""
    checked = [values for servers in results.values() for rounds in servers.values() for values in rounds if "counted" in values]
    total = lambda name: sum(values[name] for values in checked)
    if checked:
        print(f"\nfor media-cache, {total('sent'):,} requests were sent, {total('answered'):,} answered before wrk ended, and {total('counted'):,} counted; "
              f"{total('compared'):,} responses were compared with the origin's")


def goal_text(row):
    if "milliseconds" in row:
        return f"{row['milliseconds']:.0f} ms"
    if row.get("share") is not None:
        return f"{row['share'] * 100:.1f} %"
    if not row.get("ratios"):
        return "not measured"
    # The value farthest from its limit, and the number of values.
    values = sorted(row["ratios"], key=lambda ratio: ratio["ratio"] / ratio["limit"])
    if len(values) <= 2:
        return ", ".join(f"{ratio['ratio']:.2f}" for ratio in row["ratios"])
    worst = values[-1]
    return f"{values[0]['ratio']:.2f} to {worst['ratio']:.2f}, worst: {worst['case']} with {worst['connections']} connections"


def print_goals(rows):
    print("\ngoals, as ratios in this run (medians of the rounds, 32 connections unless stated otherwise)")
    for row in rows:
        verdict = {True: "met", False: "MISSED", None: "open"}[row["met"]]
        count = f", {len(row['missed'])} of {len(row['ratios'])}" if row["missed"] and len(row["ratios"]) > 1 else ""
        print(f"  {verdict + count:15} {row['goal']}: {goal_text(row)}")
