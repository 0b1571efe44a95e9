"""Whether traffic reaches the target: through NetworkPolicies, and by the paths of Ingresses."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.network_rules import DNS_NAMESPACE, DNS_PODS, DNS_PORT
from reme_playbook.snapshot.ownership import named_after
from reme_playbook.snapshot.related_views import IngressPath, Labels, NetworkPolicyView, selector
from reme_playbook.snapshot.related_views import ingress as ingress_view
from reme_playbook.snapshot.shared_services import selected_workloads
from reme_playbook.snapshot.snapshot import Callee, ClusterSnapshot
from reme_playbook.snapshot.views import ServiceView

_NAMESPACE_NAME = "kubernetes.io/metadata.name"


def ingress_allowed(policies: Sequence[NetworkPolicyView], labels: Labels, port: int | str) -> bool:
    """Return whether pods of the namespace with these labels reach a port of the target."""
    restricting = [policy.ingress for policy in policies if policy.ingress is not None]
    return not restricting or any(
        _matches(rule, "from", labels, "", port) for rules in restricting for rule in rules
    )


def egress_allowed(
    policies: Sequence[NetworkPolicyView], callee: Callee | None, port: int | str
) -> bool:
    """Return whether the pods reach a port of another Service's pods, or the cluster's DNS."""
    restricting = [policy.egress for policy in policies if policy.egress is not None]
    namespace = "" if callee else DNS_NAMESPACE[_NAMESPACE_NAME]
    labels = callee.labels if callee else DNS_PODS
    return not restricting or any(
        _matches(rule, "to", labels, namespace, port) for rules in restricting for rule in rules
    )


def dns_is_open(snapshot: ClusterSnapshot) -> bool:
    """Return whether the target's pods can reach the cluster's DNS."""
    return egress_allowed(snapshot.network_policies, None, DNS_PORT)


def _matches(
    rule: Mapping[str, Any], side: str, labels: Labels, namespace: str, port: int | str
) -> bool:
    peers = unstructured.items(rule, side)
    ports = unstructured.items(rule, "ports")
    if ports and not any(_is_port(entry, port) for entry in ports):
        return False
    return not peers or any(_is_peer(peer, labels, namespace) for peer in peers)


def _is_port(entry: Mapping[str, Any], port: int | str) -> bool:
    first = entry.get("port")
    if first is None or first == port:
        return True
    last = entry.get("endPort")
    are_numbers = isinstance(first, int) and isinstance(last, int) and isinstance(port, int)
    return are_numbers and first <= port <= last  # type: ignore[operator]


def _is_peer(peer: Mapping[str, Any], labels: Labels, namespace: str) -> bool:
    if "ipBlock" in peer:
        return unstructured.text(peer, "ipBlock", "cidr") in ("0.0.0.0/0", "::/0")
    namespaces = unstructured.mapping(peer, "namespaceSelector")
    if "namespaceSelector" in peer:
        labels_of_namespace = {_NAMESPACE_NAME: namespace} if namespace else {}
        if namespaces and not (
            labels_of_namespace and selector(namespaces).matches(labels_of_namespace)
        ):
            return False
    elif namespace:
        return False
    pods = unstructured.mapping(peer, "podSelector")
    return "podSelector" not in peer or selector(pods).matches(labels)


def own_services(snapshot: ClusterSnapshot) -> tuple[ServiceView, ...]:
    """Return the Services that lead to the target's pods and to no others."""
    return tuple(
        s
        for s in snapshot.services
        if s.selects_target and not selected_workloads(s.selector, snapshot)
    )


def ports_of(service: ServiceView) -> tuple[int | str, ...]:
    """Return the ports of a Service as an Ingress may name them."""
    names = [port.name for port in service.ports if port.name]
    return (*(port.port for port in service.ports), *names)


def misrouted_paths(
    name: str, snapshot: ClusterSnapshot
) -> Iterator[tuple[IngressPath, tuple[ServiceView, ...]]]:
    """Yield each path of the Ingress that should lead to the target, and Services it could name.

    It names a port that its Service does not have, or a missing Service with a name like the
    target's; or it led to a Service of the target when its owner applied it.
    """
    own = own_services(snapshot)
    if not own:
        return
    view = next((i for i in snapshot.ingresses if i.name == name), None)
    applied = _applied(name, snapshot)
    for path in view.paths if view else ():
        current = [s for s in own if s.name == path.service]
        before = [s for s in own if s.name == applied.get((path.rule, path.path))]
        if current:
            if path.port not in ports_of(current[0]):
                yield path, tuple(current)
        elif before:
            yield path, tuple(before)
        elif path.service not in ("", *snapshot.service_names) and (
            named_after(snapshot, path.service) or named_after(snapshot, name)
        ):
            yield path, own


def _applied(name: str, snapshot: ClusterSnapshot) -> dict[tuple[int, int], str]:
    key = next((k for k in snapshot.objects if (k.kind, k.name) == ("Ingress", name)), None)
    applied_ingress = snapshot.last_applied(key) if key else {}
    return {(path.rule, path.path): path.service for path in ingress_view(applied_ingress).paths}
