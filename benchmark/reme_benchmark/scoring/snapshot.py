"""A snapshot of a namespace: everything that a person or a playbook may change, and its pods.

Status and fields that the API server fills in are left out, so that two snapshots differ only where
somebody changed something.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field

from reme_api.parsing import parse_int
from reme_benchmark.kube.cluster import Cluster, Object
from reme_benchmark.scoring import field_paths
from reme_playbook.snapshot.snapshot import LAST_APPLIED

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
KINDS = (
    *WORKLOADS,
    "ConfigMap",
    "CronJob",
    "HorizontalPodAutoscaler",
    "Ingress",
    "Job",
    "LimitRange",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "ReplicaSet",
    "ResourceQuota",
    "Secret",
    "Service",
    "ServiceAccount",
)
"""Kinds of the namespace. An object that a controller manages is represented by its owner."""

RESTART_ANNOTATIONS = frozenset(("kubectl.kubernetes.io/restartedAt", "reme.dev/restarted-at"))
_NOISE = frozenset(
    (
        "deployment.kubernetes.io/revision",
        "deployment.kubernetes.io/desired-replicas",
        "deployment.kubernetes.io/max-replicas",
        "deprecated.daemonset.template.generation",
        "endpoints.kubernetes.io/last-change-trigger-time",
        "kubernetes.io/change-cause",
        "node.alpha.kubernetes.io/ttl",
        "volumes.kubernetes.io/controller-managed-attach-detach",
    )
)
"""Annotations that controllers write, or that have no effect."""
_ASSIGNED = frozenset(("clusterIP", "clusterIPs", "healthCheckNodePort", "nodePort"))
"""Fields of a Service that the API server assigns when the Service is created."""
_OTHERS_SECRETS = frozenset(("kubernetes.io/service-account-token", "helm.sh/release.v1"))
_CONDITIONS = "node.kubernetes.io/"
"""Prefix of taints that the node controller sets and removes with a node's condition."""


class Pod(BaseModel):
    """The fields of a pod that show whether somebody replaced or restarted it."""

    model_config = ConfigDict(frozen=True)

    name: str
    uid: str
    labels: dict[str, str] = Field(default_factory=dict)
    owner: str = ""  # Kind/name of its controller, such as a ReplicaSet
    ready: bool = False
    ending: bool = False
    restarts: int = 0
    containers: dict[str, str] = Field(default_factory=dict)  # name: id of the running container


class Snapshot(BaseModel):
    """A namespace and the cluster's nodes at one time.

    It contains the Secrets, because changed ones must be restored: do not publish it.
    """

    model_config = ConfigDict(frozen=True)

    namespace: str
    time: datetime
    objects: dict[str, Object]  # desired state by Kind/name
    pods: tuple[Pod, ...]
    available: dict[str, int]  # available pods by Kind/name of the workload
    uids: dict[str, str]  # by Kind/name

    def to_json(self) -> str:
        """Return the snapshot as JSON."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse the result of `to_json`; ValueError when it is invalid."""
        return cls.model_validate_json(text)

    def workload(self, name: str) -> tuple[str, Object]:
        """Return key and desired state of a workload; LookupError when there is none."""
        for kind in WORKLOADS:
            if item := self.objects.get(f"{kind}/{name}"):
                return f"{kind}/{name}", item
        raise LookupError(f"workload {name} did not exist before the fault")

    def kind(self, *kinds: str) -> Iterator[tuple[str, Object]]:
        """Yield (name, object) of some kinds."""
        for key, item in self.objects.items():
            kind, _, name = key.partition("/")
            if kind in kinds:
                yield name, item


class FieldDifference(NamedTuple):
    """One field that differs; "" where it is absent."""

    object: str  # Kind/name
    path: str  # "" for the object as a whole
    before: str
    after: str


async def take_snapshot(cluster: Cluster, namespace: str) -> Snapshot:
    """Return a snapshot of a namespace.

    Raises:
        ClusterError: it cannot be read.
    """
    *lists, nodes, pods = await asyncio.gather(
        *(cluster.list(kind, namespace) for kind in KINDS),
        cluster.list("Node"),
        cluster.list("Pod", namespace),
    )
    namespace_object = await cluster.get("Namespace", namespace)
    objects: dict[str, Object] = {}
    available: dict[str, int] = {}
    uids: dict[str, str] = {}
    raw = [o for objects_of_kind in lists for o in objects_of_kind if not controller_managed(o)]
    raw += nodes
    if namespace_object:
        raw.append({"apiVersion": "v1", "kind": "Namespace", **namespace_object})
    for item in raw:
        key = key_of(item)
        objects[key] = desired_state(item)
        uids[key] = item["metadata"].get("uid", "")
        if item["kind"] in WORKLOADS:
            available[key] = available_of(item)
    return Snapshot(
        namespace=namespace,
        time=datetime.now(UTC),
        objects=objects,
        pods=tuple(pod_of(p) for p in sorted(pods, key=lambda p: str(p["metadata"]["name"]))),
        available=available,
        uids=uids,
    )


