"""The records of a measurement: its plan, the inputs of each trial, and both outcomes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import Field

from reme_api.probes import Probe
from reme_benchmark.scenarios.faults.model import Data
from reme_playbook.actions.registry import Action
from reme_playbook.snapshot.snapshot import ClusterSnapshot


class Origin(StrEnum):
    """Where a playbook of a trial comes from."""

    GOOD = "good"  # a known good repair of the fault
    OBVIOUS = "plain"  # a restart, a rollback or the deletion of a pod
    RANDOM = "random"  # one allowed action
    PAIR = "pair"  # two allowed actions


class Real(Data):
    """The outcome of a playbook in the cluster."""

    verified: bool  # every probe passed over the window, and no workload is less available
    harmed: tuple[str, ...] = ()  # other workloads that are less available than before
    cured: bool | None = None  # whether the fault is gone; measured only when verified
    message: str = ""
    failing: tuple[str, ...] = ()  # probes that failed at the end
    refused: str = ""  # why the API server refused an action
    seconds: float = 0


class Simulated(Data):
    """The simulated outcome of the same playbook."""

    verified: bool  # by probes and availability, as the operator measures them
    harmed: tuple[str, ...] = ()
    cured: bool  # everything is as before the fault
    missing: tuple[str, ...] = ()  # what is not
    failing: tuple[str, ...] = ()


class Outcome(Data):
    """The result of one trial."""

    id: str  # FAULT-NN
    fault: str
    service: str
    origin: Origin
    actions: tuple[dict[str, Any], ...]
    real: Real
    simulated: Simulated  # by the simulator at the time of the trial


class Problem(Data):
    """Why a fault, or a part of its trials, could not be measured."""

    fault: str
    message: str


class Plan(Data):
    """The plan of a measurement; the same plan continues an interrupted one."""

    system: str
    seed: int
    count: int
    window_seconds: float
    commit: str = ""
    dirty: bool = False
    faults: dict[str, int] = Field(default_factory=dict)  # number of trials
    left_out: dict[str, str] = Field(default_factory=dict)  # reason by fault


@dataclass(frozen=True)
class Inputs:
    """The inputs of the simulator for one trial."""

    fault: str
    service: str
    system: str
    values: dict[str, Any]  # of the placeholders in the fault's data
    pod: str  # the pod that has the fault, where that is one pod
    healthy: ClusterSnapshot
    live: ClusterSnapshot
    others: tuple[dict[str, Any], ...]  # the other workloads of the namespace
    probes: tuple[Probe, ...]
    actions: tuple[Action, ...]
    policies_enforced: bool = False
    metrics: bool = True
    patience_seconds: int = 60
    after: ClusterSnapshot | None = None  # at the end of the trial
