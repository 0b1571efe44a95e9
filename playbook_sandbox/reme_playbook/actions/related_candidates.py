"""What could be done now to the objects around a workload: only where they hold it back."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from reme_api.actions import ActionName
from reme_playbook.policy.related_validation import allows_one
from reme_playbook.snapshot import earlier_values
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.ownership import selected_workloads
from reme_playbook.snapshot.quantity import format_cpu, format_memory, quota_amount
from reme_playbook.snapshot.quota_usage import exhausted_amounts, required_amount
from reme_playbook.snapshot.reachability import (
    egress_allowed,
    ingress_allowed,
    misrouted_paths,
    ports_of,
)
from reme_playbook.snapshot.related_views import Labels, NetworkPolicyView
from reme_playbook.snapshot.snapshot import ClusterSnapshot

Draft = dict[str, Any]
_STEPS = ((3, 2), (2, 1))
_MOST_NODES = 3
_MOST_PEERS = 4


def _targets(live: ClusterSnapshot, kind: str) -> Iterator[ObjectRef]:
    yield from sorted(key for key in live.objects if key.kind == kind)


def _autoscaling(live: ClusterSnapshot) -> Iterator[Draft]:
    for target in _targets(live, "HorizontalPodAutoscaler"):
        view = next(a for a in live.autoscalers if a.name == target.name)
        head = {"target": target, "action": "SetAutoscaling"}
        now = {"min_replicas": view.min_replicas, "max_replicas": view.max_replicas}
        before = {
            name: value
            for name, value in earlier_values.autoscaling(live, target).items()
            if value != now[name]
        }
        if before:
            yield {**head, **before}
        if view.wants_more:
            most = view.max_replicas
            for replicas in dict.fromkeys([most + 1, most + 2, most * 2]):
                yield {**head, "max_replicas": replicas}


def _quotas(live: ClusterSnapshot) -> Iterator[Draft]:
    for target in _targets(live, "ResourceQuota"):
        view = next(q for q in live.quotas if q.name == target.name)
        full = exhausted_amounts(view, live)
        wanted = {key: max(required_amount(view, key, live), 1) for key in full}
        head = {"target": target, "action": "SetQuota"}
        if len(full) > 1:  # one alone would not do
            yield {**head, "hard": {key: _text(key, wanted[key]) for key in full}}
            for times, by in _STEPS:
                yield {**head, "hard": {k: _scaled(k, view.hard[k], times, by) for k in full}}
            continue
        for key in full:
            before = earlier_values.quota(live, target, key)
            steps = [_scaled(key, view.hard[key], times, by) for times, by in _STEPS]
            for text in dict.fromkeys([before, _text(key, wanted[key]), *steps]):
                if text is not None:
                    yield {**head, "hard": {key: text}}


def _scaled(key: str, text: str, times: int, by: int) -> str:
    return _text(key, quota_amount(key, text) * times // by)


def _text(key: str, amount: int) -> str:
    if key.endswith("cpu"):
        return format_cpu(amount)
    return str(amount) if key.endswith("pods") else format_memory(amount)


def _budgets(live: ClusterSnapshot) -> Iterator[Draft]:
    total = live.replicas.desired
    for target in _targets(live, "PodDisruptionBudget"):
        view = next(b for b in live.budgets if b.name == target.name)
        head = {"target": target, "action": "SetDisruptionBudget"}
        if allows_one(view.min_available, view.max_unavailable, total):
            continue
        if view.max_unavailable is not None:
            yield {**head, "max_unavailable": 1}
        elif total > 1:
            yield {**head, "min_available": total - 1}


def _strategy(live: ClusterSnapshot) -> Iterator[Draft]:
    stuck = live.replicas.updated < live.replicas.desired
    full = any(exhausted_amounts(view, live) for view in live.quotas)
    if stuck and (full or any(pod.unscheduled for pod in live.pods)):
        yield {"action": "SetUpdateStrategy", "max_surge": 0, "max_unavailable": 1}


def _node_selector(live: ClusterSnapshot) -> Iterator[Draft]:
    if not live.has_unschedulable_pods:
        return
    known = dict.fromkeys(
        [
            *live.node_selector,
            *(k for t in live.earlier_templates for k in earlier_values.selector_of(t)),
        ]
    )
    found = {key: earlier_values.node_labels(live, key) for key in known}
    whole = {key: some[0] for key, some in found.items() if some}
    if len(whole) > 1:
        yield {"action": "PatchNodeSelector", "selector": whole}
    for key, some in found.items():
        for value in some:
            yield {"action": "PatchNodeSelector", "selector": {key: value}}


def _jobs(live: ClusterSnapshot) -> Iterator[Draft]:
    for target in _targets(live, "Job"):
        yield {"target": target, "action": "ResumeJob"}


def _backends(live: ClusterSnapshot) -> Iterator[Draft]:
    for target in _targets(live, "Ingress"):
        for path, services in misrouted_paths(target.name, live):
            for service in services:
                for port in ports_of(service)[: len(service.ports)]:
                    yield {
                        "target": target,
                        "action": "SetIngressBackend",
                        "rule": path.rule,
                        "path": path.path,
                        "host": path.host or None,
                        "http_path": path.http_path or None,
                        "service": service.name,
                        "port": port,
                    }


def _policies(live: ClusterSnapshot) -> Iterator[tuple[ObjectRef, NetworkPolicyView]]:
    for target in _targets(live, "NetworkPolicy"):
        view = next((p for p in live.network_policies if p.name == target.name), None)
        if view is not None:
            yield target, view


def _ingress(live: ClusterSnapshot) -> Iterator[Draft]:
    peers = [key for key in live.callers if key in live.neighbours] or sorted(live.neighbours)
    ports = [port for container in live.containers for port in container.ports]
    for target, view in _policies(live):
        if view.ingress is None:
            continue
        shut = [
            (peer, port.number)
            for peer in peers
            for port in ports
            if not ingress_allowed(live.network_policies, live.neighbours[peer], port.number)
        ]
        for peer, port in shut[:_MOST_PEERS]:
            yield {
                "target": target,
                "action": "AllowIngress",
                "position": len(view.ingress),
                "labels": distinguishing_labels(live, peer),
                "port": port,
            }


def distinguishing_labels(live: ClusterSnapshot, peer: ObjectRef) -> Labels:
    """Return the fewest labels that select this workload's pods and those of no other."""
    labels = live.neighbours[peer]
    for key in ("app.kubernetes.io/name", "app", *sorted(labels)):
        if key in labels and selected_workloads({key: labels[key]}, live) == (peer,):
            return {key: labels[key]}
    return dict(labels)


