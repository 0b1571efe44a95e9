"""Base class of the inspections: one class per inspection, one file per class.

An inspection is plain data: what to read, about which object. `candidates` lists what may be asked
of one cluster, so that the schema for a model never names an object that does not exist. How it is
read is in `reme_operator.investigation`; what the data shows is decided here, without I/O.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from reme_api.investigation import InspectionName
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot

MAX_FINDINGS = 6
"""Maximum of findings of one inspection."""

LONG_BEFORE = timedelta(minutes=5)
"""What was so as long before the fault as that, and all was well, is no sign of it."""

RECENT = timedelta(minutes=10)
"""A change so long before the fault may still be its cause; a start is known to some minutes."""

CLASSES: dict[InspectionName, type["Inspection"]] = {}
"""Every inspection class by its name; `registry` imports all of them."""


class Inspection(BaseModel):
    """A typed read of one object; subclasses add its arguments.

    Arguments are names and numbers of fixed form: no text of the cluster becomes one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    NAME: ClassVar[InspectionName]
    READS: ClassVar[str]
    """What it reads, in a few words, for the reference and the security page."""
    RIGHTS: ClassVar[tuple[str, ...]]
    """The resources that the operator must be allowed to get or list."""
    SHOWS: ClassVar[tuple[FindingKind, ...]]
    """The kinds of its findings, besides Normal and Unavailable."""
    BOUNDS: ClassVar[str]
    """What limits the read, for the reference."""

    subject: ObjectRef

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Register the class, unless it is only a base of others."""
        super().__pydantic_init_subclass__(**kwargs)
        if "NAME" in cls.__dict__:
            CLASSES[cls.NAME] = cls

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Self]:
        """Return the inspections of this kind that this cluster allows, the most useful first."""
        raise NotImplementedError

    def arguments(self) -> Mapping[str, Any]:
        """Return the arguments besides the subject, as JSON values, without the defaults."""
        return self.model_dump(mode="json", exclude={"subject"}, exclude_defaults=True)

    def label(self) -> str:
        """Return a short line that names it among the candidates of a cluster."""
        arguments = [f"{key}={_word(value)}" for key, value in self.arguments().items()]
        return " ".join([self.NAME, f"{self.subject.kind}/{self.subject.name}", *arguments])

    def summary(self) -> str:
        """Return what is inspected, in a few words."""
        return f"{self.NAME} of {self.subject}"


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def observed_fault_start(snapshot: ClusterSnapshot) -> datetime | None:
    """Return when the fault began; None if only the report is known, and it may be older."""
    return snapshot.fault_start if snapshot.fault_start_observed else None


def long_before(at: datetime | None, fault_start: datetime | None) -> bool:
    """Return whether something was so before the fault that it is no sign of it."""
    return bool(at and fault_start and at < fault_start - LONG_BEFORE)


def change_kind(at: datetime | None, fault_start: datetime | None) -> FindingKind:
    """Return whether a change may be the cause of the fault, by its time alone."""
    if at is None or fault_start is None or fault_start - RECENT <= at <= fault_start + LONG_BEFORE:
        return FindingKind.RECENT_CHANGE
    return FindingKind.EARLIER_CHANGE if at < fault_start else FindingKind.NORMAL


@dataclass(frozen=True, slots=True)
class InspectionResult:
    """The findings of one inspection, at least one; `error` says why it could not be read."""

    inspection: Inspection
    findings: tuple[Finding, ...]
    error: str = ""
