"""ServiceRequest: how a Service of the namespace answers a request of the operator."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from reme_api.investigation import InspectionName
from reme_api.probes import HttpMethod, HttpProbe, Probe
from reme_playbook.inspections.answers import TIMEOUT_SECONDS, plain_question
from reme_playbook.inspections.base import Inspection
from reme_playbook.inspections.called_services import called, called_services, own_services
from reme_playbook.snapshot.finding import FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot

ProbeName = Annotated[
    str, StringConstraints(max_length=63, pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")
]


class ServiceRequest(Inspection):
    """A request to a Service: GET or HEAD of /, or what a probe of the report or policy sends."""

    NAME = InspectionName.SERVICE_REQUEST
    READS = "answers of a Service of the target's namespace that has a selector"
    RIGHTS = ("services",)
    SHOWS = (FindingKind.REQUEST_FAILED,)
    BOUNDS = (
        "up to five requests of 3 s, one if it is a POST; paths other than /, headers and bodies"
        " only as a probe of the report or the policy has them; no redirects"
    )

    port: int = Field(ge=1, le=65535, description="Port of the Service.")
    method: HttpMethod = Field(default=HttpMethod.GET, description="Method of the request.")
    probe: ProbeName = Field(
        default="", description="Probe of the report or the policy whose request is sent."
    )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Self]:
        """Return what probes send first, then requests of own Services, then of called ones."""
        services = {view.name: view for view in snapshot.services}
        for probe in snapshot.probes:
            if probe.http and isinstance(port := _number(probe.http, snapshot), int):
                ref = ObjectRef("Service", snapshot.target.namespace, probe.http.service)
                yield cls(subject=ref, port=port, method=probe.http.method, probe=probe.name)
        for ref in own_services(snapshot):
            yield from (cls(subject=ref, port=p.port) for p in services[ref.name].ports[:1])
        for ref in called_services(snapshot):
            dependency = called(snapshot, ref.name)
            if dependency and dependency.ports and dependency.scheme in ("", "http"):
                ports = [port.port for port in dependency.ports]
                port = dependency.port if dependency.port in ports else ports[0]
                yield cls(subject=ref, port=port)


def _number(http: HttpProbe, snapshot: ClusterSnapshot) -> int | None:
    if isinstance(http.port, int):
        return http.port
    view = snapshot.service(http.service)
    return next((p.port for p in view.ports if p.name == http.port), None) if view else None


def request_of(inspection: ServiceRequest, probes: Sequence[Probe]) -> Probe | None:
    """Return what is sent; None if its probe does not exist, or sends something else.

    Without a probe it is a request of `/` without a body, and any status below 500 is an answer.
    """
    if inspection.probe:
        probe = next((p for p in probes if p.name == inspection.probe), None)
        fits = probe and probe.http and probe.http.service == inspection.subject.name
        if not probe or not fits or probe.http.method is not inspection.method:  # type: ignore[union-attr]
            return None
        return probe.model_copy(update={"timeout_seconds": TIMEOUT_SECONDS})
    if inspection.method is HttpMethod.POST:
        return None  # only a probe says what may be posted
    plain = plain_question(inspection.subject, inspection.port, "httpGet")
    assert plain.http is not None
    http = plain.http.model_copy(update={"method": inspection.method})
    return plain.model_copy(update={"http": http})


def times(request: Probe) -> int:
    """Return how often it is sent: one fault in two requests is seen; a POST is sent once."""
    return 1 if request.http and request.http.method is HttpMethod.POST else 5
