"""Views of the objects that constrain a workload: quotas, budgets, policies, Ingresses, nodes."""

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
    kind: str  # of the workload that it scales
    scales: str  # name of that workload
    min_replicas: int
    max_replicas: int
    wants_more: bool  # replicas than its maximum


@dataclass(frozen=True)
class QuotaView:
    """A ResourceQuota, amounts in canonical form."""

    name: str
    hard: Mapping[str, str]
    used: Mapping[str, str]


@dataclass(frozen=True)
class DisruptionBudgetView:
    """A PodDisruptionBudget; numbers of pods or percentages."""

    name: str
    selector: "Selector"
    min_available: int | str | None
    max_unavailable: int | str | None
    allowed: int  # disruptions that it allows now


class IngressPath(NamedTuple):
    """One path of an Ingress and its backend; no service if the backend is another resource."""

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
    """A NetworkPolicy; None for a direction that it does not restrict."""

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
    """A label selector; `unknown_operator` makes it match nothing."""

    labels: Labels
    expressions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    unknown_operator: bool = False

    def matches(self, labels: Labels) -> bool:
        """Return whether it selects something with these labels; an empty one selects all."""
        if self.unknown_operator or any(
            labels.get(key) != value for key, value in self.labels.items()
        ):
            return False
        return all(_matches(labels, *expression) for expression in self.expressions)


def _matches(labels: Labels, key: str, operator: str, values: tuple[str, ...]) -> bool:
    value = labels.get(key)
    match operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case _:
            return value is None


_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def selector(manifest: Mapping[str, Any]) -> Selector:
    """Return a label selector."""
    expressions = []
    for expression in unstructured.items(manifest, "matchExpressions"):
        values = expression.get("values")
        words = tuple(str(v) for v in values) if isinstance(values, list | tuple) else ()
        expressions.append(
            (unstructured.text(expression, "key"), unstructured.text(expression, "operator"), words)
        )
    return Selector(
        unstructured.strings(manifest, "matchLabels"),
        tuple(expressions),
        unknown_operator=any(operator not in _OPERATORS for _, operator, _ in expressions),
    )


def autoscaler(manifest: Mapping[str, Any]) -> AutoscalerView:
    """Return the view of a HorizontalPodAutoscaler."""
    limited = any(
        unstructured.text(c, "type") == "ScalingLimited"
        and unstructured.text(c, "status") == "True"
        and unstructured.text(c, "reason") == "TooManyReplicas"
        for c in unstructured.items(manifest, "status", "conditions")
    )
    return AutoscalerView(
        name=unstructured.text(manifest, "metadata", "name"),
        kind=unstructured.text(manifest, "spec", "scaleTargetRef", "kind"),
        scales=unstructured.text(manifest, "spec", "scaleTargetRef", "name"),
        min_replicas=unstructured.number(manifest, "spec", "minReplicas", default=1),
        max_replicas=unstructured.number(manifest, "spec", "maxReplicas", default=1),
        wants_more=limited,
    )


def quota(manifest: Mapping[str, Any]) -> QuotaView:
    """Return the view of a ResourceQuota."""

    def amounts(*path: str) -> dict[str, str]:
        canonical = {k: views.quota(k, v) for k, v in unstructured.mapping(manifest, *path).items()}
        return {key: value for key, value in canonical.items() if value is not None}

    return QuotaView(
        unstructured.text(manifest, "metadata", "name"),
        amounts("spec", "hard"),
        amounts("status", "used"),
    )


def budget(manifest: Mapping[str, Any]) -> DisruptionBudgetView:
    """Return the view of a PodDisruptionBudget."""
    return DisruptionBudgetView(
        name=unstructured.text(manifest, "metadata", "name"),
        selector=selector(unstructured.mapping(manifest, "spec", "selector")),
        min_available=_count(unstructured.at(manifest, "spec", "minAvailable")),
        max_unavailable=_count(unstructured.at(manifest, "spec", "maxUnavailable")),
        allowed=unstructured.number(manifest, "status", "disruptionsAllowed"),
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


def ingress(manifest: Mapping[str, Any]) -> IngressView:
    """Return the view of an Ingress."""
    paths = []
    for rule, entry in enumerate(unstructured.items(manifest, "spec", "rules")):
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
    return IngressView(unstructured.text(manifest, "metadata", "name"), tuple(paths))


def network_policy(manifest: Mapping[str, Any]) -> NetworkPolicyView:
    """Return the view of a NetworkPolicy."""
    types = unstructured.at(manifest, "spec", "policyTypes")
    directions = types if isinstance(types, list | tuple) else ()

    def rules(side: str, kind: str) -> tuple[Mapping[str, Any], ...] | None:
        return tuple(unstructured.items(manifest, "spec", side)) if kind in directions else None

    return NetworkPolicyView(
        name=unstructured.text(manifest, "metadata", "name"),
        selector=selector(unstructured.mapping(manifest, "spec", "podSelector")),
        ingress=rules("ingress", "Ingress"),
        egress=rules("egress", "Egress"),
    )


def job(manifest: Mapping[str, Any]) -> JobView:
    """Return the view of a Job."""
    finished = any(
        unstructured.text(c, "type") in ("Complete", "Failed")
        and unstructured.text(c, "status") == "True"
        for c in unstructured.items(manifest, "status", "conditions")
    )
    return JobView(
        unstructured.text(manifest, "metadata", "name"),
        unstructured.at(manifest, "spec", "suspend") is True,
        finished,
    )


def node(manifest: Mapping[str, Any]) -> NodeView:
    """Return the view of a node."""
    ready = any(
        unstructured.text(c, "type") == "Ready" and unstructured.text(c, "status") == "True"
        for c in unstructured.items(manifest, "status", "conditions")
    )
    return NodeView(
        name=unstructured.text(manifest, "metadata", "name"),
        labels=unstructured.strings(manifest, "metadata", "labels"),
        ready=ready,
        unschedulable=unstructured.at(manifest, "spec", "unschedulable") is True,
        taints=tuple(
            Taint(
                unstructured.text(t, "key"),
                unstructured.text(t, "value"),
                unstructured.text(t, "effect"),
            )
            for t in unstructured.items(manifest, "spec", "taints")
        ),
    )
