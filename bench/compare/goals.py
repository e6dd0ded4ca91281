"""The goals: ratios between servers in the same run, with 32 connections unless stated otherwise.

Each ratio compares results of the same round. The goals use the median over all rounds.
"""

from dataclasses import dataclass
from statistics import median

SIZES_TO_1M = ("1k", "10k", "100k", "1m")


@dataclass
class Ratio:
    """A ratio that must not exceed a limit."""

    case: str
    connections: int
    what: str
    other: str
    limit: float

    def measured(self, results):
        """The median over the rounds; None if one of the two was not measured."""
        servers = results.get((self.case, self.connections), {})
        ours, theirs = servers.get("media-cache", []), servers.get(self.other, [])
        pairs = [(a[self.what], b[self.what]) for a, b in zip(ours, theirs) if self.what in a and b.get(self.what)]
        return median(a / b for a, b in pairs) if pairs else None

    def __str__(self):
        where = f", {self.connections} connections" if self.connections != 32 else ""
        return f"{self.case}{where}"


@dataclass
class Goal:
    text: str
    ratios: list


def cpu(cases, other, limit):
    return [Ratio(case, 32, "cpu_us", other, limit) for case in cases]


def p99(cases, connections=(32, 256)):
    return [Ratio(case, count, "p99", "nginx", 1.0) for case in cases for count in connections]


def resident(*sizes):
    return [f"resident-{size}" for size in sizes]


def disk(*sizes):
    return [f"disk-{size}" for size in sizes]


GOALS = [
    Goal("resident hit, 1 kB: CPU at most 1.4 x the bare responder", cpu(resident("1k"), "bare", 1.4)),
    Goal("resident hit, 1 kB: CPU at most 0.8 x nginx", cpu(resident("1k"), "nginx", 0.8)),
    Goal("resident hit, 1 kB: CPU at most 0.4 x Varnish", cpu(resident("1k"), "varnish", 0.4)),
    Goal("resident hit, 1 kB, stretch: CPU at most 1.3 x the bare responder", cpu(resident("1k"), "bare", 1.3)),
    Goal("resident hit, 1 kB, stretch: CPU at most 0.75 x nginx", cpu(resident("1k"), "nginx", 0.75)),
    Goal("resident hit, 10 kB: CPU at most 1.25 x the bare responder", cpu(resident("10k"), "bare", 1.25)),
    Goal("resident hit, 10 kB: CPU at most 0.9 x nginx", cpu(resident("10k"), "nginx", 0.9)),
    Goal("resident hit, 100 kB and 1 MB: CPU at most 1.1 x the bare responder", cpu(resident("100k", "1m"), "bare", 1.1)),
    Goal("resident hit, 100 kB and 1 MB: CPU at most 0.7 x nginx", cpu(resident("100k", "1m"), "nginx", 0.7)),
    Goal("hit from disk, 1 and 10 kB: CPU at most 1.2 x nginx", cpu(disk("1k", "10k"), "nginx", 1.2)),
    Goal("hit from disk, 100 kB and 1 MB: CPU at most 0.7 x nginx", cpu(disk("100k", "1m"), "nginx", 0.7)),
    Goal("Zipf over 10,000 objects: CPU at most 1.1 x nginx", cpu(["zipf"], "nginx", 1.1)),
    Goal("Zipf over 10,000 objects: p99 no worse than nginx's at 32 and 256 connections", p99(["zipf"])),
    Goal("miss of 10 kB, origin connections reused: CPU at most 1.5 x nginx", cpu(["miss-reuse"], "nginx", 1.5)),
    Goal("miss of 10 kB, a new origin connection each: CPU at most 1.5 x nginx", cpu(["miss-fresh"], "nginx", 1.5)),
    Goal("resident hit, up to 1 MB: p99 no worse than nginx's at 32 and 256 connections", p99(resident(*SIZES_TO_1M))),
    Goal("hit from disk, up to 1 MB: p99 no worse than nginx's at 32 and 256 connections", p99(disk(*SIZES_TO_1M))),
]
STARTUP_GOAL, STARTUP_MS = "first response with an empty directory at the second start: within 30 ms", 30


LANE_GOAL, LANE_SHARE = "mixed traffic: at least 95 % of hits answered by the hit lane", 0.95


def lane_goal(results):
    """The goal for the hit lane, from its metric; open if the build has none."""
    rounds = results.get(("mixed", 32), {}).get("media-cache", [])
    shares = [values["lane_share"] for values in rounds if "lane_share" in values]
    value = median(shares) if shares else None
    return {"goal": LANE_GOAL, "share": value, "missed": [], "met": None if value is None else value >= LANE_SHARE}


def evaluated(results, startup):
    """Each goal with its measurements, and whether it is met; None if something was not measured."""
    rows = []
    for goal in GOALS:
        measured = [(ratio, ratio.measured(results)) for ratio in goal.ratios]
        known = [(ratio, value) for ratio, value in measured if value is not None]
        missed = [str(ratio) for ratio, value in known if value > ratio.limit]
        met = False if missed else True if len(known) == len(measured) else None
        details = [{"case": ratio.case, "connections": ratio.connections, "ratio": value, "limit": ratio.limit} for ratio, value in known]
        rows.append({"goal": goal.text, "ratios": details, "missed": missed, "met": met})
    rows.append(lane_goal(results))
    if startup:
        # The first start compiles the components.
        value = median(startup[1:])
        rows.append({"goal": STARTUP_GOAL, "milliseconds": value, "missed": [], "met": value <= STARTUP_MS})
    return rows
