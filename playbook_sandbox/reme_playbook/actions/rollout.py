"""ResumeRollout and SetUpdateStrategy: how a Deployment rolls out."""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from reme_api.actions import ActionName, Disruption
from reme_api.policy import ActionRule
from reme_playbook.actions.base import (
    Draft,
    InternalAction,
    Shorten,
    camel,
)
from reme_playbook.actions.fields import FieldsAction, SwitchAction
from reme_playbook.actions.string_types import CountOrPercent
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.field_path import Path
from reme_playbook.snapshot.quota_usage import exhausted_amounts
from reme_playbook.snapshot.related_views import pods_of
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.surge_pods import rolls_out, waiting_surge

_PAUSED: Path = ("spec", "paused")


class ResumeRollout(SwitchAction):
    """Lets a paused Deployment roll out again."""

    NAME = ActionName.RESUME_ROLLOUT
    KINDS = frozenset({"Deployment"})
    DISRUPTION = Disruption.MEDIUM
    FIELD = _PAUSED
    VALUE = False
    OPPOSITE = "PauseRollout"
    BOUNDS = "of a paused Deployment"
    RESTORES = "the rollout is paused again"

    action: Literal["ResumeRollout"] = "ResumeRollout"

    def summary(self) -> str:
        return f"Resume the rollout of {self.target}"

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        return "resume the rollout", ""

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject it if the Deployment is not paused."""
        if not snapshot.paused:
            raise RejectedPlaybookError(RejectionRule.NO_CHANGE, f"{self.target} is not paused")

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Return the one way to do it."""
        return ({"action": "ResumeRollout"},)


class PauseRollout(InternalAction, SwitchAction):
    """Pauses a Deployment that ResumeRollout resumed."""

    NAME = ActionName.RESUME_ROLLOUT
    KINDS = frozenset({"Deployment"})
    FIELD = _PAUSED
    VALUE = True

    action: Literal["PauseRollout"] = "PauseRollout"

    def summary(self) -> str:
        return f"Pause the rollout of {self.target}"


class SetUpdateStrategy(FieldsAction):
    """Sets how many pods a rollout of a Deployment may add or remove at a time."""

    NAME = ActionName.SET_UPDATE_STRATEGY
    KINDS = frozenset({"Deployment"})
    DISRUPTION = Disruption.LOW
    PARENT = ("spec", "strategy", "rollingUpdate")
    FIELDS = ("max_surge", "max_unavailable")
    BOUNDS = (
        "0 or 1, and not both 0: for a rollout that has no room for one more pod; that every pod "
        "may go first, only where a new pod waits for the place of an older one"
    )
    RESTORES = "the earlier values; pods that were replaced meanwhile stay"
    EXAMPLE: ClassVar[Draft] = {"max_surge": 0, "max_unavailable": 1}

    action: Literal["SetUpdateStrategy"] = "SetUpdateStrategy"
    max_surge: CountOrPercent | None = None
    max_unavailable: CountOrPercent | None = None

    def summary(self) -> str:
        return f"Roll {self.target} out with {self.values_text()}"

    def current_disruption(self, snapshot: ClusterSnapshot) -> Disruption:
        """Return High where the last pod that serves would go before a new one serves."""
        if snapshot.replicas.available and self._empties(snapshot):
            return Disruption.HIGH
        return self.DISRUPTION

    def _empties(self, snapshot: ClusterSnapshot) -> bool:
        """Return whether all pods may go before a new one is ready, with the values it sets."""
        value = self.max_unavailable
        desired = max(snapshot.replicas.desired, 1)
        return value is not None and pods_of(value, desired, round_up=False) >= desired

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject values above 1, a rollout that could neither add nor remove a pod, and an outage.

        That the last pod goes first is only allowed where the rollout waits for its place.
        """
        strategy = unstructured.mapping(snapshot.workload, "spec", "strategy")
        if unstructured.text(strategy, "type") == "Recreate":
            raise RejectedPlaybookError(
                RejectionRule.VALUE, f"{self.target} replaces all pods at once (Recreate)"
            )
        rolling = unstructured.mapping(strategy, "rollingUpdate")
        now = {name: rolling.get(camel(name), "25%") for name in self.FIELDS}
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
        if self._empties(snapshot) and not _waits_for_room(snapshot):
            raise RejectedPlaybookError(
                RejectionRule.BOUNDS,
                f"all pods of {self.target} could be stopped before a new one is ready, and no new "
                "pod waits for the place of an older one",
            )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield a rollout without surge, where a new pod waits for the place of an older one."""
        if _waits_for_room(snapshot):
            yield {"action": "SetUpdateStrategy", "max_surge": 0, "max_unavailable": 1}


def _waits_for_room(snapshot: ClusterSnapshot) -> bool:
    """Return whether a rollout stands still until an older pod makes room."""
    full = any(exhausted_amounts(view, snapshot) for view in snapshot.quotas)
    return (full and rolls_out(snapshot)) or waiting_surge(snapshot) is not None
