"""Actions on a workload as a whole: its pods, its revisions, its size, and how it rolls out."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from reme_api.actions import ActionName
from reme_playbook.actions.base import ActionBase, Disruption, WorkloadAction
from reme_playbook.actions.string_types import CountOrPercent, LabelKey, LabelValue


class Restart(WorkloadAction):
    """Replaces all pods of a workload, by its own update strategy."""

    NAME = ActionName.RESTART

    action: Literal["Restart"] = "Restart"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Restart {self.target}"


class Rollback(WorkloadAction):
    """Gives a workload the pod template of an earlier revision back."""

    NAME = ActionName.ROLLBACK

    action: Literal["Rollback"] = "Rollback"
    revision: Annotated[int, Field(strict=True, ge=1, le=2**53)] | None = Field(
        default=None, description="The newest one that really differs when absent."
    )

    def summary(self) -> str:
        """Return one line for people."""
        which = "its previous revision" if self.revision is None else f"revision {self.revision}"
        return f"Roll {self.target} back to {which}"


class Scale(ActionBase):
    """Sets the number of replicas; zero only ever undoes."""

    NAME = ActionName.SCALE
    KINDS = frozenset({"Deployment", "StatefulSet"})
    DISRUPTION = Disruption.LOW  # where there will be fewer

    action: Literal["Scale"] = "Scale"
    replicas: Annotated[int, Field(strict=True, ge=0, le=10_000)]

    def summary(self) -> str:
        """Return one line for people."""
        return f"Scale {self.target} to {self.replicas}"


class ResumeRollout(ActionBase):
    """Lets a paused Deployment roll out again."""

    NAME = ActionName.RESUME_ROLLOUT
    KINDS = frozenset({"Deployment"})
    DISRUPTION = Disruption.MEDIUM

    action: Literal["ResumeRollout"] = "ResumeRollout"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Resume the rollout of {self.target}"


class PauseRollout(ActionBase):
    """Pauses a Deployment that ResumeRollout had resumed."""

    NAME = ActionName.RESUME_ROLLOUT
    KINDS = frozenset({"Deployment"})
    INTERNAL = True

    action: Literal["PauseRollout"] = "PauseRollout"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Pause the rollout of {self.target}"


class SetUpdateStrategy(ActionBase):
    """Sets how many pods a rollout of a Deployment may add or take away at a time."""

    NAME = ActionName.SET_UPDATE_STRATEGY
    KINDS = frozenset({"Deployment"})
    DISRUPTION = Disruption.LOW

    action: Literal["SetUpdateStrategy"] = "SetUpdateStrategy"
    max_surge: CountOrPercent | None = None
    max_unavailable: CountOrPercent | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.values():
            raise ValueError("max_surge or max_unavailable must be set")
        return self

    def values(self) -> dict[str, int | str]:
        """Return what is set, by field."""
        found = {"max_surge": self.max_surge, "max_unavailable": self.max_unavailable}
        return {name: value for name, value in found.items() if value is not None}

    def summary(self) -> str:
        """Return one line for people."""
        what = " and ".join(f"{n.replace('_', ' ')} {v}" for n, v in self.values().items())
        return f"Roll {self.target} out with {what}"


class PatchNodeSelector(WorkloadAction):
    """Merges labels into the node selector of a workload's pods; a null takes one out of it."""

    NAME = ActionName.PATCH_NODE_SELECTOR

    action: Literal["PatchNodeSelector"] = "PatchNodeSelector"
    selector: Annotated[dict[LabelKey, LabelValue | None], Field(min_length=1, max_length=16)]

    def summary(self) -> str:
        """Return one line for people."""
        return f"Set {', '.join(self.selector)} in the node selector of {self.target}"[:1024]
