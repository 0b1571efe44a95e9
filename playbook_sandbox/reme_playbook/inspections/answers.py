"""What requests to a Service show: sent by the operator, a few times, without any secret."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reme_api.parsing import parse_int
from reme_api.probes import GrpcProbe, HttpProbe, Probe, TcpProbe
from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.dependency import Dependency
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.related_views import network_policy
from reme_playbook.snapshot.snapshot import ClusterSnapshot

TIMEOUT_SECONDS = 3
_ANY_ANSWER = 499  # a status that says that the request was wrong is an answer


class Answer(NamedTuple):
    """The result of one request; `passed` is None if it could not be sent."""

    passed: bool | None
    value: str  # such as `200 in 12 ms`
    message: str  # why it did not pass


def question(
    service: ObjectRef,
    dependency: Dependency | None,
    pods: Sequence[Mapping[str, Any]],
    probes: Sequence[Probe],
) -> Probe | None:
    """Return what is sent to a Service: as a probe of it does, else as it is written, else TCP.

    None if it has no port.
    """
    for probe in probes:
        if probe.request and probe.request.service == service.name and _is_repeatable(probe):
            return probe.model_copy(update={"timeout_seconds": TIMEOUT_SECONDS})
    if dependency is None or not dependency.ports:
        return None
    port = next((p for p in dependency.ports if p.port == dependency.port), dependency.ports[0])
    return plain_question(service, port.port, handler(port.target_port, pods), dependency.scheme)


def _is_repeatable(probe: Probe) -> bool:
    return probe.http is None or probe.http.method.value != "POST"


def plain_question(service: ObjectRef, port: int, kubelet: str, scheme: str = "") -> Probe:
    """Return a request that changes nothing: `GET /`, the health of gRPC, or a connection."""
    name = service.name
    if scheme == "http" or (scheme == "" and kubelet == "httpGet"):
        http = HttpProbe(service=name, port=port, max_status=_ANY_ANSWER)
        return Probe(name="request", http=http, timeout_seconds=TIMEOUT_SECONDS)
    if kubelet == "grpc":
        grpc = GrpcProbe(service=name, port=port)
        return Probe(name="request", grpc=grpc, timeout_seconds=TIMEOUT_SECONDS)
    tcp = TcpProbe(service=name, port=port)
    return Probe(name="request", tcp=tcp, timeout_seconds=TIMEOUT_SECONDS)


def handler(target_port: int | str, pods: Sequence[Mapping[str, Any]]) -> str:
    """Return how the kubelet probes that port, such as `httpGet`; empty if it does not.

    A probe of another port of the same container says nothing about this one.
    """
    for pod in pods:
        for container in unstructured.items(pod, "spec", "containers"):
            view = views.container(container)
            ports = {target_port, *(p.number for p in view.ports if p.name == target_port)}
            ports |= {p.name for p in view.ports if p.number == target_port and p.name}
            for probe in view.probes.values():
                if probe.port in ports:
                    return probe.handler
    return ""


def answer_finding(
    service: ObjectRef, request: Probe, answers: Sequence[Answer], *, may_be_kept_out: bool
) -> Finding:
    """Return what the answers show together: one that failed counts.

    `may_be_kept_out` says that a network policy selects the pods, and may not let the operator in.
    """
    what = described(request)
    failed = [answer for answer in answers if answer.passed is False]
    if not any(answer.passed is not None for answer in answers):
        reason = answers[0].message if answers else "nothing was sent"
        return Finding(FindingKind.UNAVAILABLE, service, f"{what}: {reason}")
    if not failed:
        return Finding(FindingKind.NORMAL, service, f"{what}: {_slowest(answers)}")
    reason = failed[0].message.removeprefix(f"{service.name} ")
    if may_be_kept_out and not any(answer.value for answer in answers):
        text = f"{what}: {reason}; a network policy may keep the operator out"
        return Finding(FindingKind.UNAVAILABLE, service, text)
    count = "" if len(failed) == len(answers) else f"{len(failed)} of {len(answers)} times "
    return Finding(FindingKind.REQUEST_FAILED, service, f"{what}: {count}{reason}")


def described(request: Probe) -> str:
    """Return a request in a few words."""
    if request.http:
        return f"{request.http.method.value} {request.http.path} at port {request.http.port}"
    if request.grpc:
        return f"gRPC health at port {request.grpc.port}"
    return f"connection to port {request.tcp.port}" if request.tcp else "request"


def _slowest(answers: Sequence[Answer]) -> str:
    return max((a.value for a in answers if a.passed), key=_milliseconds)


def _milliseconds(value: str) -> int:
    words = value.split()
    return (parse_int(words[-2]) or 0) if len(words) >= 2 else 0


def restricts_callers(snapshot: ClusterSnapshot, pods: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a network policy restricts who may reach one of the pods."""
    policies = [
        network_policy(manifest)
        for key, manifest in snapshot.objects.items()
        if key.kind == "NetworkPolicy"
    ]
    return any(
        policy.ingress is not None
        and policy.selector.matches(unstructured.strings(pod, "metadata", "labels"))
        for policy in policies
        for pod in pods
    )
