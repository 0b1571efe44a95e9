"""Actions on what limits how many pods there may be, and on work that was put on hold."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from reme_api.actions import ActionName
from reme_playbook.actions.base import ActionBase
from reme_playbook.actions.string_types import CountOrPercent
from reme_playbook.snapshot.quantity import canonical_quota

QuotaKey = Literal[
    "pods",
    "count/pods",
    "cpu",
    "memory",
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
    "requests.ephemeral-storage",
    "limits.ephemeral-storage",
]
"""What of a quota can keep pods from being made."""


def _texts(value: Any) -> Any:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError("must be amounts as strings")
    return value


def _canonical(hard: dict[str, str]) -> dict[str, str]:
    return {key: canonical_quota(key, text) for key, text in hard.items()}


Hard = Annotated[
    dict[QuotaKey, str],
    Field(min_length=1, max_length=10),
    BeforeValidator(_texts),
    AfterValidator(_canonical),
]
Replicas = Annotated[int, Field(strict=True, ge=1, le=10_000)]


class SetAutoscaling(ActionBase):
    """Sets between how many replicas a HorizontalPodAutoscaler chooses."""

    NAME = ActionName.SET_AUTOSCALING
    KINDS = frozenset({"HorizontalPodAutoscaler"})

    action: Literal["SetAutoscaling"] = "SetAutoscaling"
    min_replicas: Replicas | None = None
    max_replicas: Replicas | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if not self.values():
            raise ValueError("min_replicas or max_replicas must be set")
        if self.min_replicas and self.max_replicas and self.min_replicas > self.max_replicas:
            raise ValueError("min_replicas may not be more than max_replicas")
        return self

    def values(self) -> dict[str, int]:
        """Return what is set, by field."""
        found = {"min_replicas": self.min_replicas, "max_replicas": self.max_replicas}
        return {name: value for name, value in found.items() if value is not None}

    def summary(self) -> str:
        """Return one line for people."""
        what = " and ".join(f"{n.replace('_', ' ')} {v}" for n, v in self.values().items())
        return f"Set {what} of {self.target}"


class SetQuota(ActionBase):
    """Sets amounts of a ResourceQuota."""

    NAME = ActionName.SET_QUOTA
    KINDS = frozenset({"ResourceQuota"})

    action: Literal["SetQuota"] = "SetQuota"
    hard: Hard

    def summary(self) -> str:
        """Return one line for people."""
        what = ", ".join(f"{key} {text}" for key, text in self.hard.items())
        return f"Set {what} of {self.target}"


class SetDisruptionBudget(ActionBase):
    """Sets how many pods a PodDisruptionBudget keeps; the one field that it has already."""

    NAME = ActionName.SET_DISRUPTION_BUDGET
    KINDS = frozenset({"PodDisruptionBudget"})

    action: Literal["SetDisruptionBudget"] = "SetDisruptionBudget"
    min_available: CountOrPercent | None = None
    max_unavailable: CountOrPercent | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.values()) != 1:
            raise ValueError("exactly one of min_available and max_unavailable must be set")
        return self

    def values(self) -> dict[str, int | str]:
        """Return what is set, by field."""
        found = {"min_available": self.min_available, "max_unavailable": self.max_unavailable}
        return {name: value for name, value in found.items() if value is not None}

    def summary(self) -> str:
        """Return one line for people."""
        ((name, value),) = self.values().items()
        return f"Set {name.replace('_', ' ')} {value} of {self.target}"


class ResumeJob(ActionBase):
    """Lets a suspended Job run."""

    NAME = ActionName.RESUME_JOB
    KINDS = frozenset({"Job"})

    action: Literal["ResumeJob"] = "ResumeJob"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Resume {self.target}"


class SuspendJob(ActionBase):
    """Suspends a Job that ResumeJob had resumed."""

    NAME = ActionName.RESUME_JOB
    KINDS = frozenset({"Job"})
    INTERNAL = True

    action: Literal["SuspendJob"] = "SuspendJob"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Suspend {self.target}"
