"""A cluster in memory: what the API server holds, which pods there are, and what nobody can see.

Everything here is immutable, and so must be the JSON inside: worlds share what they have in common.
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
    """One pod; how it is doing follows from this and the truths."""

    name: str
    owner: ObjectRef
    template: Json
    created: int
    """World.clock when it was made."""
    config_maps: tuple[Json | None, ...] = ()
    """The ConfigMaps of the template as they were at the start; None for one that was not there."""
    node: str = ""
    """Empty while no node takes it."""
    unschedulable: str = ""
    """Why no node takes it."""
    stress: Stress | None = None
    restarts: int = 0
    initialized: bool = False
    """Whether its init containers have ended: what they waited for may go again."""
    starting: bool = False
    """Whether none of its containers has started yet: it is told what holds when they do."""
    overloaded: bool = False
    """Whether more than it does has come in for minutes: its queue is long by now."""


class ReplicaSet(NamedTuple):
    """How many pods of one template a Deployment's ReplicaSet keeps."""

    template: Json
    size: int


@dataclass(frozen=True)
class EntryPoint:
    """Where users come in: a Service, or a path of an Ingress."""

    service: str = ""
    port: int = 80
    path: str = "/"
    ingress: str = ""


@dataclass(frozen=True)
class AllowedDifference:
    """A field that a good repair may leave different from before the fault.

    `path` is a prefix of the dotted path, as templates.differences writes it, with `*` for any one
    step; the factors bound numbers and amounts.
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
    """How each workload's program behaves; one that is missing here is a plain good one."""
    missing_images: frozenset[str] = frozenset()
    """Images that cannot be pulled."""
    missing_secret_keys: frozenset[tuple[str, str]] = frozenset()
    """Name and key of what a template takes from a Secret and is not there."""
    used_elsewhere: Mapping[str, int] = field(default_factory=dict)
    """What pods of which nothing is known take of quotas, by amount."""
    policies_enforced: bool = True
    """Whether the network of the cluster heeds NetworkPolicies."""
    metrics_available: bool = True
    """Whether there is a metrics server."""
    entry_points: tuple[EntryPoint, ...] = ()
    allowed_differences: tuple[AllowedDifference, ...] = ()
    patience_seconds: int = 90
    """How long a change may take until it shows."""


@dataclass(frozen=True, eq=False)
class World:
    """One namespace and the nodes, settled: no controller has anything left to do."""

    target: ObjectRef
    objects: Mapping[ObjectRef, Json]
    """Everything but pods. Only a Node has a status here: all others' follows from the rest."""
    pods: Mapping[ObjectRef, tuple[Pod, ...]] = field(default_factory=dict)
    """The pods of each workload, oldest first."""
    revisions: Mapping[ObjectRef, tuple[Revision, ...]] = field(default_factory=dict)
    """The revisions of each workload, newest first."""
    replica_sets: Mapping[ObjectRef, tuple[ReplicaSet, ...]] = field(default_factory=dict)
    """The ReplicaSets of each Deployment that want pods, the newest last."""
    creation_errors: Mapping[ObjectRef, str] = field(default_factory=dict)
    """Why the last pod of a workload could not be made."""
    ground_truth: GroundTruth = field(default_factory=GroundTruth)
    clock: int = 1_770_000_000
    """Seconds since 1970."""
    created_pods: int = 0
    """How many pods were ever made."""
    healthy: "World | None" = None
    """The world before anything was broken; what a repair is measured against."""

    @property
    def namespace(self) -> str:
        """The namespace of the target."""
        return self.target.namespace

    @property
    def workloads(self) -> tuple[ObjectRef, ...]:
        """The workloads of the namespace, in the order in which they were put in."""
        return _workloads(self.objects)

    def of_kind(self, kind: str) -> Sequence[tuple[ObjectRef, Json]]:
        """Return the objects of a kind."""
        return _by_kind(self.objects).get(kind, ())

    def named(self, kind: str, name: str) -> Json | None:
        """Return an object of the namespace, or a node; None if it is not there."""
        return _by_name(self.objects).get((kind, name))

    def program(self, key: ObjectRef) -> Program:
        """Return how a workload's program behaves."""
        return self.ground_truth.programs.get(key, PLAIN)

    def with_objects(self, *changed: tuple[ObjectRef, Json]) -> "World":
        """Return the world with these objects instead; not settled."""
        return replace(self, objects={**self.objects, **dict(changed)})


@cache_by_identity
def _by_name(objects: Mapping[ObjectRef, Json]) -> dict[tuple[str, str], Json]:
    return {(key.kind, key.name): found for key, found in objects.items()}


@cache_by_identity
def _by_kind(objects: Mapping[ObjectRef, Json]) -> dict[str, list[tuple[ObjectRef, Json]]]:
    kinds: dict[str, list[tuple[ObjectRef, Json]]] = {}
    for key, found in objects.items():
        kinds.setdefault(key.kind, []).append((key, found))
    return kinds


@cache_by_identity
def _workloads(objects: Mapping[ObjectRef, Json]) -> tuple[ObjectRef, ...]:
    return tuple(key for key in objects if key.kind in WORKLOADS)


PLAIN = Program()
