"""ServiceEndpoints: to which pods a Service leads, and whether they have the port.

Decided from the Service, the pods that its selector selects and the workloads of the namespace: the
API server makes the endpoints from the same data.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from reme_api.investigation import InspectionName
from reme_playbook.inspections.base import Inspection
from reme_playbook.inspections.called_services import called_services, own_services
from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.dependency import DependencyWorkload
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.served_ports import declared_ports, served
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.workloads_behind import workloads_behind

_MOST = 3


class ServiceEndpoints(Inspection):
    """The pods behind a Service, against its selector and ports."""

    NAME = InspectionName.SERVICE_ENDPOINTS
    READS = "the Service, the pods that it selects, and the workloads of the namespace"
    RIGHTS = ("services", "pods", "deployments.apps", "statefulsets.apps", "daemonsets.apps")
    SHOWS = (
        FindingKind.NO_ENDPOINTS,
        FindingKind.PORT_MISMATCH,
        FindingKind.FOREIGN_ENDPOINTS,
    )
    BOUNDS = "at most 64 pods"

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Self]:
        """Return the target's own Services first, then those that it calls."""
        for ref in (*own_services(snapshot), *called_services(snapshot)):
            yield cls(subject=ref)


@dataclass(frozen=True)
class Endpoints:
    """What the API server has about a Service: all of it raw JSON."""

    service: Mapping[str, Any]
    pods: Sequence[Mapping[str, Any]]  # that the selector selects
    workloads: Sequence[Mapping[str, Any]]


def endpoint_findings(
    inspection: ServiceEndpoints, read: Endpoints, target: ObjectRef, clean: Callable[[str], str]
) -> Iterator[Finding]:
    """Yield whether the Service leads to ready pods, to their ports, and to no other workload's.

    `clean` redacts a text.
    """
    subject, view = inspection.subject, views.service(read.service, {})
    if view.type == "ExternalName" or not view.selector:
        text = "has no selector: somebody else maintains where it leads"
        yield Finding(FindingKind.NORMAL, subject, text)
        return
    pods = [pod for pod in read.pods if not views.pod(pod).deleting]
    behind = workloads_behind(view, subject.namespace, read.workloads, pods)
    publishes = unstructured.at(read.service, "spec", "publishNotReadyAddresses") is True
    ready = [pod for pod in pods if publishes or views.pod(pod).ready]
    if not ready:
        yield Finding(FindingKind.NO_ENDPOINTS, subject, clean(_nothing(view, behind, len(pods))))
    problems = [*_ports(view, pods), *_foreign(view, behind, target)]
    yield from (Finding(kind, subject, clean(text)) for kind, text in problems)
    if ready and not problems:
        names = " and ".join(str(w.ref) for w in behind if w.selected) or "no workload"
        yield Finding(
            FindingKind.NORMAL,
            subject,
            f"leads to {len(ready)} of {len(pods)} pods of {names}, which have its ports",
        )


def _nothing(view: views.ServiceView, behind: Sequence[DependencyWorkload], pods: int) -> str:
    first = behind[0] if behind else None
    if pods:
        reason = f": {first.trouble}" if first and first.trouble else ""
        return f"leads to no pod: none of {pods} is ready{reason}"
    if first and first.selected:
        return f"leads to no pod: {first.ref} has {first.desired} replicas and no pod"
    selector = ",".join(f"{k}={v}" for k, v in sorted(view.selector.items()))
    lacks = f"; those of {first.ref} lack {','.join(first.lacks)}" if first else ""
    return f"leads to no pod: none has {selector}{lacks}"


def _ports(
    view: views.ServiceView, pods: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[FindingKind, str]]:
    declared = sorted({port.number for pod in pods for port in declared_ports(pod)})
    existing = " or ".join(map(str, declared[:_MOST]))
    for port in view.ports:
        if served(port.target_port, pods) is False:
            have = f"have {existing}" if existing else "declare no port of that name"
            yield (
                FindingKind.PORT_MISMATCH,
                f"leads port {port.port} to {port.target_port}, and its pods {have}",
            )


def _foreign(
    view: views.ServiceView, behind: Sequence[DependencyWorkload], target: ObjectRef
) -> Iterator[tuple[FindingKind, str]]:
    """Yield that pods of several workloads are behind the Service, if they serve not one name.

    Releases side by side share a name on purpose, as `cart-blue` and `cart-green` do.
    """
    selected = sorted(w.ref for w in behind if w.selected and w.desired)
    if len(selected) < 2 or all(ref.name.startswith(view.name) for ref in selected):
        return
    expected = target if target in selected else None
    others = [str(ref) for ref in selected if ref != expected]
    also = "also " if expected else ""
    yield (
        FindingKind.FOREIGN_ENDPOINTS,
        f"leads {also}to pods of {' and '.join(others[:_MOST])}",
    )
