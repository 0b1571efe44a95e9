"""ResumeRollout and SetUpdateStrategy: how a Deployment rolls out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from reme_api.actions import ActionName, Disruption
from reme_api.policy import ActionRule
from reme_playbook.actions.base import (
    Action,
    Draft,
    InternalAction,
    PatchPart,
    Shorten,
    by_name,
    camel,
    set_values,
    spaced,
)
from reme_playbook.actions.string_types import CountOrPercent
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.field_path import FieldValue, Path, Write
from reme_playbook.snapshot.quota_usage import exhausted_amounts
from reme_playbook.snapshot.related_views import pods_of
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_PAUSED: Path = ("spec", "paused")
_ROLLING: Path = ("spec", "strategy", "rollingUpdate")
_KEYS = {"max_surge": "maxSurge", "max_unavailable": "maxUnavailable"}
_NAMES = {key: name for name, key in _KEYS.items()}


class ResumeRollout(Action):
    """Lets a paused Deployment roll out again."""

    NAME = ActionName.RESUME_ROLLOUT
    KINDS = frozenset({"Deployment"})
    DISRUPTION = Disruption.MEDIUM
    BOUNDS = "of a paused Deployment"
    RESTORES = "the rollout is paused again"

    action: Literal["ResumeRollout"] = "ResumeRollout"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Resume the rollout of {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        """Return `spec.paused: false`."""
        del run_id
        return (Write(_PAUSED, False),)

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        """Return what `spec.paused: false` amounts to."""
        return PatchPart(path, {"action": "ResumeRollout"}) if _is(path, value, False) else None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        """Return the line in the list of choices."""
        del shorten
        return "resume the rollout", ""

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject it if the Deployment is not paused."""
        del rules
        if not snapshot.paused:
            raise RejectedPlaybookError(RejectionRule.NO_CHANGE, f"{self.target} is not paused")

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Return the one way to do it."""
        del snapshot
        return ({"action": "ResumeRollout"},)

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        """Return the pause."""
        del before
        return ({"action": "PauseRollout"},)


class PauseRollout(InternalAction):
    """Pauses a Deployment that ResumeRollout resumed."""

    NAME = ActionName.RESUME_ROLLOUT
    KINDS = frozenset({"Deployment"})

    action: Literal["PauseRollout"] = "PauseRollout"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Pause the rollout of {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        """Return `spec.paused: true`."""
        del run_id
        return (Write(_PAUSED, True),)

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        """Return what `spec.paused: true` amounts to."""
        return PatchPart(path, {"action": "PauseRollout"}) if _is(path, value, True) else None


def _is(path: Path, value: Any, paused: bool) -> bool:
    return path == _PAUSED and value is paused


class SetUpdateStrategy(Action):
    """Sets how many pods a rollout of a Deployment may add or remove at a time."""

    NAME = ActionName.SET_UPDATE_STRATEGY
    KINDS = frozenset({"Deployment"})
    DISRUPTION = Disruption.LOW
    BOUNDS = "0 or 1, and not both 0: for a rollout that has no room for one more pod"
    RESTORES = "the earlier values"
    EXAMPLE: ClassVar[Draft] = {"max_surge": 0, "max_unavailable": 1}

    action: Literal["SetUpdateStrategy"] = "SetUpdateStrategy"
    max_surge: CountOrPercent | None = None
    max_unavailable: CountOrPercent | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.values():
            raise ValueError("maxSurge or maxUnavailable must be set")
        return self

    def values(self) -> dict[str, int | str]:
        """Return what is set, by field."""
        return set_values(self, _KEYS)

    def summary(self) -> str:
        """Return one line for people."""
        values = " and ".join(f"{spaced(name)} {value}" for name, value in self.values().items())
        return f"Roll {self.target} out with {values}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        """Return the bounds of the rolling update."""
        del run_id
        return tuple(Write((*_ROLLING, _KEYS[name]), v) for name, v in self.values().items())

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        """Return what a bound of the rolling update amounts to."""
        match path:
            case ("spec", "strategy", "rollingUpdate", str(key)) if key in _NAMES:
                return PatchPart(path[:3], {"action": "SetUpdateStrategy", _NAMES[key]: value})
        return None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        """Return the line in the list of choices."""
        del shorten
        values = self.values()
        names = " and ".join(map(spaced, values))
        return f"set {names} of {self.target.name} to", " and ".join(map(str, values.values()))

    def field_names(self) -> tuple[str, ...]:
        """Return `maxSurge`, `maxUnavailable` or both."""
        return tuple(map(camel, self.values()))

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject values above 1, and a rollout that could neither add nor remove a pod."""
        del rules
        strategy = unstructured.mapping(snapshot.workload, "spec", "strategy")
        if unstructured.text(strategy, "type") == "Recreate":
            raise RejectedPlaybookError(
                RejectionRule.VALUE, f"{self.target} replaces all pods at once (Recreate)"
            )
        rolling = unstructured.mapping(strategy, "rollingUpdate")
        now = {name: rolling.get(key, "25%") for name, key in _KEYS.items()}
        new = {**now, **self.values()}
        if new == now:
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"{self.target} already rolls out with these values"
            )
        if not all(value in (0, 1) for value in self.values().values()):
            raise RejectedPlaybookError(
                RejectionRule.BOUNDS, "a rollout may add or remove at most one pod at a time"
            )
        if not any(pods_of(value, max(snapshot.replicas.desired, 1)) for value in new.values()):
            raise RejectedPlaybookError(
                RejectionRule.VALUE, "a rollout must be able to add or remove a pod"
            )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield a rollout without surge, where pods are missing for lack of room."""
        stuck = snapshot.replicas.updated < snapshot.replicas.desired
        full = any(exhausted_amounts(view, snapshot) for view in snapshot.quotas)
        if stuck and (full or any(pod.unscheduled for pod in snapshot.pods)):
            yield {"action": "SetUpdateStrategy", "max_surge": 0, "max_unavailable": 1}

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        """Return the earlier values."""
        return ({"action": "SetUpdateStrategy", **by_name(self.values(), self, before)},)
