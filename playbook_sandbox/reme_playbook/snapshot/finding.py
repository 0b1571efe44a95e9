"""What an inspection shows: one typed statement about one object, with text for people and models.

The kind is for rules; the text is untrusted data of the cluster: redacted, one line, bounded.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reme_playbook.snapshot.object_ref import ObjectRef

MAX_TEXT = 300


class FindingKind(StrEnum):
    """What a finding states about its subject."""

    NORMAL = "Normal"  # inspected, and nothing wrong was seen
    UNAVAILABLE = "Unavailable"  # could not be read: says nothing
    LOG_ERROR = "LogError"  # a log template that names an error
    WARNING_EVENT = "WarningEvent"
    OUT_OF_MEMORY = "OutOfMemory"  # a container was killed for memory
    USAGE_HIGH = "UsageHigh"  # near its limit
    INIT_CONTAINER_FAILED = "InitContainerFailed"
    NO_ENDPOINTS = "NoEndpoints"  # a Service that leads to no ready pod
    PORT_MISMATCH = "PortMismatch"  # a Service leads to a port on which no pod listens
    FOREIGN_ENDPOINTS = "ForeignEndpoints"  # a Service that also leads to pods of another workload
    REQUEST_FAILED = "RequestFailed"  # a request to a Service, by its status or error
    WORKLOAD_NOT_READY = "WorkloadNotReady"  # fewer ready pods than desired, or a stuck rollout
    DEPENDENCY_MISSING = "DependencyMissing"  # a named dependency that no Service or pod provides
    DEPENDENCY_OUTSIDE = "DependencyOutside"  # fails, and is in another namespace or outside
    RECENT_CHANGE = "RecentChange"  # changed shortly before the fault began
    EARLIER_CHANGE = "EarlierChange"  # changed long before the fault began: no likely cause
    QUOTA_EXCEEDED = "QuotaExceeded"
    NODE_UNHEALTHY = "NodeUnhealthy"
    METRIC = "Metric"


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement about one object."""

    kind: FindingKind
    subject: ObjectRef
    text: str
    at: datetime | None = None  # when it happened or was changed, if known

    def __post_init__(self) -> None:
        """Bound the text; the caller redacts it."""
        object.__setattr__(self, "text", " ".join(self.text.split())[:MAX_TEXT])
