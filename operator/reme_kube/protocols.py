"""What the operator's core asks of the outside: seams that tests replace with plain objects.

Reads of Kubernetes' own kinds return the JSON as it came; reme's own kinds are parsed. Every call
ends within a bounded time and raises only what `clients.errors` lists.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, TypeVar

from reme_api.base import ApiObject, ArtifactReference
from reme_api.diagnosis_report import Target
from reme_api.probes import Probe
from reme_api.remediation import Remediation
from reme_kube.resources import Resource

Json = dict[str, Any]
K = TypeVar("K", bound=ApiObject)

UID_LABEL = "reme.dev/remediation-uid"
"""Label that says which remediation an object belongs to, where ownership cannot."""


class EventType(StrEnum):
    """How loud an event is."""

    NORMAL = "Normal"
    WARNING = "Warning"


class Sample(NamedTuple):
    """One measurement of a probe; `passed` is None when it could not be taken."""

    passed: bool | None
    value: str
    message: str


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """Return the time of day, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let that time pass."""
        ...


class DryRun(Protocol):
    """The API server as one run sees it; nothing that is sent is carried out."""

    async def read(self, path: str) -> Json:
        """Return what is there."""
        ...

    async def send(self, method: str, path: str, body: Any, content_type: str) -> Json:
        """Return what would be there after the write; raises as the write itself would."""
        ...


class Cluster(Protocol):
    """The API server, as far as the operator needs it."""

    # reme's own kinds -------------------------------------------------------------------------

    async def get_object(self, kind: type[K], namespace: str, name: str) -> K:
        """Return the object; UnreadableError when it does not fit its type."""
        ...

    async def list_objects(
        self, kind: type[K], namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[K]:
        """Return the objects of a namespace, or of every watched one, leaving out unreadable ones.

        Objects that do not fit their type are logged and counted in `reme_unreadable_objects`.
        """
        ...

    async def create_object(self, obj: K) -> K:
        """Create the object without its status; AlreadyExistsError when the name is taken."""
        ...

    async def write_status(self, obj: K) -> K:
        """Replace the whole status if nobody changed the object since; ConflictError otherwise."""
        ...

    async def delete_object(
        self, kind: type[K], namespace: str, name: str, uid: str | None = None
    ) -> bool:
        """Delete it, with that UID if one is given; False when it was gone already."""
        ...

    # what a workload looks like now -----------------------------------------------------------

    async def workload(self, kind: str, namespace: str, name: str) -> Json:
        """Return a Deployment, StatefulSet or DaemonSet."""
        ...

    async def workloads(self, namespace: str) -> list[Json]:
        """Return every workload of the namespace, each with its `kind` filled in."""
        ...

    async def revisions(self, workload: Json) -> list[Json]:
        """Return its own ReplicaSets or ControllerRevisions, newest revision first."""
        ...

    async def pods(self, workload: Json) -> list[Json]:
        """Return the pods that the workload controls, oldest first."""
        ...

    async def services(self, namespace: str) -> list[Json]:
        """Return the Services of the namespace."""
        ...

    async def events(self, namespace: str, names: Sequence[str]) -> list[Json]:
        """Return the events about objects of these names, oldest first, at most 200."""
        ...

    async def pod_metrics(self, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Return the PodMetrics; NotFoundError when no metrics server is installed."""
        ...

    # anything else by name --------------------------------------------------------------------

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """Return one object as JSON."""
        ...

    async def find(
        self,
        resource: Resource,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[Json]:
        """Return objects as JSON, read in pages, at most 20,000; UnreadableError when more."""
        ...

    def watch(
        self, resource: Resource, namespace: str, labels: Mapping[str, str]
    ) -> AsyncIterator[Json]:
        """Yield every object of a list, then each that changes, until the server ends it.

        Raises what any call may raise; to be begun again either way.
        """
        ...

    async def delete(
        self, resource: Resource, namespace: str, name: str, uid: str | None = None
    ) -> bool:
        """Delete it and, in the background, what it owns; False when it was gone already."""
        ...

    # what the operator makes ------------------------------------------------------------------

    async def create_or_adopt(self, manifest: Json, owner_uid_label: str = UID_LABEL) -> Json:
        """Create it, or return the one that is there already if that label is the same.

        ForeignObjectError when the name is taken by an object with another label value.
        """
        ...

    def rehearsal(self, namespace: str, account: str) -> AbstractAsyncContextManager[DryRun]:
        """Become the ServiceAccount of a run until the end of the block, for dry runs only."""
        ...

    async def store_artifact(
        self, owner: Remediation, name: str, key: str, text: str
    ) -> tuple[ArtifactReference, str]:
        """Keep a text in an immutable ConfigMap beside its owner; return where, and what is there.

        The first text wins: after a crash the one that was kept before comes back, so that what
        was decided on it stays decided.
        """
        ...

    async def read_artifact(self, namespace: str, reference: ArtifactReference) -> str:
        """Return a kept text; TamperedError when it does not have the digest."""
        ...

    async def post_event(
        self, about: ApiObject, event_type: EventType, reason: str, action: str, message: str
    ) -> None:
        """Tell people; the same words about the same object are posted once; never fails."""
        ...

    async def ping(self) -> None:
        """Return when the API server answers; raises what any call may raise."""
        ...


class Prober(Protocol):
    """Measures whether a service works."""

    async def sample(self, probe: Probe, target: Target, namespace: str) -> Sample:
        """Measure once; never raises, but for cancellation.

        Takes at most `probe.timeout_seconds`, and 5 s to look up the Service.
        """
        ...


class Leadership(Protocol):
    """The right to act, held by one operator at a time."""

    @property
    def leading(self) -> bool:
        """Whether this process holds the lease, as of now by its own clock."""
        ...

    @property
    def holder(self) -> str:
        """Who holds it as far as is known; empty when nobody does."""
        ...

    async def acquire(self) -> None:
        """Wait until this process leads; from then on the lease is renewed in the background."""
        ...

    async def wait_lost(self) -> None:
        """Wait until this process has lost the lease, and must stop to act."""
        ...

    async def release(self) -> None:
        """Give the lease back, so that another takes over at once; safe to call at any time."""
        ...
