"""A namespace as it is: everything that a person or a playbook may change, and its pods.

Status and what the API server fills in are left out, so that two snapshots differ exactly where
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
"""Kinds of the namespace; those that a controller made are not looked at, but their owner."""

RESTARTED = frozenset(("kubectl.kubernetes.io/restartedAt", "reme.dev/restarted-at"))
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
"""Annotations that controllers write, or that say nothing."""
_ASSIGNED = frozenset(("clusterIP", "clusterIPs", "healthCheckNodePort", "nodePort"))
"""Fields of a Service that the API server chooses anew when the Service is made anew."""
_OTHERS_SECRETS = frozenset(("kubernetes.io/service-account-token", "helm.sh/release.v1"))
_CONDITIONS = "node.kubernetes.io/"
"""Taints that follow a node's condition, and come and go with it."""


class Pod(BaseModel):
    """One pod, as far as it tells whether somebody touched it."""

    model_config = ConfigDict(frozen=True)

    name: str
    uid: str
    labels: dict[str, str] = Field(default_factory=dict)
    owner: str = ""  # Kind/name of what controls it: a ReplicaSet, a StatefulSet, ...
    ready: bool = False
    ending: bool = False
    restarts: int = 0
    containers: dict[str, str] = Field(default_factory=dict)  # name: id of the running container


class Snapshot(BaseModel):
    """A namespace and the cluster's nodes at one moment.

    Holds the content of Secrets, since what was changed must be put back; do not publish it.
    """

    model_config = ConfigDict(frozen=True)

    namespace: str
    time: datetime
    objects: dict[str, Object]  # Kind/name: what it was told to be
    pods: tuple[Pod, ...]
    available: dict[str, int]  # Kind/name of a workload: pods that are available
    uids: dict[str, str]  # Kind/name: which object of that name it was

    def to_json(self) -> str:
        """Return the whole of it as a text."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote; ValueError when it is something else."""
        return cls.model_validate_json(text)

    def workload(self, name: str) -> tuple[str, Object]:
        """Return the key and what was told of the workload of a name; LookupError without one."""
        for kind in WORKLOADS:
            if found := self.objects.get(f"{kind}/{name}"):
                return f"{kind}/{name}", found
        raise LookupError(f"there was no workload {name}")

    def kind(self, *kinds: str) -> Iterator[tuple[str, Object]]:
        """Yield the objects of some kinds, by name."""
        for key, found in self.objects.items():
            kind, _, name = key.partition("/")
            if kind in kinds:
                yield name, found


class FieldDifference(NamedTuple):
    """One field that is not what it was; "" where it is absent."""

    object: str  # Kind/name
    path: str  # "" for the object as a whole
    before: str
    after: str


async def take(cluster: Cluster, namespace: str) -> Snapshot:
    """Return how the namespace is now.

    Raises:
        ClusterError: it cannot be read.
    """
    *lists, nodes, pods = await asyncio.gather(
        *(cluster.list(kind, namespace) for kind in KINDS),
        cluster.list("Node"),
        cluster.list("Pod", namespace),
    )
    itself = await cluster.get("Namespace", namespace)
    objects: dict[str, Object] = {}
    available: dict[str, int] = {}
    uids: dict[str, str] = {}
    raw = [o for objects_of_kind in lists for o in objects_of_kind if not derived(o)]
    raw += nodes
    if itself:
        raw.append({"apiVersion": "v1", "kind": "Namespace", **itself})
    for item in raw:
        key = key_of(item)
        objects[key] = told(item)
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


def difference(before: Snapshot, after: Snapshot) -> list[FieldDifference]:
    """Return every field that differs, by object and path."""
    changed: list[FieldDifference] = []
    for key in sorted(before.objects.keys() | after.objects.keys()):
        old, new = before.objects.get(key), after.objects.get(key)
        if old is None and key.startswith("Node/"):
            continue  # nodes join by themselves
        if old is None or new is None:
            there, absent = ("exists", "") if old else ("", "exists")
            changed.append(FieldDifference(key, "", there, absent))
            continue
        left, right = compared(old), compared(new)
        secret = key.startswith("Secret/")
        changed += [
            FieldDifference(
                key, field_paths.dotted(p), *_both(left.get(p), right.get(p), hide=secret)
            )
            for p in sorted(left.keys() | right.keys())
            if left.get(p) != right.get(p)
        ]
    return [d for d in changed if not _scaled_by_itself(d, before)]


