"""What every step is given, and what it returns."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from reme_api.base import ApiModel
from reme_api.reasons import Reason
from reme_api.remediation import Attempt, ManualRollback, Rejection, Remediation, RemediationStatus
from reme_operator.decision.observed import Observed
from reme_operator.decision.probe_verdict import ProbeHistory
from reme_operator.dependencies import Dependencies
from reme_operator.telemetry.step_timings import StepTimer

M = TypeVar("M", bound=ApiModel)


@dataclass(frozen=True, slots=True)
class ModelFailure:
    """The model could not be reached; worth another try, unless it is final."""

    reason: Reason
    message: str
    final: bool = False  # the same request will never succeed


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step has produced: a status to write, or something for this process to remember."""

    status: RemediationStatus | None = None
    probe_history: ProbeHistory | None = None
    model_failure: ModelFailure | None = None


@dataclass(frozen=True, slots=True)
class StepContext:
    """One decision to be carried out."""

    deps: Dependencies
    observed: Observed
    timer: StepTimer
    try_resume: Callable[[Observed], bool] = lambda _: True
    """Reserves target and budgets for a remediation on hold; False when there is no room."""

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
        """The latest attempt; only for steps of one."""
        attempt = self.observed.attempt
        assert attempt is not None, "this step belongs to an attempt"
        return attempt

    @property
    def manual_rollback(self) -> ManualRollback:
        """The latest manual rollback; only for steps of one."""
        assert self.status.manual_rollbacks, "this step belongs to a manual rollback"
        return self.status.manual_rollbacks[-1]

    @property
    def namespace(self) -> str:
        """The namespace of the remediation and of its target."""
        return self.observed.remediation.metadata.namespace

    def now(self) -> datetime:
        """Return the time."""
        return self.deps.clock.now()

    def with_status(self, **fields: Any) -> StepResult:
        """Return the status with these fields changed."""
        return StepResult(updated(self.status, **fields))

    def with_attempt(self, **fields: Any) -> StepResult:
        """Return the status with these fields of the latest attempt changed."""
        attempt = updated(self.attempt, **fields)
        return self.with_status(attempts=[*self.status.attempts[:-1], attempt])

    def with_manual_rollback(self, **fields: Any) -> StepResult:
        """Return the status with these fields of the latest manual rollback changed."""
        rollback = updated(self.manual_rollback, **fields)
        return self.with_status(manual_rollbacks=[*self.status.manual_rollbacks[:-1], rollback])

    def reject(self, rule: str, message: str) -> StepResult:
        """Return the status with the playbook of the latest attempt rejected."""
        return self.with_attempt(rejection=Rejection(rule=clip(rule, 256), message=clip(message)))


def updated(model: M, **fields: Any) -> M:
    """Return a copy with these fields changed; a field that there is not is a mistake here."""
    unknown = fields.keys() - type(model).model_fields.keys()
    assert not unknown, f"{type(model).__name__} has no {', '.join(sorted(unknown))}"
    return model.model_copy(update=fields)


def clip(text: str, max_length: int = 1024) -> str:
    """Return the text cut to what a status field holds."""
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"
