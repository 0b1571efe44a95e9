"""Who reaches whom, and what they are answered."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from reme_lab.simulator.container_start import start_container
from reme_lab.simulator.identity_cache import (
    cache_by_identities,
    cache_by_identity,
    cache_recent_by_identity,
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
from reme_playbook.snapshot.reachability import egress_allowed, ingress_allowed
from reme_playbook.snapshot.related_views import NetworkPolicyView
from reme_playbook.snapshot.snapshot import Callee
from reme_playbook.snapshot.views import ContainerView

Json = Mapping[str, Any]

_MIB = 2**20
_OUTSIDE: dict[str, str] = {"simulator.invalid/outside": "true"}


@dataclass(frozen=True)
class Response:
    """The worst that somebody gets who asks again and again; status 0: no connection."""

    status: int
    milliseconds: int = 1
    message: str = ""

    @property
    def good(self) -> bool:
        """Whether every request is served."""
        return 200 <= self.status < 400


class _Endpoint(NamedTuple):
    labels: Mapping[str, str]
    key: ObjectRef
    pod: Pod
    life: PodStatus
    program: Program
    container: ContainerView | None


@cache_by_identities
def _endpoints(
    pods: tuple[Pod, ...], led: tuple[PodStatus, ...], program: Program
) -> tuple[_Endpoint, ...]:
    """Return the ready pods of a workload, alike ones once."""
    found: dict[tuple[int, ...], _Endpoint] = {}
    for pod, life in zip(pods, led, strict=False):
        if life.ready:
            mark = (id(pod.template), id(pod.config_maps), id(pod.stress))
            seen = template_facts(pod.template)
            container = seen.container(program.container)
            found[mark] = _Endpoint(seen.labels, pod.owner, pod, life, program, container)
    return tuple(found.values())


class _Asks(NamedTuple):
    path: str
    service: str  # empty for one elsewhere
    port: int


@cache_by_identities
def _asks(
    ground_truth: GroundTruth,
    program: Program,
    template: Json,
    configs: tuple[Json | None, ...],
    namespace: str,
) -> tuple[_Asks, ...]:
    """Return whom a pod asks for a request, in the order in which it does."""
    told = start_container(ground_truth, program, template, configs).settings
    return tuple(
        _Asks(call.path, service, port)
        for call in program.calls
        for service, port in _called(call, told, namespace)
    )


@dataclass
class Network:
    """Answers questions about one world, and remembers what it answered."""

    world: World
    _lives: dict[ObjectRef, tuple[PodStatus, ...]] = field(default_factory=dict)
    _answers: dict[tuple[Any, ...], tuple[Any, Response]] = field(default_factory=dict)
    _asking: set[tuple[Any, ...]] = field(default_factory=set)
    _policies: list[NetworkPolicyView] | None = None
    _ready: dict[tuple[str, str], list[_Endpoint]] | None = None
    _callers: dict[str, list[Mapping[str, str]]] | None = None

    def pod_statuses(self, key: ObjectRef) -> tuple[PodStatus, ...]:
        """Return how the pods of a workload are doing."""
        if key not in self._lives:
            world = self.world
            pods = world.pods.get(key, ())
            self._lives[key] = ()  # who waits for itself finds nobody
            held = self._held(pods)
            self._lives[key] = pod_statuses(world.ground_truth, world.program(key), pods, held)
        return self._lives[key]

    def _held(self, pods: tuple[Pod, ...]) -> str:
        """Return what the init containers of the newest template wait for in vain."""
        for pod in pods:
            for word in () if pod.initialized else template_facts(pod.template).awaited_words:
                if self._in_vain(word):
                    return _HELD
        return ""

    def _in_vain(self, word: str) -> bool:
        name = word.removeprefix("job/")
        job = self.world.named("Job", name.partition(":")[0])
        if job is not None:
            return unstructured.at(job, "spec", "suspend") is True
        if ":" not in word:
            return False
        found = addresses(word)
        if len(found) != 1 or found[0].port is None:
            return False
        service = service_of(found[0].host, self.world.namespace)
        return bool(service) and self.request(service, found[0].port, "").status == 0

    # who is behind a Service ------------------------------------------------------------------

    def request(
        self, service: str, port: int, path: str, asker: Mapping[str, str] = _OUTSIDE
    ) -> Response:
        """Return what is answered at a Service; without a path, whether somebody listens."""
        if not self._restricting():
            asker = _OUTSIDE  # it makes no difference who asks
        mark = (service, port, path, id(asker))
        known = self._answers.get(mark)
        if known is None:
            if mark in self._asking:
                return Response(200)  # a circle of callers has no end that could fail
            self._asking.add(mark)
            # With the asker, so that nothing else can get its place in memory.
            known = self._answers[mark] = (asker, self._ask(service, port, path, asker))
            self._asking.discard(mark)
        return known[1]

    def _ask(self, service: str, port: int, path: str, asker: Mapping[str, str]) -> Response:
        found = self.world.named("Service", service)
        if found is None:
            return Response(0, 5, "Name or service not known")
        view = service_view(found)
        leads_to = next((p.target_port for p in view.ports if p.port == port), None)
        if leads_to is None:
            return Response(0, LONGEST_WAIT_MILLISECONDS, "timed out")
        answers = [self._of_pod(one, leads_to, path, asker) for one in self._behind(view.selector)]
        if not answers:
            return self._of_job(view.selector, found) or Response(0, 1, "Connection refused")
        return max(answers, key=severity)

    def _behind(self, selector: Mapping[str, str]) -> list[_Endpoint]:
        """Return the ready pods that a selector selects; alike ones once."""
        if self._ready is None:
            self._ready = {}
            for one in self._all_ready():
                for pair in one.labels.items():
                    self._ready.setdefault(pair, []).append(one)
        for pair in selector.items():
            found = self._ready.get(pair, [])
            return [one for one in found if views.selects(selector, one.labels)]
        return []

    def _all_ready(self) -> Iterator[_Endpoint]:
        world = self.world
        for key in world.workloads:
            yield from _endpoints(
                world.pods.get(key, ()), self.pod_statuses(key), world.program(key)
            )

    def callers(self) -> Mapping[str, list[Mapping[str, str]]]:
        """Return the pod labels of those who call each Service now, if anybody does."""
        if self._callers is None:
            self._callers = {}
            for key, program in self.world.ground_truth.programs.items():
                pods = self.world.pods.get(key) if program.calls else None
                if pods:
                    pod = pods[-1]
                    for asked in self._asked(pod, program):
                        labels = template_facts(pod.template).labels
                        self._callers.setdefault(asked.service, []).append(labels)
        return self._callers

    def _asked(self, pod: Pod, program: Program) -> tuple[_Asks, ...]:
        world = self.world
        return _asks(
            world.ground_truth, program, pod.template, pod.config_maps, world.target.namespace
        )

    def _of_job(self, selector: Mapping[str, str], service: Json) -> Response | None:
        for _, job in self.world.of_kind("Job"):
            labels = unstructured.strings(job, "spec", "template", "metadata", "labels")
            if (
                views.selects(selector, labels)
                and unstructured.at(job, "spec", "suspend") is not True
            ):
                return Response(200)
        # Endpoints that somebody else keeps lead somewhere.
        return None if unstructured.mapping(service, "spec", "selector") else Response(200)

    # what a pod answers -----------------------------------------------------------------------

    def _of_pod(
        self, one: _Endpoint, leads_to: int | str, path: str, asker: Mapping[str, str]
    ) -> Response:
        life, behaviour = one.life, one.life.behaviour
        number = port_number(one.container, leads_to)
        if number is None:
            return Response(0, 1, "Connection refused")
        if not self._let_in(one.labels, asker, number, leads_to):
            return Response(0, LONGEST_WAIT_MILLISECONDS, "timed out")
        if number != behaviour.port:
            return Response(0, 1, "Connection refused")
        if not path:
            return Response(200)
        spent = _spent(life)
        bare = path.partition("?")[0]
        if bare not in behaviour.paths and not behaviour.any_path:
            return Response(404, spent, "HTTP 404")
        if behaviour.unready:
            return Response(503, spent, "HTTP 503")
        if behaviour.error_percent:
            return Response(500, spent, "HTTP 500")
        volumes = (
            template_facts(one.pod.template).memory_volume_limits if behaviour.scratch_bytes else ()
        )
        if volumes and behaviour.scratch_bytes > min(volumes):
            return Response(500, spent, "HTTP 500: no space left on device")
        return self._with_others(one, bare, spent)

    def _with_others(self, one: _Endpoint, path: str, spent: int) -> Response:
        behaviour = one.life.behaviour
        for asked in self._asked(one.pod, one.program) if one.program.calls else ():
            if not path.startswith(asked.path):
                continue
            answer = self._call(one.pod, asked.service, asked.port)
            limit = behaviour.call_timeout_milliseconds
            if not answer.good or answer.milliseconds > limit:
                waited = min(answer.milliseconds, limit) * (1 + behaviour.retries)
                return Response(502, spent + waited, f"HTTP 502: {asked.service}: {answer.message}")
            spent += answer.milliseconds
        return Response(200, spent)

    def _call(self, pod: Pod, service: str, port: int) -> Response:
        seen = template_facts(pod.template)
        if not service:
            return Response(200)  # somewhere else, which is not simulated
        policies = self._selecting(seen.labels) if self._restricting() else []
        if not seen.cluster_dns or not egress_allowed(policies, None, DNS_PORT):
            return Response(0, 1500, "Name or service not known")
        found = self.world.named("Service", service)
        if found is not None and policies:
            view = service_view(found)
            leads_to = next((p.target_port for p in view.ports if p.port == port), None)
            callee = Callee(service, view.selector, ())
            if leads_to is not None and not egress_allowed(policies, callee, leads_to):
                return Response(0, LONGEST_WAIT_MILLISECONDS, "timed out")
        return self.request(service, port, "/", seen.labels)

    # past NetworkPolicies ---------------------------------------------------------------------

    def _selecting(self, labels: Mapping[str, str]) -> list[NetworkPolicyView]:
        return [view for view in self._restricting() if view.selector.matches(labels)]

    def _restricting(self) -> list[NetworkPolicyView]:
        if self._policies is None:
            enforced = self.world.ground_truth.policies_enforced
            found = self.world.of_kind("NetworkPolicy") if enforced else ()
            self._policies = [related_views.network_policy(one) for _, one in found]
        return self._policies

    def _let_in(
        self, labels: Mapping[str, str], asker: Mapping[str, str], number: int, named: int | str
    ) -> bool:
        policies = self._selecting(labels) if self._restricting() else []
        if not policies:
            return True
        if asker is _OUTSIDE:
            return lets_outsiders_in(policies, number)
        return ingress_allowed(policies, asker, number) or ingress_allowed(policies, asker, named)


@cache_recent_by_identity
def network_of(world: World) -> Network:
    """Return the network of a world; the same one for the same world."""
    return Network(world)


def lets_outsiders_in(policies: list[NetworkPolicyView], port: int) -> bool:
    """Return whether pods of other namespaces reach a port."""
    restricting = [policy.ingress for policy in policies if policy.ingress is not None]
    for rules in restricting:
        for one in rules:
            open_peers = not unstructured.items(one, "from") or any(
                peer.get("namespaceSelector") == {} or "ipBlock" in peer
                for peer in unstructured.items(one, "from")
            )
            ports = unstructured.items(one, "ports")
            if open_peers and (not ports or any(p.get("port") in (None, port) for p in ports)):
                return True
    return not restricting


def request_entry_point(network: Network, front: EntryPoint) -> Response:
    """Return what users get at a front."""
    if not front.ingress:
        return network.request(front.service, front.port, front.path)
    found = network.world.named("Ingress", front.ingress)
    paths = related_views.ingress(found).paths if found is not None else ()
    if not paths:
        return Response(404, 1, "HTTP 404")
    for path in paths:
        service = network.world.named("Service", path.service)
        ports = service_view(service).ports if service is not None else ()
        port = next((p.port for p in ports if path.port in (p.port, p.name)), None)
        if port is None:
            return Response(503, 1, "HTTP 503: no backend")
        answer = network.request(path.service, port, front.path)
        if not answer.good:
            return Response(answer.status or 503, answer.milliseconds, answer.message)
    return Response(200)


@cache_by_identity
def _spent(life: PodStatus) -> int:
    """Return the milliseconds that an answer takes without those of others."""
    behaviour, stress = life.behaviour, life.stress
    spent = behaviour.latency_milliseconds
    if life.queued_milliseconds:
        spent += life.queued_milliseconds
    elif life.crowded:
        spent += 80
    if stress.disk and behaviour.writes_disk:
        spent += 1000
    spent += 2 * stress.delay_milliseconds + 20 * stress.loss_percent
    return spent


def _called(call: Call, told: Mapping[str, str], namespace: str) -> list[tuple[str, int]]:
    """Return Service and port of what a call asks; no Service for a host elsewhere."""
    if not call.setting:
        return [(call.service, call.port)]
    value = told.get(call.setting)
    if value is None:
        return [(call.service, call.port)] if call.service else []
    return [(service_of(a.host, namespace), a.port or call.port) for a in addresses(value)]


def severity(answer: Response) -> tuple[int, int]:
    """Return how bad an answer is, in an order."""
    order = 3 if answer.status == 0 else 2 if answer.status >= 500 else int(not answer.good)
    return order, answer.milliseconds


_HELD = "held"
