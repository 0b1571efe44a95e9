"""Describes related objects that constrain the workload, route to it or reject its pods.

Only abnormal ones: a quota with room, a policy that allows everything or a node that accepts pods
says nothing about a fault.
"""

from collections.abc import Iterator

from reme_model.prompt.redact import short
from reme_model.prompt.sections.lines import Line, Weight, wrong
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.ownership import belongs_to_target
from reme_playbook.snapshot.placement import fits_node, repels
from reme_playbook.snapshot.quantity import format_cpu, format_memory
from reme_playbook.snapshot.quota_usage import exhausted_amounts, required_amount
from reme_playbook.snapshot.reachability import (
    dns_is_open,
    egress_allowed,
    ingress_allowed,
    misrouted_paths,
)
from reme_playbook.snapshot.related_views import IngressPath, NodeView, QuotaView, allows_eviction
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MOST = 3


def related_object_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Yield what the related objects have to do with the fault."""
    yield from _quotas(live)
    yield from _autoscalers(live)
    yield from _budgets(live)
    yield from _jobs(live)
    yield from _nodes(live)
    yield from _ingresses(live)
    yield from _policies(live)


def _near(live: ClusterSnapshot, kind: str, name: str) -> bool:
    namespace = "" if kind == "Node" else live.target.namespace
    return belongs_to_target(ObjectRef(kind, namespace, name), live)  # type: ignore[arg-type]


def _quotas(live: ClusterSnapshot) -> Iterator[Line]:
    for view in live.quotas[:_MOST]:
        exceeded = [
            f"{view.used.get(k, '0')} of {view.hard[k]} {k}, {_needed(view, k, live)} needed"
            for k in exhausted_amounts(view, live)
        ]
        if exceeded:
            text = "; ".join(exceeded[:_MOST])
            yield wrong(f"quota {view.name}: used {text}, so pods are missing", Weight.NEEDED)


def _needed(view: QuotaView, key: str, live: ClusterSnapshot) -> str:
    amount = max(required_amount(view, key, live), 1)
    if key.endswith("cpu"):
        return format_cpu(amount)
    return str(amount) if key.endswith("pods") else format_memory(amount)


def _autoscalers(live: ClusterSnapshot) -> Iterator[Line]:
    for view in live.autoscalers:
        if view.wants_more and _near(live, "HorizontalPodAutoscaler", view.name):
            limit = view.max_replicas
            text = f"{limit} replica" if limit == 1 else f"{limit} replicas"
            yield wrong(
                f"autoscaler {view.name} allows at most {text} and wants more", Weight.NEEDED
            )


def _budgets(live: ClusterSnapshot) -> Iterator[Line]:
    for view in live.budgets:
        total = live.replicas.desired
        if not allows_eviction(view.min_available, view.max_unavailable, total) and _near(
            live, "PodDisruptionBudget", view.name
        ):
            yield wrong(
                f"disruption budget {view.name} lets no pod of {total} be moved", Weight.NEEDED
            )


def _jobs(live: ClusterSnapshot) -> Iterator[Line]:
    for view in live.jobs:
        if view.suspended and not view.finished and _near(live, "Job", view.name):
            yield wrong(f"job {view.name} is suspended", Weight.NEEDED)


def _nodes(live: ClusterSnapshot) -> Iterator[Line]:
    if not live.has_unschedulable_pods:
        return
    problems = [text for view in live.nodes if fits_node(view, live) for text in _node(view, live)]
    for text in problems[:_MOST]:
        yield wrong(text, Weight.NEEDED)
    for key, value in sorted(live.node_selector.items()):
        if live.node_labels is not None and (key, value) not in live.node_labels:
            yield wrong(f"pods ask for a node with {key}={value}, and there is none", Weight.NEEDED)


def _node(view: NodeView, live: ClusterSnapshot) -> Iterator[str]:
    if view.unschedulable:
        yield f"node {view.name} is cordoned"
    for taint in view.taints:
        if not taint.key.startswith("node.kubernetes.io/") and repels(
            view, taint.key, taint.effect, live
        ):
            yield f"node {view.name} has taint {taint.key}:{taint.effect}, which pods do not bear"


def _ingresses(live: ClusterSnapshot) -> Iterator[Line]:
    for view in live.ingresses[:_MOST]:
        for path, services in misrouted_paths(view.name, live):
            backends = " or ".join(f"{s.name} port {s.ports[0].port}" for s in services if s.ports)
            yield wrong(
                f"ingress {view.name} leads {_where(path)} to {path.service} port {path.port}"
                f", which is wrong: there is {short(backends, 200)}",
                Weight.NEEDED,
            )


def _where(path: IngressPath) -> str:
    return short(f"{path.host}{path.http_path}", 120) or "its path"


def _policies(live: ClusterSnapshot) -> Iterator[Line]:
    policies = live.network_policies
    names = " and ".join(view.name for view in policies[:_MOST])
    if any(view.ingress is not None for view in policies):
        ports = [port.number for container in live.containers for port in container.ports]
        blocked_callers = [
            key.name
            for key in live.callers
            if ports
            and not any(ingress_allowed(policies, live.neighbours.get(key, {}), p) for p in ports)
        ]
        if blocked_callers:
            callers = ", ".join(blocked_callers[:_MOST])
            yield wrong(
                f"network policy {names} keeps out {callers}, which calls it", Weight.NEEDED
            )
        elif not any(view.ingress for view in policies):
            yield wrong(f"network policy {names} lets nobody in", Weight.NEEDED)
    if any(view.egress is not None for view in policies):
        if not dns_is_open(live):
            yield wrong(f"network policy {names} does not let it ask the DNS", Weight.NEEDED)
        unreachable = [
            callee.service
            for callee in live.callees
            if callee.ports and not any(egress_allowed(policies, callee, p) for p in callee.ports)
        ]
        if unreachable:
            services = ", ".join(unreachable[:_MOST])
            yield wrong(f"network policy {names} does not let it reach {services}", Weight.NEEDED)
