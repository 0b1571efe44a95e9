"""Evaluates the probes of a report against a world."""

from typing import NamedTuple

from reme_api.probes import HttpProbe, Probe, Resource, ResourceUsageProbe, RolloutProbe
from reme_lab.simulator.api_objects import phase_of
from reme_lab.simulator.health import replica_counts
from reme_lab.simulator.network import Network
from reme_lab.simulator.template_facts import (
    cpu_or_zero,
    memory_or_zero,
    service_view,
    template_facts,
)


class ProbeSample(NamedTuple):
    """Result of repeated samples: passed every time or not; None if it cannot be measured."""

    name: str
    passed: bool | None
    value: str = ""
    message: str = ""


def sample_probe(network: Network, probe: Probe) -> ProbeSample:
    """Return the result of a probe."""
    if request := probe.request:
        service = network.world.named("Service", request.service)
        if service is None:
            return ProbeSample(probe.name, None, "", f"Service {request.service} does not exist")
        ports = {port.name: port.port for port in service_view(service).ports}
        port = ports.get(request.port) if isinstance(request.port, str) else request.port
        if port is None:
            message = f"Service {request.service} has no port named {request.port}"
            return ProbeSample(probe.name, None, "", message)
        if isinstance(request, HttpProbe):
            return _http(network, probe, request, port)
        answer = network.request(request.service, port, "")
        return ProbeSample(probe.name, answer.status != 0, "", answer.message)
    if probe.rollout:
        return _rollout(network, probe.name, probe.rollout)
    if probe.resource_usage:
        return _usage(network, probe.name, probe.resource_usage)
    return ProbeSample(probe.name, None, "", "the probe says nothing that could be measured")


def _http(network: Network, probe: Probe, http: HttpProbe, port: int) -> ProbeSample:
    answer = network.request(http.service, port, http.path)
    if answer.milliseconds >= probe.timeout_seconds * 1000:
        return ProbeSample(probe.name, False, "", f"no answer within {probe.timeout_seconds} s")
    if answer.status == 0:
        return ProbeSample(probe.name, False, "", answer.message)
    value = f"{answer.status} in {answer.milliseconds} ms"
    if answer.status > http.max_status:
        return ProbeSample(probe.name, False, value, f"{http.service} answered {answer.status}")
    if http.max_milliseconds is not None and answer.milliseconds > http.max_milliseconds:
        return ProbeSample(
            probe.name, False, value, f"{http.service} took {answer.milliseconds} ms"
        )
    return ProbeSample(probe.name, True, value)


def _rollout(network: Network, name: str, probe: RolloutProbe) -> ProbeSample:
    target = network.world.target
    key = next(
        (
            k
            for k in network.world.workloads
            if (k.kind, k.name) == (probe.kind or target.kind, probe.name or target.name)
        ),
        None,
    )
    if key is None:
        return ProbeSample(name, None, "", "the workload does not exist")
    count = replica_counts(network, key)
    value = f"{count.ready}/{count.desired} available, {count.updated} updated"
    partition = 0
    if key.kind == "StatefulSet":
        rolling = network.world.objects[key].get("spec", {}).get("updateStrategy") or {}
        partition = int((rolling.get("rollingUpdate") or {}).get("partition") or 0)
    why = ""
    if count.desired < probe.min_replicas:
        why = f"{count.desired} replicas are wanted, {probe.min_replicas} would be healthy"
    elif count.updated < max(0, count.desired - partition):
        why = f"{count.updated} of {count.desired} replicas have the newest template"
    elif key.kind == "Deployment" and count.current > count.updated:
        why = "replicas of an older template are still there"
    elif count.ready < count.desired:
        why = f"{count.ready} of {count.desired} replicas are available"
    return ProbeSample(name, not why, value, f"{key.kind} {key.name}: {why}" if why else "")


def _usage(network: Network, name: str, probe: ResourceUsageProbe) -> ProbeSample:
    world = network.world
    if not world.ground_truth.metrics_available:
        return ProbeSample(name, None, "", "no metrics server is installed")
    shares: list[int] = []
    unknown = ""
    program = world.program(world.target)
    for pod, status in zip(
        world.pods.get(world.target, ()), network.pod_statuses(world.target), strict=True
    ):
        if phase_of(pod, status) != "Running":
            continue
        if not status.running:
            unknown = f"pod {pod.name}: has no metrics yet"
            continue
        facts = template_facts(pod.template)
        serving = facts.container(program.container)
        for container in facts.containers:
            if probe.container not in (None, container.name):
                continue
            is_cpu = probe.resource is Resource.CPU
            amounts = container.resources
            limit = (
                cpu_or_zero(amounts.cpu_limit or "")
                if is_cpu
                else memory_or_zero(amounts.memory_limit or "")
            )
            if not limit:
                unknown = f"container {container.name} has no {probe.resource} limit"
                continue
            if container is not serving:
                continue  # a sidecar uses next to nothing
            used = status.cpu if is_cpu else status.memory
            shares.append(used * 100 // limit)
    if not shares:
        return ProbeSample(name, None, "", unknown or "no pod of the target is running")
    highest = max(shares)
    value = f"{highest}% of its limit"
    if highest > probe.max_percent:
        return ProbeSample(name, False, value, f"{probe.resource} is above {probe.max_percent}%")
    return ProbeSample(name, None if unknown else True, value, unknown)
