"""What all actions of the playbook language share."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator

from reme_api.actions import ActionName, Disruption
from reme_playbook.snapshot.object_ref import WORKLOADS, ObjectRef

__all__ = ["ActionBase", "Disruption", "WorkloadAction"]


class ActionBase(BaseModel):
    """An action is immutable, hashable, and about one object."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    NAME: ClassVar[ActionName]
    KINDS: ClassVar[frozenset[str]]
    INTERNAL: ClassVar[bool] = False
    DISRUPTION: ClassVar[Disruption] = Disruption.NONE

    target: ObjectRef

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @model_validator(mode="after")
    def _kind_fits(self) -> Self:
        if self.target.kind not in self.KINDS:
            raise ValueError(f"{self.NAME} is not possible for a {self.target.kind}")
        return self

    @property
    def name(self) -> ActionName:
        """The action as policies name it; an internal one is named after what it undoes."""
        return self.NAME

    @property
    def internal(self) -> bool:
        """Whether it may only come from an undo."""
        return self.INTERNAL

    @property
    def disruption(self) -> Disruption:
        """What it interrupts at least; see `allowance` for what it comes to now."""
        return self.DISRUPTION


class WorkloadAction(ActionBase):
    """About the pod template of a workload, which rolls out anew."""

    KINDS = WORKLOADS
    DISRUPTION = Disruption.MEDIUM
