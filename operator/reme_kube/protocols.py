"""The cluster as the operator needs it: an interface that tests replace by plain objects.

Kubernetes' own kinds are returned as JSON, reme's own kinds parsed. Every call ends within a
bounded time and raises only the errors of `reme_kube.errors`.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol, TypeVar

from reme_api.base import ApiObject, ArtifactReference
from reme_api.conditions import Condition
from reme_api.remediation import Remediation
from reme_kube.events import EventType
from reme_kube.resources import Json, Resource

ApiObjectT = TypeVar("ApiObjectT", bound=ApiObject)


class DryRun(Protocol):
    """The API server under the identity of one run; every write is a dry run."""

    async def read(self, path: str) -> Json:
        """Return the object at a path."""
        ...

    async def send(self, method: str, path: str, body: Any, content_type: str) -> Json:
        """Return the object as it would be after the write; raises as the write itself would."""
        ...


class Cluster(Protocol):
    """The API server, as far as the operator needs it."""

    async def ping(self) -> None:
        """Return when the API server responds; raises what any call may raise."""
        ...

    # reme's own kinds -------------------------------------------------------------------------

    async def get_object(self, kind: type[ApiObjectT], namespace: str, name: str) -> ApiObjectT:
        """Return the object; UnreadableError when it does not fit its type."""
        ...

    async def list_objects(
        self,
        kind: type[ApiObjectT],
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[ApiObjectT]:
        """Return the objects of a namespace, or of every watched one, without unreadable ones.

        Objects that do not fit their type are logged and counted in
        `reme_unreadable_objects_total`.
        """
        ...

    async def create_object(self, obj: ApiObjectT) -> ApiObjectT:
        """Create the object without its status; AlreadyExistsError when the name is taken."""
        ...

    async def write_status(self, obj: ApiObjectT) -> ApiObjectT:
        """Replace the whole status if nobody changed the object since; ConflictError otherwise."""
        ...

    async def patch_conditions(
        self,
        kind: type[ApiObject],
        namespace: str,
        name: str,
        resource_version: str,
        conditions: Sequence[Condition],
    ) -> None:
        """Replace the conditions and nothing else; ConflictError when the object has changed."""
        ...

    async def delete_object(
        self, kind: type[ApiObjectT], namespace: str, name: str, uid: str | None = None
    ) -> bool:
        """Delete it, with that UID if one is given; False when it was gone already."""
        ...

    # a workload and its namespace -------------------------------------------------------------
    #
    # With `cached` a list is kept current by a watch, for readers that poll. It is at most 10
    # seconds old, and trimmed: no pod template, of pods only the resources of containers.

    async def workload(self, kind: str, namespace: str, name: str) -> Json:
        """Return a Deployment, StatefulSet or DaemonSet."""
        ...

    async def workloads(self, namespace: str, *, cached: bool = False) -> list[Json]:
        """Return every workload of the namespace, each with its `kind` filled in."""
        ...

    async def revisions(self, workload: Json) -> list[Json]:
        """Return its own ReplicaSets or ControllerRevisions, newest revision first."""
        ...

    async def pods(self, workload: Json, *, cached: bool = False) -> list[Json]:
        """Return the pods that the workload controls, oldest first."""
        ...

    async def services(self, namespace: str) -> list[Json]:
        """Return the Services of the namespace."""
        ...

    async def events(self, namespace: str, names: Collection[str]) -> list[Json]:
        """Return the newest events about objects of these names, oldest first, at most 200."""
        ...

    async def pod_metrics(
        self, namespace: str, labels: Mapping[str, str], *, cached: bool = False
    ) -> list[Json]:
        """Return the PodMetrics; NotFoundError when no metrics server is installed."""
        ...

    async def pod_log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        since: datetime | None = None,
        max_lines: int,
        max_bytes: int,
    ) -> str:
        """Return the end of a container's log, each line with its time, without retries.

        With `since`, what was logged from then on instead, from its begin.
        """
        ...

    # any kind, as JSON ------------------------------------------------------------------------

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """Return one object as JSON."""
        ...

    async def list_resource(
        self,
        resource: Resource,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[Json]:
        """Return objects as JSON, at most 20,000; UnreadableError when there are more."""
        ...

    def watch(
        self, resource: Resource, namespace: str, labels: Mapping[str, str]
    ) -> AsyncIterator[Json]:
        """Yield every object of a list, then each that changes, until the server ends it.

        Raises what any call may raise. Start it again in both cases.
        """
        ...

    async def delete(
        self, resource: Resource, namespace: str, name: str, uid: str | None = None
    ) -> bool:
        """Delete it and, in the background, what it owns; False when it was gone already."""
        ...

    # what the operator creates ----------------------------------------------------------------

    async def create_or_adopt(self, manifest: Json) -> Json:
        """Create it, or return the existing object if it belongs to the same remediation.

        ForeignObjectError when the name is taken by an object of another remediation.
        """
        ...

    def dry_run_as(self, namespace: str, account: str) -> AbstractAsyncContextManager[DryRun]:
        """Act as the ServiceAccount of a run until the end of the block, for dry runs only."""
        ...

    async def store_artifact(
        self, owner: Remediation, name: str, key: str, text: str
    ) -> tuple[ArtifactReference, str]:
        """Store a text in an immutable ConfigMap of its owner; return its reference and the text.

        The first text stays: after a crash the text that was stored before is returned, so that
        decisions based on it remain valid.
        """
        ...

    async def read_artifact(self, namespace: str, reference: ArtifactReference) -> str:
        """Return a stored text; TamperedError when it does not match its digest."""
        ...

    async def post_event(
        self, about: ApiObject, event_type: EventType, reason: str, action: str, message: str
    ) -> None:
        """Post an event about an object, once for the same text; never raises a ClusterError."""
        ...