def _egress(live: ClusterSnapshot) -> Iterator[Draft]:
    for target, view in _policies(live):
        if view.egress is None:
            continue
        head = {"target": target, "action": "AllowEgress", "position": len(view.egress)}
        yield head
        for callee in live.callees[:_MOST_PEERS]:
            for port in callee.ports:
                if not egress_allowed(live.network_policies, callee, port):
                    yield {**head, "labels": dict(callee.labels), "port": port}


def _uncordon(live: ClusterSnapshot) -> Iterator[Draft]:
    cordoned = {node.name for node in live.nodes if node.unschedulable}
    for target in [t for t in _targets(live, "Node") if t.name in cordoned][:_MOST_NODES]:
        yield {"target": target, "action": "UncordonNode"}


def _taints(live: ClusterSnapshot) -> Iterator[Draft]:
    views = {node.name: node for node in live.nodes if node.taints}
    for target in [t for t in _targets(live, "Node") if t.name in views][:_MOST_NODES]:
        for taint in views[target.name].taints:
            head = {"target": target, "action": "RemoveTaint"}
            yield {**head, "key": taint.key, "effect": taint.effect}


DRAFTS: Mapping[ActionName, Callable[[ClusterSnapshot], Iterable[Draft]]] = {
    ActionName.SET_AUTOSCALING: _autoscaling,
    ActionName.SET_QUOTA: _quotas,
    ActionName.SET_DISRUPTION_BUDGET: _budgets,
    ActionName.SET_UPDATE_STRATEGY: _strategy,
    ActionName.PATCH_NODE_SELECTOR: _node_selector,
    ActionName.RESUME_JOB: _jobs,
    ActionName.SET_INGRESS_BACKEND: _backends,
    ActionName.ALLOW_INGRESS: _ingress,
    ActionName.ALLOW_EGRESS: _egress,
    ActionName.UNCORDON_NODE: _uncordon,
    ActionName.REMOVE_TAINT: _taints,
}
