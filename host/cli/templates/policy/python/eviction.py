"""An eviction policy: entries are kept in a queue, and evicted from its front. `wit/eviction.wit` defines what a policy must do."""

from collections import OrderedDict

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.eviction import Description, Event_Removed, OptionDescription, Placement_Admit, Placement_Refuse


class Policy(exports.eviction.Policy):
    def __init__(self, capacity, by_use):
        self.capacity = capacity
        self.by_use = by_use  # whether a hit moves an entry to the end of the queue
        self.sizes = OrderedDict()  # the queue: sizes by id

    @classmethod
    def create(cls, capacity, options):
        by_use = True
        for name, value in options:
            if name != "order" or value not in ("use", "arrival"):
                raise Err(f"invalid option {name}={value!r}; the only option is order, which must be use or arrival")
            by_use = value == "use"
        return cls(capacity, by_use)

    def restore(self, entries):
        for entry in entries:
            self.sizes[entry.id] = entry.size

    def observe(self, events):
        for event in events:
            if isinstance(event, Event_Removed):
                self.sizes.pop(event.value, None)
            elif self.by_use and event.value.id in self.sizes:
                self.sizes.move_to_end(event.value.id)

    def place(self, events, candidate, needed):
        self.observe(events)
        if candidate.size > self.capacity:
            return Placement_Refuse()
        victims = self.evict([], needed)
        self.sizes[candidate.id] = candidate.size
        return Placement_Admit(victims)

    def evict(self, events, needed):
        self.observe(events)
        victims, freed = [], 0
        while freed < needed and self.sizes:
            victim, size = self.sizes.popitem(last=False)
            victims.append(victim)
            freed += size
        return victims


class Eviction(exports.Eviction):
    def describe(self):
        order = OptionDescription("order", "use", "The order of the queue: `use` or `arrival`.")
        return Description("{{name}}", "0.1.0", "Least recently used, or first in, first out.", [order])
