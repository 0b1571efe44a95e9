"""What the objects around a workload say that limit it, lead to it, or do not take its pods."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from reme_api.parsing import parse_int
from reme_playbook.snapshot import unstructured, views

Labels = Mapping[str, str]


@dataclass(frozen=True)
class AutoscalerView:
    """A HorizontalPodAutoscaler."""

    name: str
    kind: str  # of what it scales
    scales: str  # name of what it scales
    min_replicas: int
    max_replicas: int
    wants_more: bool  # than it may have


@dataclass(frozen=True)
class QuotaView:
    """A ResourceQuota, amounts in canonical form."""

    name: str
    hard: Mapping[str, str]
    used: Mapping[str, str]


@dataclass(frozen=True)
class DisruptionBudgetView:
    """A PodDisruptionBudget; numbers of pods or shares of them."""

    name: str
    selector: "Selector"
    min_available: int | str | None
    max_unavailable: int | str | None
    allowed: int  # disruptions that it allows now


class IngressPath(NamedTuple):
    """One path of an Ingress, and where its backend leads; no service where it is no Service."""

    rule: int
    path: int
    host: str
    http_path: str
    service: str
    port: int | str


@dataclass(frozen=True)
class IngressView:
    """An Ingress."""

    name: str
    paths: tuple[IngressPath, ...]


@dataclass(frozen=True)
class NetworkPolicyView:
    """A NetworkPolicy; None where it does not restrict a direction."""

    name: str
    selector: "Selector"
    ingress: tuple[Mapping[str, Any], ...] | None
    egress: tuple[Mapping[str, Any], ...] | None


@dataclass(frozen=True)
class JobView:
    """A Job."""

    name: str
    suspended: bool
    finished: bool


class Taint(NamedTuple):
    """A taint of a node."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True)
class NodeView:
    """A node."""

    name: str
    labels: Labels
    ready: bool
    unschedulable: bool
    taints: tuple[Taint, ...]


@dataclass(frozen=True)
class Selector:
    """A label selector; `odd` when it has an operator that nobody knows."""

    labels: Labels
    expressions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    odd: bool = False

    def matches(self, labels: Labels) -> bool:
        """Return whether it selects something with these labels; an empty one selects all."""
        if self.odd or any(labels.get(key) != value for key, value in self.labels.items()):
            return False
        return all(_holds(labels, *expression) for expression in self.expressions)


def _holds(labels: Labels, key: str, operator: str, values: tuple[str, ...]) -> bool:
    found = labels.get(key)
    match operator:
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case _:
            return found is None


_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def selector(found: Mapping[str, Any]) -> Selector:
    """Return what a label selector says."""
    expressions = []
    for one in unstructured.items(found, "matchExpressions"):
        values = one.get("values")
        words = tuple(str(v) for v in values) if isinstance(values, list | tuple) else ()
        expressions.append(
            (unstructured.text(one, "key"), unstructured.text(one, "operator"), words)
        )
    return Selector(
        unstructured.strings(found, "matchLabels"),
        tuple(expressions),
        odd=any(operator not in _OPERATORS for _, operator, _ in expressions),
    )


def autoscaler(found: Mapping[str, Any]) -> AutoscalerView:
    """Return what a HorizontalPodAutoscaler says."""
    limited = any(
        unstructured.text(c, "type") == "ScalingLimited"
        and unstructured.text(c, "status") == "True"
        and unstructured.text(c, "reason") == "TooManyReplicas"
        for c in unstructured.items(found, "status", "conditions")
    )
    return AutoscalerView(
        name=unstructured.text(found, "metadata", "name"),
        kind=unstructured.text(found, "spec", "scaleTargetRef", "kind"),
        scales=unstructured.text(found, "spec", "scaleTargetRef", "name"),
        min_replicas=unstructured.number(found, "spec", "minReplicas", default=1),
        max_replicas=unstructured.number(found, "spec", "maxReplicas", default=1),
        wants_more=limited,
    )


