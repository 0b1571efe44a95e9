"""Which node takes a pod, and what the scheduler says when none does."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from reme_lab.simulator.identity_cache import cache_by_identities, cache_by_identity
from reme_lab.simulator.template_facts import Amounts, cpu_or_zero, memory_or_zero, template_facts
from reme_lab.simulator.world import Pod, World
from reme_playbook.snapshot import related_views, unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.related_views import NodeView

Json = Mapping[str, Any]

_HARD = ("NoSchedule", "NoExecute")


class Placement(NamedTuple):
    """A node that takes a pod, or why none does."""

    node: str
    message: str = ""


@dataclass(frozen=True, eq=False)
class _Node:
    view: NodeView
    capacity: Amounts


@cache_by_identity
def _node(found: Json) -> _Node:
    allocatable = unstructured.mapping(found, "status", "allocatable")
    capacity = Amounts(
        cpu_or_zero(str(allocatable.get("cpu", "64"))),
        memory_or_zero(str(allocatable.get("memory", "256Gi"))),
    )
    return _Node(related_views.node(found), capacity)


def schedule(world: World, template: Json, pods: Mapping[ObjectRef, Sequence[Pod]]) -> Placement:
    """Return the node that takes one more pod of this template beside those that are there."""
    nodes = [_node(found) for _, found in world.of_kind("Node")]
    if not nodes:
        return Placement("node-1")  # a world without nodes says nothing of scheduling
    reasons: Counter[str] = Counter()
    used = _used(pods)
    fitting = []
    for node in nodes:
        reason = _refusal(node, template, used.get(node.view.name, Amounts()), pods, nodes)
        if reason:
            reasons[reason] += 1
        else:
            fitting.append(node)
    if not fitting:
        said = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        return Placement("", f"0/{len(nodes)} nodes are available: {said}.")
    # The emptiest one, as the scheduler's scores mostly come to.
    best = min(fitting, key=lambda n: (used.get(n.view.name, Amounts()).cpu, n.view.name))
    return Placement(best.view.name)


def _used(pods: Mapping[ObjectRef, Sequence[Pod]]) -> dict[str, Amounts]:
    used: dict[str, Amounts] = {}
    for found in pods.values():
        for node, more in _used_by(found).items():
            had = used.get(node, Amounts())
            used[node] = Amounts(had.cpu + more.cpu, had.memory + more.memory)
    return used


@cache_by_identity
def _used_by(pods: Sequence[Pod]) -> dict[str, Amounts]:
    used: dict[str, Amounts] = {}
    for pod in pods:
        if pod.node:
            had, more = used.get(pod.node, Amounts()), template_facts(pod.template).requests
            used[pod.node] = Amounts(had.cpu + more.cpu, had.memory + more.memory)
    return used


def _refusal(
    node: _Node,
    template: Json,
    used: Amounts,
    pods: Mapping[ObjectRef, Sequence[Pod]],
    nodes: Sequence[_Node],
) -> str:
    refusal = _unfit(node, template)
    if refusal:
        return refusal
    if _anti_affinity(template) and _kept_apart(node, template, pods, nodes):
        return "node(s) didn't match pod anti-affinity rules"
    needs = template_facts(template).requests
    if used.cpu + needs.cpu > node.capacity.cpu:
        return "Insufficient cpu"
    if used.memory + needs.memory > node.capacity.memory:
        return "Insufficient memory"
    return ""


@cache_by_identities
def _unfit(node: _Node, template: Json) -> str:
    """Return why a node never takes a pod of the template, whatever else is there."""
    view = node.view
    if not view.ready:
        return "node(s) had untolerated taint {node.kubernetes.io/not-ready: }"
    if view.unschedulable:
        return "node(s) were unschedulable"
    for taint in view.taints:
        if taint.effect in _HARD and not tolerates(template, taint):
            return f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"
    if not node_matches(template, view.labels):
        return "node(s) didn't match Pod's node affinity/selector"
    return ""


@cache_by_identity
def _anti_affinity(template: Json) -> list[Json]:
    return unstructured.items(
        template,
        "spec",
        "affinity",
        "podAntiAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
    )


def tolerates(template: Json, taint: related_views.Taint) -> bool:
    """Return whether the pods of a template bear a taint."""
    for one in unstructured.items(template, "spec", "tolerations"):
        if unstructured.text(one, "effect") not in ("", taint.effect):
            continue
        key = unstructured.text(one, "key")
        if unstructured.text(one, "operator") == "Exists":
            if key in ("", taint.key):
                return True
        elif (key, unstructured.text(one, "value")) == (taint.key, taint.value):
            return True
    return False


def node_matches(template: Json, labels: Mapping[str, str]) -> bool:
    """Return whether a node with these labels is one that the pods of a template ask for."""
    wanted = template_facts(template).node_selector
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    required = unstructured.mapping(
        template,
        "spec",
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
    )
    terms = unstructured.items(required, "nodeSelectorTerms")
    return not terms or any(related_views.selector(term).matches(labels) for term in terms)


def _kept_apart(
    node: _Node,
    template: Json,
    pods: Mapping[ObjectRef, Sequence[Pod]],
    nodes: Sequence[_Node],
) -> bool:
    terms = _anti_affinity(template)
    for term in terms:
        topology = unstructured.text(term, "topologyKey")
        here = _domain(node, topology)
        if here is None:
            continue
        near = {n.view.name for n in nodes if _domain(n, topology) == here}
        chosen = related_views.selector(unstructured.mapping(term, "labelSelector"))
        for pod in _all(pods.values()):
            if pod.node in near and chosen.matches(template_facts(pod.template).labels):
                return True
    return False


def _domain(node: _Node, topology: str) -> str | None:
    if topology == "kubernetes.io/hostname":
        return node.view.labels.get(topology, node.view.name)
    return node.view.labels.get(topology)


def _all(lists: Iterable[Sequence[Pod]]) -> Iterable[Pod]:
    return (pod for found in lists for pod in found)


def daemon_nodes(world: World, template: Json) -> list[str]:
    """Return the nodes on which a DaemonSet of this template wants a pod."""
    found = [_node(node).view for _, node in world.of_kind("Node")]
    if not found:
        return ["node-1"]
    return [
        view.name
        for view in found
        if node_matches(template, view.labels)
        and all(
            tolerates(template, taint)
            for taint in view.taints
            # Its controller has its pods bear what Kubernetes itself puts on nodes.
            if taint.effect in _HARD and not taint.key.startswith("node.kubernetes.io/")
        )
    ]
