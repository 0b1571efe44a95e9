"""The simulated world: API objects, pods, and the ground truth that no API shows.

A world is immutable, and so must be the JSON inside it: worlds share what they have in common.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from reme_lab.simulator.identity_cache import cache_by_identity
from reme_lab.simulator.program import Program, Stress
from reme_playbook.snapshot.object_ref import WORKLOADS, ObjectRef
from reme_playbook.snapshot.snapshot import Revision

Json = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Pod:
    """One pod; its status follows from this and the ground truth."""

    name: str
    owner: ObjectRef
    template: Json
    created: int
    """World.clock at its creation."""
    config_maps: tuple[Json | None, ...] = ()
    """The template's ConfigMaps at the start of the containers; None for a missing one."""
    node: str = ""
    """Empty while the pod is not scheduled."""
    unschedulable: str = ""
    """Why the pod cannot be scheduled."""
    stress: Stress | None = None
    restarts: int = 0
    initialized: bool = False
    """Whether its init containers have finished; they are not run again."""
    starting: bool = False
    """Whether no container has started yet; containers read their settings when they start."""
    overloaded: bool = False
    """Whether requests have exceeded its capacity for minutes, so that its queue is long."""


class ReplicaSet(NamedTuple):
    """The ReplicaSet of a Deployment for one template."""

    template: Json
    size: int


@dataclass(frozen=True)
class EntryPoint:
    """Where users send requests: a Service, or a path of an Ingress."""

    service: str = ""
    port: int = 80
    path: str = "/"
    ingress: str = ""


@dataclass(frozen=True)
class AllowedDifference:
    """A field that a good repair may leave different from the healthy state.

    `path` is a prefix of the dotted path, with `*` for any one step; the factors bound numbers and
    quantities.
    """

    kind: str
    name: str
    path: str = ""
    min_factor: float | None = None
    max_factor: float | None = None


@dataclass(frozen=True)
class GroundTruth:
    """What no probe and no API shows directly."""

    programs: Mapping[ObjectRef, Program] = field(default_factory=dict)
    """The program of each workload; the default is one without faults."""
    missing_images: frozenset[str] = frozenset()
    """Images that cannot be pulled."""
    missing_secret_keys: frozenset[tuple[str, str]] = frozenset()
    """Name and key of Secrets' entries that templates reference and that do not exist."""
    used_elsewhere: Mapping[str, int] = field(default_factory=dict)
    """Amounts of quotas that unknown pods use."""
    policies_enforced: bool = True
    """Whether the cluster's network enforces NetworkPolicies."""
    metrics_available: bool = True
    """Whether there is a metrics server."""
    entry_points: tuple[EntryPoint, ...] = ()
    allowed_differences: tuple[AllowedDifference, ...] = ()
    patience_seconds: int = 90
    """How long after a change its effect is measured."""


@dataclass(frozen=True, eq=False)
class World:
    """One namespace and the nodes. A settled world has no work left for any controller."""

    target: ObjectRef
    objects: Mapping[ObjectRef, Json]
    """All objects but pods. Only nodes have a status here; other statuses are derived."""
    pods: Mapping[ObjectRef, tuple[Pod, ...]] = field(default_factory=dict)
    """The pods of each workload, oldest first."""
    revisions: Mapping[ObjectRef, tuple[Revision, ...]] = field(default_factory=dict)
    """The revisions of each workload, newest first."""
    replica_sets: Mapping[ObjectRef, tuple[ReplicaSet, ...]] = field(default_factory=dict)
    """The ReplicaSets of each Deployment with a size above zero, newest last."""
    creation_errors: Mapping[ObjectRef, str] = field(default_factory=dict)
    """Why the last pod of a workload could not be created."""
    ground_truth: GroundTruth = field(default_factory=GroundTruth)
    clock: int = 1_770_000_000
    """Seconds since 1970."""
    created_pods: int = 0
    """How many pods were created so far."""
    healthy: "World | None" = None
    """The world before the fault, with which repairs are compared."""

    @property
    def namespace(self) -> str:
        """The namespace of the target."""
        return self.target.namespace

    @property
    def workloads(self) -> tuple[ObjectRef, ...]:
        """The workloads of the namespace, in insertion order."""
        return _workloads(self.objects)

    def of_kind(self, kind: str) -> Sequence[tuple[ObjectRef, Json]]:
        """Return the objects of a kind."""
        return _by_kind(self.objects).get(kind, ())

    def named(self, kind: str, name: str) -> Json | None:
        """Return an object of the namespace, or a node; None if it does not exist."""
        return _by_name(self.objects).get((kind, name))

    def program(self, key: ObjectRef) -> Program:
        """Return the program of a workload."""
        return self.ground_truth.programs.get(key, PLAIN)

    def with_objects(self, *changed: tuple[ObjectRef, Json]) -> "World":
        """Return the world with these objects replaced, not settled."""
        return replace(self, objects={**self.objects, **dict(changed)})


@cache_by_identity
def _by_name(objects: Mapping[ObjectRef, Json]) -> dict[tuple[str, str], Json]:
    return {(key.kind, key.name): stored for key, stored in objects.items()}


@cache_by_identity
def _by_kind(objects: Mapping[ObjectRef, Json]) -> dict[str, list[tuple[ObjectRef, Json]]]:
    kinds: dict[str, list[tuple[ObjectRef, Json]]] = {}
    for key, stored in objects.items():
        kinds.setdefault(key.kind, []).append((key, stored))
    return kinds


@cache_by_identity
def _workloads(objects: Mapping[ObjectRef, Json]) -> tuple[ObjectRef, ...]:
    return tuple(key for key in objects if key.kind in WORKLOADS)


PLAIN = Program()