def quota(found: Mapping[str, Any]) -> QuotaView:
    """Return what a ResourceQuota says."""

    def amounts(*path: str) -> dict[str, str]:
        known = {k: views.quota(k, v) for k, v in unstructured.mapping(found, *path).items()}
        return {key: value for key, value in known.items() if value is not None}

    return QuotaView(
        unstructured.text(found, "metadata", "name"),
        amounts("spec", "hard"),
        amounts("status", "used"),
    )


def budget(found: Mapping[str, Any]) -> DisruptionBudgetView:
    """Return what a PodDisruptionBudget says."""
    return DisruptionBudgetView(
        name=unstructured.text(found, "metadata", "name"),
        selector=selector(unstructured.mapping(found, "spec", "selector")),
        min_available=_count(unstructured.at(found, "spec", "minAvailable")),
        max_unavailable=_count(unstructured.at(found, "spec", "maxUnavailable")),
        allowed=unstructured.number(found, "status", "disruptionsAllowed"),
    )


def _count(value: Any) -> int | str | None:
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def pods_of(count: int | str, total: int, *, round_up: bool = True) -> int:
    """Return how many of `total` pods a number or a percentage of them is; 0 for other text.

    Disruption budgets and surges are rounded up; `maxUnavailable` of a rollout is rounded down.
    """
    if isinstance(count, int):
        return count
    hundredths = (parse_int(count.removesuffix("%")) or 0) * total
    return -(-hundredths // 100) if round_up else hundredths // 100


def allows_eviction(
    min_available: int | str | None, max_unavailable: int | str | None, total: int
) -> bool:
    """Return whether a budget can ever allow that one of so many pods is evicted."""
    if max_unavailable is not None:
        return pods_of(max_unavailable, total) >= 1
    return min_available is None or pods_of(min_available, total) < total


def ingress(found: Mapping[str, Any]) -> IngressView:
    """Return what an Ingress says."""
    paths = []
    for rule, entry in enumerate(unstructured.items(found, "spec", "rules")):
        for place, path in enumerate(unstructured.items(entry, "http", "paths")):
            service = unstructured.mapping(path, "backend", "service")
            number = unstructured.number(service, "port", "number")
            paths.append(
                IngressPath(
                    rule,
                    place,
                    unstructured.text(entry, "host"),
                    unstructured.text(path, "path"),
                    unstructured.text(service, "name"),
                    number or unstructured.text(service, "port", "name"),
                )
            )
    return IngressView(unstructured.text(found, "metadata", "name"), tuple(paths))


def network_policy(found: Mapping[str, Any]) -> NetworkPolicyView:
    """Return what a NetworkPolicy says."""
    types = unstructured.at(found, "spec", "policyTypes")
    known = types if isinstance(types, list | tuple) else ()

    def rules(side: str, kind: str) -> tuple[Mapping[str, Any], ...] | None:
        return tuple(unstructured.items(found, "spec", side)) if kind in known else None

    return NetworkPolicyView(
        name=unstructured.text(found, "metadata", "name"),
        selector=selector(unstructured.mapping(found, "spec", "podSelector")),
        ingress=rules("ingress", "Ingress"),
        egress=rules("egress", "Egress"),
    )


def job(found: Mapping[str, Any]) -> JobView:
    """Return what a Job says."""
    ended = any(
        unstructured.text(c, "type") in ("Complete", "Failed")
        and unstructured.text(c, "status") == "True"
        for c in unstructured.items(found, "status", "conditions")
    )
    return JobView(
        unstructured.text(found, "metadata", "name"),
        unstructured.at(found, "spec", "suspend") is True,
        ended,
    )


def node(found: Mapping[str, Any]) -> NodeView:
    """Return what a node says."""
    ready = any(
        unstructured.text(c, "type") == "Ready" and unstructured.text(c, "status") == "True"
        for c in unstructured.items(found, "status", "conditions")
    )
    return NodeView(
        name=unstructured.text(found, "metadata", "name"),
        labels=unstructured.strings(found, "metadata", "labels"),
        ready=ready,
        unschedulable=unstructured.at(found, "spec", "unschedulable") is True,
        taints=tuple(
            Taint(
                unstructured.text(t, "key"),
                unstructured.text(t, "value"),
                unstructured.text(t, "effect"),
            )
            for t in unstructured.items(found, "spec", "taints")
        ),
    )
