"""The cases: which media is requested, how, and from which servers."""

from dataclasses import dataclass

SIZES = {"1k": 1_000, "10k": 10_000, "100k": 100_000, "1m": 1_000_000, "50m": 50_000_000}
SIZE_NAMES = {"1k": "1 kB", "10k": "10 kB", "100k": "100 kB", "1m": "1 MB", "50m": "50 MB"}
# More than the 64 entries that are resident by default, so that none is resident when it is requested again, and few enough for the default
# budget of 500 MiB.
DISK_OBJECTS = {"1k": 256, "10k": 256, "100k": 256, "1m": 256, "50m": 8}
ZIPF_OBJECTS = 10_000
# The servers that store media. The others send one fixed response.
CACHES = ("media-cache", "base", "nginx", "varnish")
ALL = (*CACHES, "hyper", "bare")
OURS = ("media-cache", "base")


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    size: int
    servers: tuple = ALL
    # How media are chosen (see load.lua), and from how many; for new media, how many are compared with the origin's afterwards.
    mode: str = "cycle"
    objects: int = 1
    connections: tuple = (1, 32, 256)
    # The difference in configuration: "signed", "cors", or "reuse" and "fresh" for connections to the origin.
    variant: str = ""
    on_disk: bool = False

    @property
    def misses(self):
        return self.mode == "new"


def every_case():
    cases = []
    for label, size in SIZES.items():
        cases.append(Case(f"resident-{label}", f"one hot object, {SIZE_NAMES[label]}", size))
    for label, size in SIZES.items():
        count = DISK_OBJECTS[label]
        title = f"from disk, {count} objects in turn, {SIZE_NAMES[label]}"
        cases.append(Case(f"disk-{label}", title, size, CACHES, objects=count, on_disk=True))
    cases.append(Case("zipf", "Zipf (0.8) over 10,000 objects, 10 kB", SIZES["10k"], CACHES, mode="zipf", objects=ZIPF_OBJECTS))
    against = (*OURS, "nginx")
    for variant, title in (("fresh", "a new connection to the origin each"), ("reuse", "connections to the origin reused")):
        cases.append(Case(f"miss-{variant}", f"misses, 10 kB, {title}", SIZES["10k"], against, mode="new", objects=1000, connections=(32,),
                          variant=variant))
    cases.append(Case("mixed", "16 hot objects, every tenth request a new URL, Chromium's headers, 10 kB", SIZES["10k"], against, mode="mixed",
                      objects=16, connections=(32,)))
    cases.append(Case("signed", "signed URL, one hot object, 1 kB", SIZES["1k"], OURS, connections=(32,), variant="signed"))
    cases.append(Case("cors", "with CORS, one hot object, 1 kB", SIZES["1k"], OURS, connections=(32,), variant="cors"))
    return cases


def chosen(patterns, connections):
    """The cases that begin with one of the patterns, with these numbers of connections, if any are given."""
    cases = [case for case in every_case() if not patterns or any(case.name.startswith(pattern) for pattern in patterns)]
    if not connections:
        return cases
    kept = ((case, tuple(count for count in case.connections if count in connections)) for case in cases)
    return [Case(**{**vars(case), "connections": counts}) for case, counts in kept if counts]
