"""Requests between pods: which Service reaches which pod, and what is answered."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from reme_lab.simulator.container_start import start_container
from reme_lab.simulator.identity_cache import (
    cache_by_identities,
    cache_by_identity,
    cache_recent_by_identity,
)
from reme_lab.simulator.network_policies import (
    OUTSIDE,
    enforced_policies,
    ingress_permitted,
    selecting_policies,
)
from reme_lab.simulator.pod_status import LONGEST_WAIT_MILLISECONDS, PodStatus, pod_statuses
from reme_lab.simulator.program import Call, Program
from reme_lab.simulator.template_facts import (
    addresses,
    port_number,
    service_of,
    service_view,
    template_facts,
)
from reme_lab.simulator.world import EntryPoint, GroundTruth, Pod, World
from reme_playbook.snapshot import related_views, unstructured, views
from reme_playbook.snapshot.network_rules import DNS_PORT
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.reachability import egress_allowed
from reme_playbook.snapshot.snapshot import Callee
from reme_playbook.snapshot.views import ContainerView

Json = Mapping[str, Any]

_HELD = "held"


@dataclass(frozen=True)
class Response:
    """The worst response to repeated requests; status 0 means that no connection was made."""

    status: int
    milliseconds: int = 1
    message: str = ""

    @property
    def good(self) -> bool:
        """Whether every request succeeds."""
        return 200 <= self.status < 400


class _Endpoint(NamedTuple):
    labels: Mapping[str, str]
    key: ObjectRef
    pod: Pod
    status: PodStatus
    program: Program
    container: ContainerView | None


class _Dependency(NamedTuple):
    """A Service that a program calls for requests whose path starts so."""

    path: str
    service: str  # empty for a host outside the namespace
    port: int


@cache_by_identities
def _endpoints(
    pods: tuple[Pod, ...], statuses: tuple[PodStatus, ...], program: Program
) -> tuple[_Endpoint, ...]:
    """Return the ready pods of a workload, one of each kind."""
    endpoints: dict[tuple[int, ...], _Endpoint] = {}
    for pod, status in zip(pods, statuses, strict=False):
        if status.ready:
            kind = (id(pod.template), id(pod.config_maps), id(pod.stress))
            facts = template_facts(pod.template)
            container = facts.container(program.container)
            endpoints[kind] = _Endpoint(facts.labels, pod.owner, pod, status, program, container)
    return tuple(endpoints.values())


@cache_by_identities
def _dependencies(
    ground_truth: GroundTruth,
    program: Program,
    template: Json,
    config_maps: tuple[Json | None, ...],
    namespace: str,
) -> tuple[_Dependency, ...]:
    """Return what a pod calls for a request, in the order of the calls."""
    settings = start_container(ground_truth, program, template, config_maps).settings
    return tuple(
        _Dependency(call.path, service, port)
        for call in program.calls
        for service, port in _called_services(call, settings, namespace)
    )


@dataclass
class Network:
    """Answers requests in one world. Statuses and responses are computed once."""

    world: World
    _statuses: dict[ObjectRef, tuple[PodStatus, ...]] = field(default_factory=dict)
    _responses: dict[tuple[Any, ...], tuple[Any, Response]] = field(default_factory=dict)
    _in_progress: set[tuple[Any, ...]] = field(default_factory=set)
    _endpoints_by_label: dict[tuple[str, str], list[_Endpoint]] | None = None
    _callers: dict[str, list[Mapping[str, str]]] | None = None

    def pod_statuses(self, key: ObjectRef) -> tuple[PodStatus, ...]:
        """Return the statuses of a workload's pods."""
        if key not in self._statuses:
            world = self.world
            pods = world.pods.get(key, ())
            self._statuses[key] = ()  # a workload that waits for itself finds no pod
            held = _HELD if self._waits_in_vain(pods) else ""
            self._statuses[key] = pod_statuses(world.ground_truth, world.program(key), pods, held)
        return self._statuses[key]

    def _waits_in_vain(self, pods: tuple[Pod, ...]) -> bool:
        """Return whether init containers wait for something that is not available."""
        return any(
            self._is_unavailable(word)
            for pod in pods
            if not pod.initialized
            for word in template_facts(pod.template).awaited_words
        )

    def _is_unavailable(self, word: str) -> bool:
        """Return whether a word of a command names a suspended Job or an unreachable Service."""
        name = word.removeprefix("job/")
        job = self.world.named("Job", name.partition(":")[0])
        if job is not None:
            return unstructured.at(job, "spec", "suspend") is True
        if ":" not in word:
            return False
        named = addresses(word)
        if len(named) != 1 or named[0].port is None:
            return False
        service = service_of(named[0].host, self.world.namespace)
        return bool(service) and self.request(service, named[0].port, "").status == 0

    def request(
        self, service: str, port: int, path: str, client: Mapping[str, str] = OUTSIDE
    ) -> Response:
        """Return the response of a Service; with an empty path, whether a connection is made.

        `client` are the labels of the requesting pod.
        """
        if not enforced_policies(self.world):
            client = OUTSIDE  # every client gets the same response
        key = (service, port, path, id(client))
        cached = self._responses.get(key)
        if cached is None:
            if key in self._in_progress:
                return Response(200)  # a cycle of calls: nothing in it fails
            self._in_progress.add(key)
            # The entry keeps the client, so that its id is not reused.
            cached = (client, self._request(service, port, path, client))
            self._responses[key] = cached
            self._in_progress.discard(key)
        return cached[1]

    def _request(self, name: str, port: int, path: str, client: Mapping[str, str]) -> Response:
        service = self.world.named("Service", name)
        if service is None:
            return Response(0, 5, "Name or service not known")
        view = service_view(service)
        target_port = next((p.target_port for p in view.ports if p.port == port), None)
        if target_port is None:
            return Response(0, LONGEST_WAIT_MILLISECONDS, "timed out")
        responses = [
            self._pod_response(endpoint, target_port, path, client)
            for endpoint in self._selected(view.selector)
        ]
        if not responses:
            return self._job_response(view.selector, service) or Response(
                0, 1, "Connection refused"
            )
        return max(responses, key=severity)

    def _selected(self, selector: Mapping[str, str]) -> list[_Endpoint]:
        """Return the ready pods that a selector matches, one of each kind."""
        if self._endpoints_by_label is None:
            self._endpoints_by_label = {}
            for endpoint in self._ready_endpoints():
                for label in endpoint.labels.items():
                    self._endpoints_by_label.setdefault(label, []).append(endpoint)
        for label in selector.items():
            candidates = self._endpoints_by_label.get(label, [])
            return [one for one in candidates if views.selects(selector, one.labels)]
        return []

    def _ready_endpoints(self) -> Iterator[_Endpoint]:
        world = self.world
        for key in world.workloads:
            pods, statuses = world.pods.get(key, ()), self.pod_statuses(key)
            yield from _endpoints(pods, statuses, world.program(key))

    def callers(self) -> Mapping[str, list[Mapping[str, str]]]:
        """Return the pod labels of the callers of each Service that has any."""
        if self._callers is None:
            self._callers = {}
            for key, program in self.world.ground_truth.programs.items():
                pods = self.world.pods.get(key) if program.calls else None
                if pods:
                    labels = template_facts(pods[-1].template).labels
                    for dependency in self._pod_dependencies(pods[-1], program):
                        self._callers.setdefault(dependency.service, []).append(labels)
        return self._callers

    def _pod_dependencies(self, pod: Pod, program: Program) -> tuple[_Dependency, ...]:
        truth, namespace = self.world.ground_truth, self.world.target.namespace
        return _dependencies(truth, program, pod.template, pod.config_maps, namespace)

    def _job_response(self, selector: Mapping[str, str], service: Json) -> Response | None:
        for _, job in self.world.of_kind("Job"):
            labels = unstructured.strings(job, "spec", "template", "metadata", "labels")
            if views.selects(selector, labels) and (
                unstructured.at(job, "spec", "suspend") is not True
            ):
                return Response(200)
        # A Service without a selector has manually managed endpoints: they respond.
        return None if unstructured.mapping(service, "spec", "selector") else Response(200)

    def _pod_response(
        self, endpoint: _Endpoint, target_port: int | str, path: str, client: Mapping[str, str]
    ) -> Response:
        status, behaviour = endpoint.status, endpoint.status.behaviour
        number = port_number(endpoint.container, target_port)
        if number is None:
            return Response(0, 1, "Connection refused")
        if not ingress_permitted(self.world, endpoint.labels, client, number, target_port):
            return Response(0, LONGEST_WAIT_MILLISECONDS, "timed out")
        if number != behaviour.port:
            return Response(0, 1, "Connection refused")
        if not path:
            return Response(200)
        milliseconds = _own_milliseconds(status)
        path = path.partition("?")[0]
        if path not in behaviour.paths and not behaviour.any_path:
            return Response(404, milliseconds, "HTTP 404")
        if behaviour.unready:
            return Response(503, milliseconds, "HTTP 503")
        if behaviour.error_percent:
            return Response(500, milliseconds, "HTTP 500")
        if behaviour.scratch_bytes:
            limits = template_facts(endpoint.pod.template).memory_volume_limits
            if limits and behaviour.scratch_bytes > min(limits):
                return Response(500, milliseconds, "HTTP 500: no space left on device")
        return self._with_dependencies(endpoint, path, milliseconds)

    def _with_dependencies(self, endpoint: _Endpoint, path: str, milliseconds: int) -> Response:
        behaviour, program = endpoint.status.behaviour, endpoint.program
        for dependency in self._pod_dependencies(endpoint.pod, program) if program.calls else ():
            if not path.startswith(dependency.path):
                continue
            service = dependency.service
            response = self._call(endpoint.pod, service, dependency.port)
            timeout = behaviour.call_timeout_milliseconds
            if not response.good or response.milliseconds > timeout:
                milliseconds += min(response.milliseconds, timeout) * (1 + behaviour.retries)
                return Response(502, milliseconds, f"HTTP 502: {service}: {response.message}")
            milliseconds += response.milliseconds
        return Response(200, milliseconds)

    def _call(self, pod: Pod, service: str, port: int) -> Response:
        if not service:
            return Response(200)  # a host outside the namespace is not simulated
        facts = template_facts(pod.template)
        policies = selecting_policies(self.world, facts.labels)
        if not facts.cluster_dns or not egress_allowed(policies, None, DNS_PORT):
            return Response(0, 1500, "Name or service not known")
        known = self.world.named("Service", service)
        if known is not None and policies:
            view = service_view(known)
            target_port = next((p.target_port for p in view.ports if p.port == port), None)
            callee = Callee(service, view.selector, ())
            if target_port is not None and not egress_allowed(policies, callee, target_port):
                return Response(0, LONGEST_WAIT_MILLISECONDS, "timed out")
        return self.request(service, port, "/", facts.labels)


