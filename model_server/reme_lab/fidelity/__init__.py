"""Turns a snapshot of a real cluster into a simulated world, so that the two can be compared."""

from reme_lab.fidelity.inferred_objects import inferred_program
from reme_lab.fidelity.snapshot_world import snapshot_differences, world_from_snapshot

__all__ = ["inferred_program", "snapshot_differences", "world_from_snapshot"]