def diff_snapshots(before: Snapshot, after: Snapshot) -> list[FieldDifference]:
    """Return every field that differs, by object and path."""
    differences: list[FieldDifference] = []
    for key in sorted(before.objects.keys() | after.objects.keys()):
        old, new = before.objects.get(key), after.objects.get(key)
        if old is None and key.startswith("Node/"):
            continue  # a node joined the cluster
        if old is None or new is None:
            then, now = ("exists", "") if old else ("", "exists")
            differences.append(FieldDifference(key, "", then, now))
            continue
        old_fields, new_fields = compared_fields(old), compared_fields(new)
        secret = key.startswith("Secret/")
        differences += [
            FieldDifference(
                key,
                field_paths.dotted(p),
                *_as_texts(old_fields.get(p), new_fields.get(p), hide=secret),
            )
            for p in sorted(old_fields.keys() | new_fields.keys())
            if old_fields.get(p) != new_fields.get(p)
        ]
    return [d for d in differences if not _scaled_by_autoscaler(d, before)]


def compared_fields(item: Object) -> dict[field_paths.Path, Any]:
    """Return the fields of an object that are compared."""
    fields = field_paths.flatten({k: v for k, v in item.items() if k not in ("apiVersion", "kind")})
    for path in list(fields):
        assigned = item["kind"] == "Service" and path[-1] in _ASSIGNED
        identity = path[:1] == ("metadata",) and path[1] in ("name", "namespace")
        if assigned or identity or path[-1] == LAST_APPLIED:
            del fields[path]
    return fields


def _as_texts(old: Any, new: Any, *, hide: bool) -> tuple[str, str]:
    if hide:
        return "(hidden)" if old is not None else "", "(hidden)" if new is not None else ""
    return field_paths.shown(old), field_paths.shown(new)


def _scaled_by_autoscaler(changed: FieldDifference, before: Snapshot) -> bool:
    """Return whether an autoscaler from before the fault may have chosen the replicas."""
    replicas = parse_int(changed.after)
    if changed.path != "spec.replicas" or replicas is None:
        return False
    for _, autoscaler in before.kind("HorizontalPodAutoscaler"):
        spec = autoscaler.get("spec") or {}
        target = spec.get("scaleTargetRef") or {}
        if f"{target.get('kind')}/{target.get('name')}" == changed.object:
            return bool(spec.get("minReplicas", 1) <= replicas <= spec["maxReplicas"])
    return False


def key_of(item: Object) -> str:
    """Return Kind/name."""
    return f"{item['kind']}/{item['metadata']['name']}"


def controller(item: Object) -> Mapping[str, Any] | None:
    """Return the owner reference of the object's controller, if it has one."""
    owners = item["metadata"].get("ownerReferences") or ()
    return next((o for o in owners if o.get("controller")), None)


def controller_managed(item: Object) -> bool:
    """Return whether a controller manages the object, rather than people and playbooks."""
    name, kind = item["metadata"]["name"], item["kind"]
    if item["metadata"].get("deletionTimestamp"):
        return True
    if kind == "ConfigMap" and name == "kube-root-ca.crt":
        return True
    if kind == "Secret" and item.get("type") in _OTHERS_SECRETS:
        return True
    owners = item["metadata"].get("ownerReferences") or ()
    # Objects that reme stores for a Remediation are records, not changes of the system.
    return any(
        o.get("controller") or str(o.get("apiVersion")).startswith("reme.dev/") for o in owners
    )


def desired_state(item: Object) -> Object:
    """Return the part of an object that somebody decided: enough to compare and to recreate it."""
    metadata: Object = {"name": item["metadata"]["name"]}
    if namespace := item["metadata"].get("namespace"):
        metadata["namespace"] = namespace
    if labels := item["metadata"].get("labels"):
        metadata["labels"] = dict(labels)
    if annotations := meaningful_annotations(item["metadata"].get("annotations")):
        metadata["annotations"] = annotations
    body = {k: v for k, v in item.items() if k not in ("apiVersion", "kind", "metadata", "status")}
    if item["kind"] == "Node":
        spec = item.get("spec") or {}
        body = {"spec": {}}
        if spec.get("unschedulable"):
            body["spec"]["unschedulable"] = True
        if taints := manual_taints(spec.get("taints")):
            body["spec"]["taints"] = taints
        metadata.pop("annotations", None)
    if item["kind"] == "Namespace":
        body = {}
    if item["kind"] == "ServiceAccount":
        body.pop("secrets", None)
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": metadata, **body}


def meaningful_annotations(annotations: Mapping[str, str] | None) -> dict[str, str]:
    """Return the annotations that somebody set and that have an effect."""
    return {k: v for k, v in (annotations or {}).items() if k not in _NOISE}


def manual_taints(taints: Iterable[Object] | None) -> list[Object]:
    """Return the taints that somebody set."""
    return [
        {k: v for k, v in taint.items() if k != "timeAdded"}
        for taint in taints or ()
        if not str(taint.get("key")).startswith(_CONDITIONS)
    ]


def available_of(workload: Object) -> int:
    """Return the number of available pods of a workload."""
    status = workload.get("status") or {}
    name = "numberAvailable" if workload["kind"] == "DaemonSet" else "availableReplicas"
    return int(status.get(name) or 0)


def pod_of(item: Object) -> Pod:
    """Return the record of a pod."""
    status = item.get("status") or {}
    statuses = status.get("containerStatuses") or ()
    owner = controller(item)
    return Pod(
        name=item["metadata"]["name"],
        uid=item["metadata"].get("uid", ""),
        labels=item["metadata"].get("labels") or {},
        owner=f"{owner['kind']}/{owner['name']}" if owner else "",
        ready=ready(item),
        ending=bool(item["metadata"].get("deletionTimestamp")),
        restarts=sum(int(s.get("restartCount") or 0) for s in statuses),
        containers={s["name"]: str(s.get("containerID") or "") for s in statuses},
    )


def ready(pod: Object) -> bool:
    """Return whether a pod is ready and not terminating."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
