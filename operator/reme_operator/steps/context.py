"""What every step is given, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reme_api.reasons import Reason
from reme_api.remediation import Attempt, ManualRollback, Remediation, RemediationStatus
from reme_kube.clock import Clock
from reme_kube.protocols import Cluster
from reme_model.inference.generation import PlaybookModel
from reme_operator.decision.observed import Observed
from reme_operator.decision.probe_verdict import ProbeHistory
from reme_operator.kill_switch.watch import KillSwitch
from reme_operator.probes.sample import Prober
from reme_operator.settings import OperatorSettings
from reme_operator.telemetry.health import Health
from reme_operator.telemetry.metrics import Metrics
from reme_operator.telemetry.step_timings import StepTimer


@dataclass(frozen=True, slots=True)
class Dependencies:
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
class StepContext:
    """One decision to be carried out."""

    deps: Dependencies
    observed: Observed
    timer: StepTimer

    @property
    def remediation(self) -> Remediation:
        """The remediation as it was observed."""
        return self.observed.remediation

    @property
    def status(self) -> RemediationStatus:
        """Its status as it was observed."""
        return self.observed.remediation.status

    @property
    def attempt(self) -> Attempt:
        """The open attempt; only for steps of one."""
        found = self.observed.attempt
        assert found is not None, "this step belongs to an attempt"
        return found

    @property
    def hand_undo(self) -> ManualRollback:
        """The undo that a person asked for; only for steps of one."""
        assert self.status.manual_rollbacks, "this step belongs to an undo by hand"
        return self.status.manual_rollbacks[-1]

    @property
    def namespace(self) -> str:
        """The namespace of the remediation and of its target."""
        return self.observed.remediation.metadata.namespace

    def now(self) -> datetime:
        """Return the time."""
        return self.deps.clock.now()

    def revised(self, **fields: Any) -> RemediationStatus:
        """Return the status with these fields of the open attempt changed."""
        changed = self.attempt.model_copy(update=fields)
        return self.status.model_copy(update={"attempts": [*self.status.attempts[:-1], changed]})

    def with_manual_rollback(self, **fields: Any) -> RemediationStatus:
        """Return the status with these fields of the undo by hand changed."""
        changed = self.hand_undo.model_copy(update=fields)
        return self.status.model_copy(
            update={"manual_rollbacks": [*self.status.manual_rollbacks[:-1], changed]}
        )


@dataclass(frozen=True, slots=True)
class ModelFailure:
    """The model could not be reached; worth another try."""

    reason: Reason
    message: str
    final: bool = False  # the same question will never be answered


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step came to: a status to be written, or something for this process to remember."""

    status: RemediationStatus | None = None
    probe_history: ProbeHistory | None = None
    model_failure: ModelFailure | None = None


def clip(text: str, longest: int = 1024) -> str:
    """Return the text cut to what a status field holds."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
