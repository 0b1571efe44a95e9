"""The cluster as the operator uses it, through one API server: the real `Cluster`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import datetime
from functools import partial
from typing import Self

from reme_api.base import API_VERSION, GROUP, VERSION, ApiObject, ArtifactReference
from reme_api.conditions import Condition
from reme_api.remediation import Remediation
from reme_kube import artifacts, workloads
from reme_kube.adoption import create_or_adopt
from reme_kube.dry_run import ApiDryRun, dry_run_as
from reme_kube.errors import ConflictError, NotFoundError, UnreadableError
from reme_kube.events import EventType, newest_events, post_event
from reme_kube.http_client import ApiClient
from reme_kube.object_parsing import parse_object
from reme_kube.pod_logs import pod_log
from reme_kube.protocols import ApiObjectT
from reme_kube.resources import POD_METRICS, SERVICES, WORKLOADS, Json, Resource
from reme_kube.watch_cache import WatchCache
from reme_kube.workloads import Lister, equality_selector, iterate, list_resource

_log = logging.getLogger(__name__)

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SERVER_FIELDS = {"uid", "resourceVersion", "generation", "creationTimestamp"}


class ApiCluster:
    """Reads and writes objects; close it, or use it as a context manager.

    `watched` are the namespaces of reports and targets, the whole cluster when empty. `reporter`
    is the source of events. `on_unreadable` is called with the kind of each object of reme's own
    kinds that cannot be parsed.
    """

    def __init__(
        self,
        api: ApiClient,
        *,
        watched: Sequence[str] = (),
        reporter: str = "reme-operator",
        on_unreadable: Callable[[str], object] = str,
    ) -> None:
        self._api = api
        self._cache = WatchCache(api, _trimmed)
        self._watched = tuple(dict.fromkeys(watched))
        self._reporter = reporter
        self._on_unreadable = on_unreadable

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the watches of cached lists."""
        await self._cache.aclose()

    async def ping(self) -> None:
        """Return when the API server responds; raises what any call may raise."""
        await self._api.get("/version")

    # reme's own kinds -------------------------------------------------------------------------

    async def get_object(self, kind: type[ApiObjectT], namespace: str, name: str) -> ApiObjectT:
        """Return the object; UnreadableError when it does not fit its type."""
        return parse_object(kind, await self._api.get(_resource(kind).path(namespace, name)))

    async def list_objects(
        self,
        kind: type[ApiObjectT],
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[ApiObjectT]:
        """Return the objects of a namespace, or of every watched one, without unreadable ones."""
        objects: list[ApiObjectT] = []
        # Parsed one by one: the JSON of a page is released before the next page is read.
        async for item in self._iterate(_resource(kind), namespace, labels):
            try:
                objects.append(parse_object(kind, item))
            except UnreadableError as error:
                # One broken object must not stop the remediation of all others.
                _log.warning("object_unreadable", extra={"error": str(error)})
                self._on_unreadable(kind.KIND)
        return objects

    async def create_object(self, obj: ApiObjectT) -> ApiObjectT:
        """Create the object without its status; AlreadyExistsError when the name is taken."""
        manifest = obj.manifest()
        manifest.pop("status", None)
        manifest["metadata"] = {
            key: value for key, value in manifest["metadata"].items() if key not in _SERVER_FIELDS
        }
        path = _resource(type(obj)).path(obj.metadata.namespace)
        return parse_object(type(obj), await self._api.create(path, manifest))

    async def write_status(self, obj: ApiObjectT) -> ApiObjectT:
        """Replace the whole status if nobody changed the object since; ConflictError otherwise."""
        metadata = obj.metadata
        if not metadata.resource_version:
            raise ValueError("only the status of an object that was read can be written")
        body = {
            "apiVersion": API_VERSION,
            "kind": obj.KIND,
            "metadata": {
                "name": metadata.name,
                "namespace": metadata.namespace,
                "uid": metadata.uid,
                "resourceVersion": metadata.resource_version,
            },
            "status": obj.wire()["status"],
        }
        path = _resource(type(obj)).path(metadata.namespace, metadata.name, "status")
        return parse_object(type(obj), await self._api.replace(path, body))

    async def patch_conditions(
        self,
        kind: type[ApiObject],
        namespace: str,
        name: str,
        resource_version: str,
        conditions: Sequence[Condition],
    ) -> None:
        """Replace the conditions and nothing else, if nobody changed the object since."""
        body = {
            "metadata": {"resourceVersion": resource_version},
            "status": {"conditions": [condition.wire() for condition in conditions]},
        }
        await self._api.patch(_resource(kind).path(namespace, name, "status"), body)

    async def delete_object(
        self, kind: type[ApiObjectT], namespace: str, name: str, uid: str | None = None
    ) -> bool:
        """Delete it, with that UID if one is given; False when it was gone already."""
        return await self.delete(_resource(kind), namespace, name, uid)

    # a workload and its namespace; `cached` reads a trimmed list that a watch keeps current ----

    async def workload(self, kind: str, namespace: str, name: str) -> Json:
        """Return a Deployment, StatefulSet or DaemonSet."""
        return await self.get(workloads.workload_resource(kind), namespace, name)

    async def workloads(self, namespace: str, *, cached: bool = False) -> list[Json]:
        """Return every workload of the namespace, with its kind; without template when cached."""
        lister = self._lister(cached=cached)
        lists = await asyncio.gather(*(lister(r, namespace, "") for r in WORKLOADS.values()))
        return [item for items in lists for item in items]

    async def revisions(self, workload: Json) -> list[Json]:
        """Return its own ReplicaSets or ControllerRevisions, newest revision first."""
        return await workloads.revisions(self._lister(), workload)

    async def pods(self, workload: Json, *, cached: bool = False) -> list[Json]:
        """Return the pods that the workload controls, oldest first; resources only when cached."""
        return await workloads.pods(self._lister(cached=cached), workload)

    async def services(self, namespace: str) -> list[Json]:
        """Return the Services of the namespace."""
        return await list_resource(self._api, SERVICES, namespace)

    async def events(self, namespace: str, names: Collection[str]) -> list[Json]:
        """Return the newest events about objects of these names, oldest first, at most 200."""
        return await newest_events(self._api, namespace, names)

    async def pod_metrics(
        self, namespace: str, labels: Mapping[str, str], *, cached: bool = False
    ) -> list[Json]:
        """Return the PodMetrics; NotFoundError when no metrics server is installed."""
        return await self._lister(cached=cached)(POD_METRICS, namespace, equality_selector(labels))

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
        """Return the end of a container's log; with `since`, its begin from then on."""
        return await pod_log(
            self._api,
            namespace,
            pod,
            container,
            previous=previous,
            since=since,
            max_lines=max_lines,
            max_bytes=max_bytes,
        )

    def _lister(self, *, cached: bool = False) -> Lister:
        return self._cache.list_resource if cached else partial(list_resource, self._api)

    # any kind, as JSON ------------------------------------------------------------------------

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """Return one object as JSON."""
        return await self._api.get(resource.path(namespace, name))

    async def list_resource(
        self,
        resource: Resource,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[Json]:
        """Return objects as JSON, at most 20,000; UnreadableError when there are more."""
        return [item async for item in self._iterate(resource, namespace, labels)]

    async def watch(
        self, resource: Resource, namespace: str, labels: Mapping[str, str]
    ) -> AsyncIterator[Json]:
        """Yield every object of a list, then each that changes, until the server ends it."""
        params = {"labelSelector": equality_selector(labels)}
        async with aclosing(self._api.watch(resource.path(namespace), params)) as events:
            async for event in events:
                if event.get("type") != "BOOKMARK":
                    yield event.get("object") or {}

    async def delete(
        self, resource: Resource, namespace: str, name: str, uid: str | None = None
    ) -> bool:
        """Delete it and, in the background, what it owns; False when it was gone already."""
        options: Json = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
        }
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            await self._api.delete(resource.path(namespace, name), options)
        except NotFoundError:
            return False
        except ConflictError:
            if uid:
                return False  # another object of that name: ours is gone
            raise
        return True

    # what the operator creates ----------------------------------------------------------------

    async def create_or_adopt(self, manifest: Json) -> Json:
        """Create it, or return the existing object if it belongs to the same remediation."""
        return await create_or_adopt(self._api, manifest)

    def dry_run_as(self, namespace: str, account: str) -> AbstractAsyncContextManager[ApiDryRun]:
        """Act as the ServiceAccount of a run until the end of the block, for dry runs only."""
        return dry_run_as(self._api, namespace, account)

    async def store_artifact(
        self, owner: Remediation, name: str, key: str, text: str
    ) -> tuple[ArtifactReference, str]:
        """Store a text in an immutable ConfigMap of its owner; the first text stays."""
        return await artifacts.store_artifact(self._api, owner, name, key, text)

    async def read_artifact(self, namespace: str, reference: ArtifactReference) -> str:
        """Return a stored text; TamperedError when it does not match its digest."""
        return await artifacts.read_artifact(self._api, namespace, reference)

    async def post_event(
        self, about: ApiObject, event_type: EventType, reason: str, action: str, message: str
    ) -> None:
        """Post an event about an object, once for the same text; never raises a ClusterError."""
        await post_event(self._api, about, event_type, reason, action, message, self._reporter)

    async def _iterate(
        self, resource: Resource, namespace: str | None, labels: Mapping[str, str] | None
    ) -> AsyncIterator[Json]:
        namespaces: Sequence[str | None] = (namespace,) if namespace else self._watched or (None,)
        for one in namespaces:
            async for item in iterate(self._api, resource, one, equality_selector(labels or {})):
                yield item


def _resource(kind: type[ApiObject]) -> Resource:
    return Resource(GROUP, VERSION, kind.PLURAL, kind.KIND)


def _trimmed(item: Json) -> Json:
    """Return what the readers of cached lists use, about a tenth of the object."""
    metadata = {k: v for k, v in item["metadata"].items() if k != "managedFields"}
    annotations = metadata.get("annotations") or {}
    metadata["annotations"] = {k: v for k, v in annotations.items() if k != _LAST_APPLIED}
    spec = item.get("spec") or {}
    if item["kind"] == "Pod":
        containers = spec.get("containers") or ()
        fields = ("name", "resources")
        spec = {"containers": [{k: c[k] for k in fields if k in c} for c in containers]}
    else:
        spec = {key: value for key, value in spec.items() if key != "template"}
    return {**item, "metadata": metadata, "spec": spec}
