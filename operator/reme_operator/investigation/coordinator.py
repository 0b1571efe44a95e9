"""The coordinator: what it is given, what it may choose, and its interface. Types only.

A view is plain, bounded data. It is stored with every choice, so that each choice can be asked for
again later without the cluster. All its texts come from the cluster or from the report: they are
untrusted, and redacted when the view is made.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, Self

from pydantic import BaseModel, ConfigDict

from reme_api.investigation import Cause, Choice, InspectionName
from reme_api.reasons import Reason
from reme_playbook.inspections import registry
from reme_playbook.inspections.base import Inspection
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef

RULES = "rules"
"""Name of the coordinator with rules."""


class Symptom(StrEnum):
    """What the snapshot and the probes show of the target, for rules."""

    PROBES_FAILING = "ProbesFailing"
    NOT_READY = "NotReady"  # a pod runs and is not ready
    CRASHING = "Crashing"  # a container has ended or restarted
    OUT_OF_MEMORY = "OutOfMemory"
    INIT_FAILING = "InitFailing"  # an init container does not end
    UNSCHEDULED = "Unscheduled"  # no node takes a pod
    PODS_MISSING = "PodsMissing"  # fewer pods than desired
    OVERLOADED = "Overloaded"  # usage near a limit
    RECENT_CHANGE = "RecentChange"  # the target changed shortly before the fault began


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Candidate(_Stored):
    """One inspection that may be chosen."""

    name: InspectionName
    subject: ObjectRef
    arguments: Mapping[str, Any] = {}
    label: str
    """The same for the same inspection of one cluster, and for no other."""

    @classmethod
    def of(cls, inspection: Inspection) -> Self:
        """Return an inspection as a candidate."""
        return cls(
            name=inspection.NAME,
            subject=inspection.subject,
            arguments=inspection.arguments(),
            label=inspection.label(),
        )

    def inspection(self) -> Inspection:
        """Return the inspection.

        Raises:
            ValueError: this version has no such inspection, or its arguments do not fit.

        """
        return registry.parse(self.name, self.subject, self.arguments)


class StoredFinding(_Stored):
    """One finding of an earlier round."""

    inspection: InspectionName
    kind: FindingKind
    subject: ObjectRef
    text: str
    at: datetime | None = None

    def finding(self) -> Finding:
        """Return it as the snapshot has it."""
        return Finding(self.kind, self.subject, self.text, self.at)


class PossibleCause(_Stored):
    """A workload that the target calls: the fault may be there."""

    workload: ObjectRef
    services: tuple[str, ...] = ()  # by which the target calls it
    faults: tuple[str, ...] = ()  # of its own, as the snapshot shows them
    failed_requests: tuple[str, ...] = ()  # of the report's probes
    partly_ready: str = ""  # some pods are not ready, and others serve
    recent_change: str = ""  # shortly before the fault began


class CoordinatorView(_Stored):
    """Everything that a choice may depend on."""

    target: ObjectRef
    fault: str = ""
    attempt: int = 1
    round: int = 1
    rounds_left: int = 0  # of inspections, this one included
    max_inspections: int = 0
    tokens_left: int = 0
    seconds_left: float = 0.0
    seed: int = 0
    follow_cause: bool = False
    incident: str = ""  # the lines of the prompt
    symptoms: frozenset[Symptom] = frozenset()
    own_faults: tuple[str, ...] = ()  # of the target, its Services and its settings
    possible_causes: tuple[PossibleCause, ...] = ()
    failing_outside: tuple[str, ...] = ()  # dependencies that logs or the report say fail
    candidates: tuple[Candidate, ...] = ()  # not performed yet in this attempt
    performed: tuple[Candidate, ...] = ()
    findings: tuple[StoredFinding, ...] = ()
    earlier_attempts: tuple[str, ...] = ()
    fault_start: datetime | None = None


class CoordinatorChoice(_Stored):
    """What happens next, and why."""

    choice: Choice
    message: str = ""
    reason: Reason | None = None  # of an abstention
    inspections: tuple[Candidate, ...] = ()
    cause: Cause | None = None
    coordinator: str = RULES
    prompt_tokens: int = 0
    completion_tokens: int = 0


class StoredChoice(_Stored):
    """A view and the choice that followed from it: the artifact of a round."""

    view: CoordinatorView
    choice: CoordinatorChoice


class Coordinator(Protocol):
    """Chooses what happens next in an investigation."""

    async def choose(self, view: CoordinatorView) -> CoordinatorChoice:
        """Return the choice within a bounded time; never raises for what a model does."""
        ...
