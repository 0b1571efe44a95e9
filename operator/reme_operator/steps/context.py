"""What every step is given, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reme_api.reasons import Reason
from reme_api.remediation import Attempt, HandUndo, Remediation, RemediationStatus
from reme_kube.protocols import Clock, Cluster, Prober
from reme_model.inference.client import PlaybookModel
from reme_operator.decision.observed import Observed
from reme_operator.decision.probe_verdict import Measurement
from reme_operator.kill_switch.watch import KillSwitch
from reme_operator.settings import OperatorSettings
from reme_operator.telemetry.health import Health
from reme_operator.telemetry.metrics import Metrics
from reme_operator.telemetry.step_timings import Timesheet


@dataclass(frozen=True, slots=True)
class Tools:
    """The seams to the outside."""

    cluster: Cluster
    prober: Prober
    model: PlaybookModel
    clock: Clock
    settings: OperatorSettings
    metrics: Metrics
    health: Health
    leading: Callable[[], bool] = lambda: True
    active: set[str] = field(default_factory=set)  # names of the runs that have a Job now
    switch: KillSwitch = field(default_factory=lambda: KillSwitch(None))


@dataclass(frozen=True, slots=True)
class Work:
    """One decision to be carried out."""

    tools: Tools
    seen: Observed
    sheet: Timesheet

    @property
    def remediation(self) -> Remediation:
        """The remediation as it was observed."""
        return self.seen.remediation

    @property
    def status(self) -> RemediationStatus:
        """Its status as it was observed."""
        return self.seen.remediation.status

    @property
    def attempt(self) -> Attempt:
        """The open attempt; only for steps of one."""
        found = self.seen.attempt
        assert found is not None, "this step belongs to an attempt"
        return found

    @property
    def hand_undo(self) -> HandUndo:
        """The undo that a person asked for; only for steps of one."""
        assert self.status.undos, "this step belongs to an undo by hand"
        return self.status.undos[-1]

    @property
    def namespace(self) -> str:
        """The namespace of the remediation and of its target."""
        return self.seen.remediation.metadata.namespace

    def now(self) -> datetime:
        """Return the time."""
        return self.tools.clock.now()

    def revised(self, **fields: Any) -> RemediationStatus:
        """Return the status with these fields of the open attempt changed."""
        changed = self.attempt.model_copy(update=fields)
        return self.status.model_copy(update={"attempts": [*self.status.attempts[:-1], changed]})

    def revised_hand(self, **fields: Any) -> RemediationStatus:
        """Return the status with these fields of the undo by hand changed."""
        changed = self.hand_undo.model_copy(update=fields)
        return self.status.model_copy(update={"undos": [*self.status.undos[:-1], changed]})


@dataclass(frozen=True, slots=True)
class Setback:
    """The model could not be reached; worth another try."""

    reason: Reason
    message: str
    final: bool = False  # the same question will never be answered


@dataclass(frozen=True, slots=True)
class Effect:
    """What a step came to: a status to be written, or something for this process to remember."""

    status: RemediationStatus | None = None
    measurement: Measurement | None = None
    setback: Setback | None = None


def clip(text: str, longest: int = 1024) -> str:
    """Return the text cut to what a status field holds."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