@cache_recent_by_identity
def network_of(world: World) -> Network:
    """Return the network of a world; the same object for the same world."""
    return Network(world)


def request_entry_point(network: Network, entry_point: EntryPoint) -> Response:
    """Return the response to users at an entry point."""
    if not entry_point.ingress:
        return network.request(entry_point.service, entry_point.port, entry_point.path)
    ingress = network.world.named("Ingress", entry_point.ingress)
    paths = related_views.ingress(ingress).paths if ingress is not None else ()
    if not paths:
        return Response(404, 1, "HTTP 404")
    for path in paths:
        service = network.world.named("Service", path.service)
        ports = service_view(service).ports if service is not None else ()
        port = next((p.port for p in ports if path.port in (p.port, p.name)), None)
        if port is None:
            return Response(503, 1, "HTTP 503: no backend")
        response = network.request(path.service, port, entry_point.path)
        if not response.good:
            return Response(response.status or 503, response.milliseconds, response.message)
    return Response(200)


@cache_by_identity
def _own_milliseconds(status: PodStatus) -> int:
    """Return how long a response takes, without calls to other Services."""
    behaviour, stress = status.behaviour, status.stress
    milliseconds = behaviour.latency_milliseconds
    if status.queued_milliseconds:
        milliseconds += status.queued_milliseconds
    elif status.crowded:
        milliseconds += 80
    if stress.disk and behaviour.writes_disk:
        milliseconds += 1000
    return milliseconds + 2 * stress.delay_milliseconds + 20 * stress.loss_percent


def _called_services(
    call: Call, settings: Mapping[str, str], namespace: str
) -> list[tuple[str, int]]:
    """Return the Services and ports that a call reaches; an empty name for an external host."""
    if not call.setting:
        return [(call.service, call.port)]
    value = settings.get(call.setting)
    if value is None:
        return [(call.service, call.port)] if call.service else []
    return [(service_of(a.host, namespace), a.port or call.port) for a in addresses(value)]


def severity(response: Response) -> tuple[int, int]:
    """Return a sort key: worse responses are greater."""
    if response.status == 0:
        return 3, response.milliseconds
    return 2 if response.status >= 500 else int(not response.good), response.milliseconds
