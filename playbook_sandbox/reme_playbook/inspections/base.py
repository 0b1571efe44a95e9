"""Base class of the inspections: one class per inspection, one file per class.

An inspection is plain data: what to read, about which object. `candidates` lists what may be asked
of one cluster, so that the schema for a model never names an object that does not exist. How it is
read is in `reme_operator.investigation`; what the data shows is decided here, without I/O.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from reme_api.investigation import InspectionName
from reme_playbook.snapshot.finding import Finding
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot

MAX_FINDINGS = 6
"""Maximum of findings of one inspection."""


class Inspection(BaseModel):
    """A typed read of one object; subclasses add its arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    NAME: ClassVar[InspectionName]
    READS: ClassVar[str]
    """What it reads, in a few words, for the reference and the security page."""

    subject: ObjectRef

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Self]:
        """Return the inspections of this kind that this cluster allows, the most useful first."""
        raise NotImplementedError

    def arguments(self) -> Mapping[str, Any]:
        """Return the arguments besides the subject, as JSON values."""
        return self.model_dump(mode="json", exclude={"subject"}, exclude_none=True)

    def summary(self) -> str:
        """Return what is inspected, in a few words."""
        return f"{self.NAME} of {self.subject}"


class InspectionResult(BaseModel):
    """The findings of one inspection, or why there are none."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    inspection: Mapping[str, Any]
    findings: tuple[Finding, ...] = ()
    error: str = ""