def compared(item: Object) -> dict[field_paths.Path, Any]:
    """Return the fields of an object that are compared."""
    found = field_paths.flatten({k: v for k, v in item.items() if k not in ("apiVersion", "kind")})
    for path in list(found):
        service = item["kind"] == "Service" and path[-1] in _ASSIGNED
        named = path[:1] == ("metadata",) and path[1] in ("name", "namespace")
        if service or named or path[-1] == LAST_APPLIED:
            del found[path]
    return found


def _both(old: Any, new: Any, *, hide: bool) -> tuple[str, str]:
    if hide:
        return "(hidden)" if old is not None else "", "(hidden)" if new is not None else ""
    return field_paths.shown(old), field_paths.shown(new)


def _scaled_by_itself(changed: FieldDifference, before: Snapshot) -> bool:
    """Whether a number of replicas was an autoscaler's to choose, also before the fault."""
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
    """Return what controls the object, if anything does."""
    owners = item["metadata"].get("ownerReferences") or ()
    return next((o for o in owners if o.get("controller")), None)


def derived(item: Object) -> bool:
    """Whether somebody else than people and playbooks makes the object what it is."""
    name, kind = item["metadata"]["name"], item["kind"]
    if item["metadata"].get("deletionTimestamp"):
        return True
    if kind == "ConfigMap" and name == "kube-root-ca.crt":
        return True
    if kind == "Secret" and item.get("type") in _OTHERS_SECRETS:
        return True
    owners = item["metadata"].get("ownerReferences") or ()
    # What reme notes beside a Remediation is its record, not a change of the system.
    return any(
        o.get("controller") or str(o.get("apiVersion")).startswith("reme.dev/") for o in owners
    )


def told(item: Object) -> Object:
    """Return the object as it was told to be: enough to compare it, and to make it again."""
    metadata: Object = {"name": item["metadata"]["name"]}
    if namespace := item["metadata"].get("namespace"):
        metadata["namespace"] = namespace
    if labels := item["metadata"].get("labels"):
        metadata["labels"] = dict(labels)
    if annotations := telling(item["metadata"].get("annotations")):
        metadata["annotations"] = annotations
    body = {k: v for k, v in item.items() if k not in ("apiVersion", "kind", "metadata", "status")}
    if item["kind"] == "Node":
        spec = item.get("spec") or {}
        body = {"spec": {}}
        if spec.get("unschedulable"):
            body["spec"]["unschedulable"] = True
        if taints := lasting(spec.get("taints")):
            body["spec"]["taints"] = taints
        metadata.pop("annotations", None)
    if item["kind"] == "Namespace":
        body = {}
    if item["kind"] == "ServiceAccount":
        body.pop("secrets", None)
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": metadata, **body}


def telling(annotations: Mapping[str, str] | None) -> dict[str, str]:
    """Return the annotations that somebody meant to set."""
    return {k: v for k, v in (annotations or {}).items() if k not in _NOISE}


def lasting(taints: Iterable[Object] | None) -> list[Object]:
    """Return the taints that somebody set."""
    return [
        {k: v for k, v in taint.items() if k != "timeAdded"}
        for taint in taints or ()
        if not str(taint.get("key")).startswith(_CONDITIONS)
    ]


def available_of(workload: Object) -> int:
    """Return how many pods of a workload are available."""
    status = workload.get("status") or {}
    name = "numberAvailable" if workload["kind"] == "DaemonSet" else "availableReplicas"
    return int(status.get(name) or 0)


def pod_of(item: Object) -> Pod:
    """Return what is kept of a pod."""
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
    """Whether a pod is ready and stays."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
