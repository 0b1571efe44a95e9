"""Schedules of faults, drawn from a seed or given explicitly."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tests.doubles.sim_nodes import PHASES


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that goes wrong; `at` counts requests to the API server, pods or questions.

    A kill may name the request instead, as `POST jobs` or `CreateRun: POST jobs`: then `at` says
    which of those, from 0.
    """

    kind: str
    at: int = 0
    more: str = ""

    def __str__(self) -> str:
        # Faults are separated by spaces, so that there is none in one.
        more = self.more.replace(" ", "+")
        return f"{self.kind}@{self.at}" + (f":{more}" if more else "")

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Return the fault that prints as this text."""
        head, _, more = text.replace("+", " ").partition(":")
        kind, _, at = head.partition("@")
        return cls(kind, int(at), more)


@dataclass(frozen=True)
class Schedule:
    """One run: the same schedule leads to the same course."""

    seed: int
    scenario: str
    faults: tuple[Fault, ...] = ()
    replicas: int = 1

    def __str__(self) -> str:
        return (
            f"--seed {self.seed} --scenario {self.scenario} --replicas {self.replicas}"
            f" --faults '{' '.join(map(str, self.faults))}'"
        )

    def with_faults(self, *faults: Fault) -> "Schedule":
        """Return the same run with other faults."""
        return replace(self, faults=faults)


SCENARIO_WEIGHTS: Mapping[str, int] = {
    "verified": 6,
    "rolled-back": 5,
    "second-attempt": 3,
    "investigated": 3,
    "investigated-briefly": 2,
    "investigated-and-abstained": 1,
    "followed": 3,
    "followed-in-vain": 1,
    "follow-cancelled": 1,
    "two-reports": 2,
    "rejected": 1,
    "abstained": 1,
    "healthy": 1,
    "cancelled": 2,
    "deleted": 2,
    "report-gone": 1,
    "two-targets": 2,
    "neighbour": 2,
    "neighbour-lost": 1,
    "approved": 2,
    "refused": 1,
    "expired": 1,
    "edited": 2,
    "replanned": 2,
    "manual-rollback": 3,
    "manual-rollback-over-change": 1,
    "manual-rollback-during-report": 2,
    "aborted": 2,
    "aborted-rollback": 2,
    "drained": 2,
    "suspended": 2,
    "storm": 2,
}
"""What is to be repaired and how it would go without faults, by how often it is drawn."""

KILLS = ("kill-before", "kill-after")
ANSWERS = (
    "conflict",
    "throttled",
    "error-before",
    "error-after",
    "timeout-before",
    "timeout-after",
    "cut-before",
    "cut-after",
)
TIMES = ("outage", "watches-end", "watches-gone", "watches-lag", "stale-lists", "touch")
LEADERSHIP = ("partition", "lease-lost")
MODEL = ("busy", "dies", "hangs", "nonsense")
POD = ("killed", "evicted", "twice", "full", "hangs")
FAMILIES = ("kill", "answer", "time", "leader", "model", "pod")


def family(fault: Fault) -> str:
    """Return the group of a fault, for the table."""
    if fault.kind in KILLS:
        return "kill"
    if fault.kind in ANSWERS:
        return "answer"
    if fault.kind in LEADERSHIP:
        return "leader"
    return {"model": "model", "pod": "pod"}.get(fault.kind, "time")


def draw(seed: int, lengths: Mapping[str, int]) -> Schedule:
    """Return the schedule of a seed; `lengths` are the requests of each scenario without faults."""
    rng = random.Random(seed)
    scenario = rng.choices(list(SCENARIO_WEIGHTS), list(SCENARIO_WEIGHTS.values()))[0]
    length = lengths[scenario]
    faults = [_one("kill", rng, length) for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))]
    more = rng.choice((0, 1, 1, 2, 3)) if faults else rng.choice((1, 2, 3))
    faults += [_one(rng.choice(FAMILIES[1:]), rng, length) for _ in range(more)]
    two = any(f.kind in LEADERSHIP for f in faults) or rng.random() < 0.2
    return Schedule(seed, scenario, tuple(sorted(faults)), 2 if two else 1)


def _one(group: str, rng: random.Random, length: int) -> Fault:
    at = rng.randrange(length)
    match group:
        case "kill":
            return Fault(rng.choice(KILLS), at)
        case "answer":
            return Fault(rng.choice(ANSWERS), at, str(rng.choice((1, 1, 2, 6))))
        case "leader":
            return Fault(rng.choice(LEADERSHIP), at, str(rng.choice((6, 12, 20, 40))))
        case "model":
            return Fault(
                "model", rng.choice((1, 1, 2)), f"{rng.choice(MODEL)}:{rng.choice((1, 3))}"
            )
        case "pod":
            what = f"{rng.choice(POD)}:{rng.choice(PHASES)}"
            return Fault("pod", rng.choice((1, 1, 1, 2)), what)
        case _:
            return Fault(rng.choice(TIMES), at, str(rng.choice((2, 5, 20))))
