"""A dependency of the target: a host that its environment names, and what is behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from reme_playbook.snapshot.finding import FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef


class Place(StrEnum):
    """Where a host is, as far as its name says."""

    NAMESPACE = "Namespace"  # of the target
    OTHER_NAMESPACE = "OtherNamespace"
    OUTSIDE = "Outside"


class Mention(NamedTuple):
    """Where a host is written."""

    container: str  # empty for a ConfigMap
    variable: str  # a variable, a key, `command` or `args`
    config_map: str = ""

    def __str__(self) -> str:
        return f"{self.variable} of {self.container or f'config {self.config_map}'}"


class DependencyPort(NamedTuple):
    """One port of the Service behind a host."""

    port: int
    target_port: int | str
    served: bool | None  # whether the pods have the target port; None if they declare no port


@dataclass(frozen=True, slots=True)
class DependencyWorkload:
    """A workload behind the Service."""

    ref: ObjectRef
    desired: int
    ready: int
    updated: int
    selected: bool  # False: the Service does not select its pods, but is named like it
    changed: datetime | None = None  # its template or replicas, at the latest
    lacks: tuple[str, ...] = ()  # labels of the selector that its pods do not have
    trouble: str = ""  # why its pods are not ready, such as CrashLoopBackOff


@dataclass(frozen=True, slots=True)
class Dependency:
    """A host that the target's environment names."""

    host: str  # as written, without scheme, user and port
    scheme: str  # empty if none is written
    port: int | None  # as written, or the usual one of the scheme
    mentions: tuple[Mention, ...]
    place: Place
    namespace: str = ""  # empty outside
    service: str = ""  # that the host names; empty outside
    exists: bool | None = None  # whether that Service exists; None if that is not known
    selector: Mapping[str, str] | None = None  # None if the Service has none, or is not known
    ports: tuple[DependencyPort, ...] = ()
    pods: int | None = None  # that the Service selects; None if they were not read
    ready_endpoints: int | None = None
    workloads: tuple[DependencyWorkload, ...] = ()
    service_changed: datetime | None = None  # its specification, at the latest
    reported: bool = False  # whether the report names it
    problem: str = ""  # what is wrong, in words that follow the name; empty if nothing is known
    problem_kind: FindingKind | None = None

    @property
    def name(self) -> str:
        """The Service's name, or the host if it is not in the target's namespace."""
        return self.service if self.place is Place.NAMESPACE else self.host

    @property
    def cause(self) -> ObjectRef | None:
        """The workload that is likely at fault if there is a problem; None if none is known."""
        return self.workloads[0].ref if self.workloads and self.problem else None

    @property
    def last_change(self) -> datetime | None:
        """When the Service or a workload behind it was last changed."""
        times = [self.service_changed, *(w.changed for w in self.workloads)]
        return max((time for time in times if time is not None), default=None)
