"""What is kept of a trial: what was known before, what was done, and what came of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import Field

from reme_api.probes import Probe
from reme_benchmark.scenarios.faults.model import Data
from reme_playbook.actions.registry import Action
from reme_playbook.snapshot.snapshot import ClusterSnapshot


class Drawn(StrEnum):
    """Why a playbook is among those that are tried."""

    GOOD = "good"  # a known good repair of the fault
    PLAIN = "plain"  # a restart, a rollback or a deleted pod: what everybody would try
    RANDOM = "random"  # one admissible action
    PAIR = "pair"  # two admissible actions


class Real(Data):
    """What was seen of a playbook in the cluster."""

    verified: bool  # every probe passed over the window, and nothing was worse than before
    harmed: tuple[str, ...] = ()  # other workloads that are less available than before
    cured: bool | None = None  # whether the fault's effect is gone; only asked when verified
    message: str = ""
    failing: tuple[str, ...] = ()  # probes that failed at the end
    refused: str = ""  # what the API server said to an action
    seconds: float = 0


class Simulated(Data):
    """What the simulator says to the same playbook."""

    verified: bool  # by the probes and the availability of workloads, as the operator sees it
    harmed: tuple[str, ...] = ()
    cured: bool  # all is as it was before the fault
    missing: tuple[str, ...] = ()  # why not
    failing: tuple[str, ...] = ()


class Outcome(Data):
    """One line of the results."""

    id: str  # FAULT-NN
    fault: str
    service: str
    drawn: Drawn
    actions: tuple[dict[str, Any], ...]
    real: Real
    simulated: Simulated  # by the simulator of that day; a replay asks today's


class Problem(Data):
    """A fault of which nothing could be measured, or not all."""

    fault: str
    message: str


class Plan(Data):
    """What a measurement is of; the same plan goes on where it was interrupted."""

    system: str
    seed: int
    count: int
    window_seconds: float
    commit: str = ""
    dirty: bool = False
    faults: dict[str, int] = Field(default_factory=dict)  # trials of each
    left_out: dict[str, str] = Field(default_factory=dict)  # faults, and why


@dataclass(frozen=True)
class Inputs:
    """Everything that the simulator is told of a trial."""

    fault: str
    service: str
    system: str
    values: dict[str, Any]  # what `${name}` in the fault's data means here
    pod: str  # into which the fault was put, where that is one pod
    healthy: ClusterSnapshot
    live: ClusterSnapshot
    others: tuple[dict[str, Any], ...]  # the other workloads of the namespace, as they were then
    probes: tuple[Probe, ...]
    actions: tuple[Action, ...]
    policies_enforced: bool = False
    metrics: bool = True
    patience_seconds: int = 60
    after: ClusterSnapshot | None = None  # what was there at the end
