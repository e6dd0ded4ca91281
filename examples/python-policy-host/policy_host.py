"""Drives an eviction policy of media-cache, which is a WebAssembly component, from Python.

Usage: python3 policy_host.py POLICY.wasm [NAME=VALUE ...]

The policy tracks entries of one byte. The program touches some of them, offers more, and prints which ones the policy evicts.
"""

import sys

from wasmtime import Engine, Store, WasiConfig
from wasmtime.component import Component, Linker, Record

INTERFACE = "media-cache:policy/eviction@0.2.0"


class PolicyComponent:
    """A policy component. It gets no files, no network and no arguments."""

    def __init__(self, path):
        engine = Engine()
        component = Component.from_file(engine, path)
        linker = Linker(engine)
        # The interfaces of WASI 0.2 that the standard library of the policy's language imports.
        linker.add_wasip2()
        self._store = Store(engine)
        self._store.set_wasi(WasiConfig())
        self._instance = linker.instantiate(self._store, component)
        self._interface = self._instance.get_export_index(self._store, INTERFACE)
        if self._interface is None:
            raise SystemExit(f"{path} does not export {INTERFACE}")

    def call(self, name, *arguments):
        """Calls a function of the interface. A method takes its resource as the first argument."""
        index = self._instance.get_export_index(self._store, name, self._interface)
        function = self._instance.get_func(self._store, index)
        result = function(self._store, *arguments)
        function.post_return(self._store)
        return result

    def drop(self, resource):
        """Drops a resource that the component has created."""
        resource.drop(self._store)


def record(**fields):
    """A record of the interface, whose names have hyphens."""
    result = Record()
    for name, value in fields.items():
        setattr(result, name.replace("_", "-"), value)
    return result


def entry(number):
    """An image of one byte that has not been requested since it was stored."""
    fingerprint = number * 0x9E3779B97F4A7C15 % 2**64
    return record(id=number, fingerprint=fingerprint, size=1, hits=0, accessed_at=number, cost=10, waiters=0, kind="image")


def main(path, *options):
    component = PolicyComponent(path)
    description = component.call("describe")
    print(f"{description.name} {description.version}: {description.doc}")

    capacity = 8
    # wasmtime passes variants whose cases have different types in Python without their case: here an event is a record or an id.
    policy = component.call("[static]policy.create", capacity, [tuple(option.split("=", 1)) for option in options])
    if isinstance(policy, str):
        raise SystemExit(f"{path}: {policy}")
    component.call("[method]policy.restore", policy, [entry(number) for number in range(capacity)])
    print(f"tracked: {list(range(capacity))}")
    touched = [0, 2, 4]
    component.call("[method]policy.observe", policy, [record(id=number, at=100 + number) for number in touched])
    print(f"touched: {touched}")

    for number in range(capacity, capacity + 3):
        # There is no space left, so the policy has to free one byte, or to refuse the entry.
        victims = component.call("[method]policy.place", policy, [], entry(number), 1)
        print(f"offered: {number}; " + ("refused" if victims is None else f"victims: {victims}"))
    print(f"victims for 3 bytes: {component.call('[method]policy.evict', policy, [], 3)}")
    component.drop(policy)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
