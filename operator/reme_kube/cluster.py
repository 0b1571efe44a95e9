"""The API server as the operator's core sees it: the real `Cluster`."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from hashlib import sha256

from pydantic import ValidationError

from reme_api.base import API_VERSION, GROUP, VERSION, ApiObject, ArtifactReference
from reme_api.remediation import Remediation
from reme_kube import artifacts, workloads
from reme_kube.dry_run import ApiDryRun, rehearsal
from reme_kube.errors import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    ForeignObjectError,
    NotFoundError,
    UnreadableError,
)
from reme_kube.http_client import ApiClient, Json
from reme_kube.protocols import UID_LABEL, EventType, K
from reme_kube.resources import (
    CLUSTER_ROLE_BINDINGS,
    EVENTS,
    JOBS,
    POD_METRICS,
    ROLE_BINDINGS,
    RUN_GRANTS,
    SERVICES,
    WORKLOADS,
    Resource,
    resource_for_manifest,
)

_log = logging.getLogger(__name__)

_EXACT = (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS, RUN_GRANTS)
"""Kinds that decide what a run may do, and to which the server adds nothing."""


class ApiCluster:
    """Reads and writes through one API server.

    `watched` are the namespaces of reports and targets, the whole cluster when empty; `reporter`
    is who events come from; `unreadable` is told the kind of each object that cannot be read.
    """

    def __init__(
        self,
        api: ApiClient,
        *,
        watched: Sequence[str] = (),
        reporter: str = "reme-operator",
        unreadable: Callable[[str], object] = str,
    ) -> None:
        self._api = api
        self._watched = tuple(dict.fromkeys(watched))
        self._reporter = reporter
        self._unreadable = unreadable

    # reme's own kinds -------------------------------------------------------------------------

    async def get_object(self, kind: type[K], namespace: str, name: str) -> K:
        """Return the object; UnreadableError when it does not fit its type."""
        return _parsed(kind, await self._api.get(_resource(kind).path(namespace, name)))

    async def list_objects(
        self, kind: type[K], namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[K]:
        """Return the objects of a namespace, or of every watched one, without unreadable ones."""
        found: list[K] = []
        # Parsed one by one: the JSON of a page is gone before the next page comes.
        async for item in self._each(_resource(kind), namespace, labels):
            try:
                found.append(_parsed(kind, item))
            except UnreadableError as error:
                # One broken object must not stop the repair of all others.
                _log.warning("object_unreadable", extra={"error": str(error)})
                self._unreadable(kind.KIND)
        return found

    async def create_object(self, obj: K) -> K:
        """Create the object without its status; AlreadyExistsError when the name is taken."""
        manifest = obj.manifest()
        manifest.pop("status", None)
        server_side = {"uid", "resourceVersion", "generation", "creationTimestamp"}
        manifest["metadata"] = {
            k: v for k, v in manifest["metadata"].items() if k not in server_side
        }
        path = _resource(type(obj)).path(obj.metadata.namespace)
        return _parsed(type(obj), await self._api.create(path, manifest))

    async def write_status(self, obj: K) -> K:
        """Replace the whole status if nobody changed the object since; ConflictError otherwise."""
        meta = obj.metadata
        if not meta.resource_version:
            raise ValueError("only the status of an object that was read can be written")
        body = {
            "apiVersion": API_VERSION,
            "kind": obj.KIND,
            "metadata": {
                "name": meta.name,
                "namespace": meta.namespace,
                "uid": meta.uid,
                "resourceVersion": meta.resource_version,
            },
            "status": obj.wire()["status"],
        }
        path = _resource(type(obj)).path(meta.namespace, meta.name, "status")
        return _parsed(type(obj), await self._api.replace(path, body))

    async def delete_object(
        self, kind: type[K], namespace: str, name: str, uid: str | None = None
    ) -> bool:
        """Delete it, with that UID if one is given; False when it was gone already."""
        return await self.delete(_resource(kind), namespace, name, uid)

    # what a workload looks like now -----------------------------------------------------------

    async def workload(self, kind: str, namespace: str, name: str) -> Json:
        """Return a Deployment, StatefulSet or DaemonSet."""
        return await self.get(workloads.workload_resource(kind), namespace, name)

    async def workloads(self, namespace: str) -> list[Json]:
        """Return every workload of the namespace, each with its `kind` filled in."""
        return [
            item
            for resource in WORKLOADS.values()
            for item in await workloads.find(self._api, resource, namespace)
        ]

    async def revisions(self, workload: Json) -> list[Json]:
        """Return its own ReplicaSets or ControllerRevisions, newest revision first."""
        return await workloads.revisions(self._api, workload)

    async def pods(self, workload: Json) -> list[Json]:
        """Return the pods that the workload controls, oldest first."""
        return await workloads.pods(self._api, workload)

    async def services(self, namespace: str) -> list[Json]:
        """Return the Services of the namespace."""
        return await workloads.find(self._api, SERVICES, namespace)

    async def events(self, namespace: str, names: Sequence[str]) -> list[Json]:
        """Return the newest events about objects of these names, oldest first, at most 200."""
        return await workloads.events(self._api, namespace, names)

    async def pod_metrics(self, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Return the PodMetrics; NotFoundError when no metrics server is installed."""
        return await workloads.find(self._api, POD_METRICS, namespace, _selector(labels))

    # anything else by name --------------------------------------------------------------------

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """Return one object as JSON."""
        return await self._api.get(resource.path(namespace, name))

    async def find(
        self,
        resource: Resource,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[Json]:
        """Return objects as JSON, read in pages, at most 20,000; UnreadableError when more."""
        return [item async for item in self._each(resource, namespace, labels)]

    async def watch(
        self, resource: Resource, namespace: str, labels: Mapping[str, str]
    ) -> AsyncIterator[Json]:
        """Yield every object of a list, then each that changes, until the server ends it."""
        params = {"labelSelector": _selector(labels)}
        async for event in self._api.watch(resource.path(namespace), params):
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

    # what the operator makes ------------------------------------------------------------------

    async def create_or_adopt(self, manifest: Json, owner_uid_label: str = UID_LABEL) -> Json:
        """Create it, or return the one that is there already if it is the same run's.

        Raises:
            ForeignObjectError: the name is taken by an object with another label value, or by one
                that would allow something else.
            ConflictError: the one that is there is being deleted; try again later.

        """
        resource, meta = resource_for_manifest(manifest), manifest["metadata"]
        namespace = meta.get("namespace", "")
        try:
            # A Job is not tried again from here: the kill switch is asked anew before each try.
            once = resource == JOBS
            return await self._api.create(resource.path(namespace), manifest, once=once)
        except AlreadyExistsError:
            found = await self.get(resource, namespace, meta["name"])
        what = f"{resource.kind} {namespace}/{meta['name']}"
        if found["metadata"].get("deletionTimestamp"):
            raise ConflictError(f"{what} is being deleted")
        owner = meta["labels"][owner_uid_label]
        if (found["metadata"].get("labels") or {}).get(owner_uid_label) != owner:
            raise ForeignObjectError(f"{what} exists and belongs to somebody else")
        exact = resource in _EXACT or manifest.get("immutable") is True
        if exact and not _holds(found, manifest):
            raise ForeignObjectError(f"{what} exists with another content")
        return found

    def rehearsal(self, namespace: str, account: str) -> AbstractAsyncContextManager[ApiDryRun]:
        """Become the ServiceAccount of a run until the end of the block, for dry runs only."""
        return rehearsal(self._api, namespace, account)

    async def store_artifact(
        self, owner: Remediation, name: str, key: str, text: str
    ) -> tuple[ArtifactReference, str]:
        """Keep a text in an immutable ConfigMap beside its owner; the first text wins."""
        return await artifacts.store_artifact(self._api, owner, name, key, text)

    async def read_artifact(self, namespace: str, reference: ArtifactReference) -> str:
        """Return a kept text; TamperedError when it does not have the digest."""
        return await artifacts.read_artifact(self._api, namespace, reference)

    async def post_event(
        self, about: ApiObject, event_type: EventType, reason: str, action: str, message: str
    ) -> None:
        """Tell people; the same words about the same object are posted once; never fails."""
        meta, now = about.metadata, datetime.now(UTC).isoformat(timespec="seconds")
        words = "\n".join((meta.uid, event_type, reason, action, message))
        event = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {
                "name": f"{meta.name[:200]}.{sha256(words.encode()).hexdigest()[:16]}",
                "namespace": meta.namespace,
            },
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": about.KIND,
                "name": meta.name,
                "namespace": meta.namespace,
                "uid": meta.uid,
            },
            "type": event_type,
            "reason": reason,
            "action": action,
            "message": message[:1024],
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": "reme"},
            "reportingComponent": f"{GROUP}/operator",
            "reportingInstance": self._reporter[:128],
        }
        try:
            await self._api.create(EVENTS.path(meta.namespace), event)
        except AlreadyExistsError:
            pass
        except ClusterError as error:
            # Everything that matters is in the status too.
            _log.info("event_not_posted", extra={"reason": reason, "error": str(error)})

    async def _each(
        self, resource: Resource, namespace: str | None, labels: Mapping[str, str] | None
    ) -> AsyncIterator[Json]:
        places: Sequence[str | None] = (namespace,) if namespace else self._watched or (None,)
        for place in places:
            async for item in workloads.each(self._api, resource, place, _selector(labels or {})):
                yield item

    async def ping(self) -> None:
        """Return when the API server answers; raises what any call may raise."""
        await self._api.get("/version")


def _resource(kind: type[ApiObject]) -> Resource:
    return Resource(GROUP, VERSION, kind.PLURAL, kind.KIND)


def _parsed(kind: type[K], item: Json) -> K:
    try:
        return kind.model_validate(item)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        meta = item.get("metadata") or {}
        raise UnreadableError(
            f"{kind.KIND} {meta.get('namespace')}/{meta.get('name')}: {where}: {first['msg']}"
        ) from error


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _holds(found: object, wanted: object) -> bool:
    """Return whether everything that is wanted is there; empty and absent are the same."""
    if isinstance(wanted, Mapping):
        present = found if isinstance(found, Mapping) else {}
        return all(
            _holds(present.get(key), value) for key, value in wanted.items() if key != "metadata"
        )
    return found == wanted or (not found and not wanted)
