"""The entries of Ingresses and NetworkPolicies, as the API server stores them."""

from collections.abc import Mapping
from typing import Any

DNS_NAMESPACE = {"kubernetes.io/metadata.name": "kube-system"}
DNS_PODS = {"k8s-app": "kube-dns"}
DNS_PORT = 53


def backend(service: str, port: int | str) -> dict[str, Any]:
    """Return the backend of an Ingress's path that is a Service's port, by number or by name."""
    return {"name": service, "port": {"number" if isinstance(port, int) else "name": port}}


def read_backend(entry: Any) -> tuple[str, int | str] | None:
    """Return Service and port of a backend; None if it has other fields."""
    match entry:
        case {"name": str(name), "port": {"number": int(port)}} | {
            "name": str(name),
            "port": {"name": str(port)},
        } if entry == backend(name, port):
            return name, port
    return None


def ingress_rule(labels: Mapping[str, str], port: int | str) -> dict[str, Any]:
    """Return the rule that admits pods of the namespace with these labels at one port."""
    return {"from": [_pods(labels)], "ports": [_port(port)]}


def egress_rule(labels: Mapping[str, str] | None, port: int | str | None) -> dict[str, Any]:
    """Return the rule that allows connections to pods at one port; to the DNS without labels."""
    if labels is None or port is None:
        dns = {"namespaceSelector": {"matchLabels": dict(DNS_NAMESPACE)}, **_pods(DNS_PODS)}
        return {"to": [dns], "ports": [_port(DNS_PORT, "UDP"), _port(DNS_PORT)]}
    return {"to": [_pods(labels)], "ports": [_port(port)]}


def read_ingress_rule(entry: Any) -> dict[str, Any] | None:
    """Return labels and port of such a rule; None if it is another rule."""
    match entry:
        case {
            "from": [{"podSelector": {"matchLabels": dict(labels)}}],
            "ports": [{"port": int(port) | str(port)}],
        } if entry == ingress_rule(labels, port):
            return {"labels": labels, "port": port}
    return None


def read_egress_rule(entry: Any) -> dict[str, Any] | None:
    """Return labels and port of such a rule, nothing for the DNS; None if it is another rule."""
    if entry == egress_rule(None, None):
        return {}
    match entry:
        case {
            "to": [{"podSelector": {"matchLabels": dict(labels)}}],
            "ports": [{"port": int(port) | str(port)}],
        } if entry == egress_rule(labels, port):
            return {"labels": labels, "port": port}
    return None


def _pods(labels: Mapping[str, str]) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": dict(labels)}}


def _port(port: int | str, protocol: str = "TCP") -> dict[str, Any]:
    return {"protocol": protocol, "port": port}
