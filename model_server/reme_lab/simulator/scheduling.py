"""Quotas and scheduling: whether a pod can be created, and which node takes it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from reme_lab.simulator.identity_cache import cache_by_identities, cache_by_identity
from reme_lab.simulator.template_facts import Amounts, cpu_or_zero, memory_or_zero, template_facts
from reme_lab.simulator.world import Pod, World
from reme_playbook.snapshot import related_views, unstructured, views
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.quantity import format_cpu, format_memory, quota_amount
from reme_playbook.snapshot.related_views import NodeView

Json = Mapping[str, Any]

_HARD = ("NoSchedule", "NoExecute")


class Placement(NamedTuple):
    """The node for a pod, or why there is none."""

    node: str
    message: str = ""


@dataclass(frozen=True, eq=False)
class _Node:
    view: NodeView
    capacity: Amounts


@cache_by_identity
def _node(node: Json) -> _Node:
    allocatable = unstructured.mapping(node, "status", "allocatable")
    capacity = Amounts(
        cpu_or_zero(str(allocatable.get("cpu", "64"))),
        memory_or_zero(str(allocatable.get("memory", "256Gi"))),
    )
    return _Node(related_views.node(node), capacity)


def schedule(world: World, template: Json, pods: Mapping[ObjectRef, Sequence[Pod]]) -> Placement:
    """Return the node that takes another pod of this template."""
    nodes = [_node(node) for _, node in world.of_kind("Node")]
    if not nodes:
        return Placement("node-1")  # a world without nodes does not simulate scheduling
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
        message_parts = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        return Placement("", f"0/{len(nodes)} nodes are available: {message_parts}.")
    # The node with the least CPU requested, which is what the scheduler's scores mostly mean.
    best = min(fitting, key=lambda n: (used.get(n.view.name, Amounts()).cpu, n.view.name))
    return Placement(best.view.name)


def _used(pods: Mapping[ObjectRef, Sequence[Pod]]) -> dict[str, Amounts]:
    used: dict[str, Amounts] = {}
    for owned in pods.values():
        for node, amounts in _used_by(owned).items():
            before = used.get(node, Amounts())
            used[node] = Amounts(before.cpu + amounts.cpu, before.memory + amounts.memory)
    return used


@cache_by_identity
def _used_by(pods: Sequence[Pod]) -> dict[str, Amounts]:
    used: dict[str, Amounts] = {}
    for pod in pods:
        if pod.node:
            before, requests = used.get(pod.node, Amounts()), template_facts(pod.template).requests
            used[pod.node] = Amounts(before.cpu + requests.cpu, before.memory + requests.memory)
    return used


def _refusal(
    node: _Node,
    template: Json,
    used: Amounts,
    pods: Mapping[ObjectRef, Sequence[Pod]],
    nodes: Sequence[_Node],
) -> str:
    refusal = _static_refusal(node, template)
    if refusal:
        return refusal
    if _anti_affinity(template) and _violates_anti_affinity(node, template, pods, nodes):
        return "node(s) didn't match pod anti-affinity rules"
    if _ports_taken(node, template, pods):
        return "node(s) didn't have free ports for the requested pod ports"
    needs = template_facts(template).requests
    if used.cpu + needs.cpu > node.capacity.cpu:
        return "Insufficient cpu"
    if used.memory + needs.memory > node.capacity.memory:
        return "Insufficient memory"
    return ""


def _ports_taken(node: _Node, template: Json, pods: Mapping[ObjectRef, Sequence[Pod]]) -> bool:
    """Return whether another pod on the node has a host port of the template."""
    requested = template_facts(template).host_ports
    return bool(requested) and any(
        pod.node == node.view.name and requested & template_facts(pod.template).host_ports
        for pod in _all_pods(pods.values())
    )


@cache_by_identities
def _static_refusal(node: _Node, template: Json) -> str:
    """Return why a node never takes a pod of this template, whatever else runs there."""
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
    """Return whether the pods of a template tolerate a taint."""
    for toleration in unstructured.items(template, "spec", "tolerations"):
        if unstructured.text(toleration, "effect") not in ("", taint.effect):
            continue
        key = unstructured.text(toleration, "key")
        if unstructured.text(toleration, "operator") == "Exists":
            if key in ("", taint.key):
                return True
        elif (key, unstructured.text(toleration, "value")) == (taint.key, taint.value):
            return True
    return False


def node_matches(template: Json, labels: Mapping[str, str]) -> bool:
    """Return whether node selector and affinity of a template match these labels."""
    node_selector = template_facts(template).node_selector
    if any(labels.get(key) != value for key, value in node_selector.items()):
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


def _violates_anti_affinity(
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
        for pod in _all_pods(pods.values()):
            if pod.node in near and chosen.matches(template_facts(pod.template).labels):
                return True
    return False


def _domain(node: _Node, topology: str) -> str | None:
    if topology == "kubernetes.io/hostname":
        return node.view.labels.get(topology, node.view.name)
    return node.view.labels.get(topology)


def _all_pods(lists: Iterable[Sequence[Pod]]) -> Iterable[Pod]:
    return (pod for pods in lists for pod in pods)


def daemon_nodes(world: World, template: Json) -> list[str]:
    """Return the nodes on which a DaemonSet of this template runs a pod."""
    node_views = [_node(node).view for _, node in world.of_kind("Node")]
    if not node_views:
        return ["node-1"]
    return [
        view.name
        for view in node_views
        if node_matches(template, view.labels)
        and all(
            tolerates(template, taint)
            for taint in view.taints
            # The DaemonSet controller adds tolerations for Kubernetes' own taints.
            if taint.effect in _HARD and not taint.key.startswith("node.kubernetes.io/")
        )
    ]


Pods = Mapping[ObjectRef, Sequence[Pod]]


def quota_refusal(world: World, template: Json, pods: Pods, pod_name: str) -> str:
    """Return the API server's message if a quota forbids the pod; empty if none does."""
    for key, quota in world.of_kind("ResourceQuota"):
        requested, used, limited = [], [], []
        for amount_key, text in sorted(unstructured.mapping(quota, "spec", "hard").items()):
            hard = views.quota(amount_key, text)
            amount = amount_per_pod(amount_key, template)
            if hard is None or not amount:
                continue
            in_use = used_amount(world, amount_key, pods)
            if in_use + amount > quota_amount(amount_key, hard):
                requested.append(f"{amount_key}={format_amount(amount_key, amount)}")
                used.append(f"{amount_key}={format_amount(amount_key, in_use)}")
                limited.append(f"{amount_key}={hard}")
        if requested:
            return (
                f'pods "{pod_name}" is forbidden: exceeded quota: {key.name}, '
                f"requested: {','.join(requested)}, used: {','.join(used)}, "
                f"limited: {','.join(limited)}"
            )
    return ""


def amount_per_pod(key: str, template: Json) -> int:
    """Return how much of a quota's amount one pod of a template uses."""
    if key in ("pods", "count/pods"):
        return 1
    side, _, resource = key.rpartition(".")
    facts = template_facts(template)
    amounts = facts.limits if side == "limits" else facts.requests
    if resource == "cpu":
        return amounts.cpu
    return amounts.memory if resource == "memory" else 0


def used_amount(world: World, key: str, pods: Pods) -> int:
    """Return how much of a quota's amount all pods use."""
    return world.ground_truth.used_elsewhere.get(key, 0) + sum(
        amount_per_pod(key, pod.template) for owned in pods.values() for pod in owned
    )


def format_amount(key: str, amount: int) -> str:
    """Return an amount in the format of the API server."""
    if key.endswith("cpu"):
        return format_cpu(amount)
    return format_memory(amount) if key.endswith("memory") else str(amount)
