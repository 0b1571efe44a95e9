"""What there is to say about what the workload talks to: Services, variables, probes, events."""

from collections.abc import Iterator, Mapping

from reme_model.prompt.redact import REDACTED, secret_name, short
from reme_model.prompt.sections.lines import Line, Weight, fact, normal, quoted, wrong
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.ownership import belongs_to_target
from reme_playbook.snapshot.service_hosts import replaced_hosts
from reme_playbook.snapshot.snapshot import ClusterSnapshot, EventLine
from reme_playbook.snapshot.views import ContainerView, PodView, ServiceView

_MOST_SERVICES = 3
_MOST_PORTS = 3
_MOST_CONFIG_MAPS = 2
_SHORT_VALUE = 200
_MOST_KEYS = 4
_MOST_EVENTS = 4
_OLD_SECONDS = 900
"""Events outlive what they were about."""


def service_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Say of each Service whether it reaches the pods, and on a port that is there."""
    # Those of others are there when the report speaks of them.
    own = [v for v in live.services if belongs_to_target(_service_key(live, v.name), live)]
    views = sorted(own, key=lambda view: (view.name != live.target.name, view.name))
    for view in views[:_MOST_SERVICES]:
        faults = [*_selector(view, live), *_ports(view, live)]
        for text in faults:
            yield wrong(f"service {view.name} {text}", Weight.NEEDED)
        if not faults:
            yield normal(f"service {view.name}")


def _service_key(live: ClusterSnapshot, name: str) -> ObjectRef:
    return ObjectRef("Service", live.target.namespace, name)


def _selector(view: ServiceView, live: ClusterSnapshot) -> Iterator[str]:
    if not view.selects_target:
        selector, labels = _labels(view.selector), _labels(live.pod_labels)
        yield f"has selector {selector}, which matches no pod: their labels are {labels}"


def _labels(labels: Mapping[str, str]) -> str:
    shown = [f"{key}={value}" for key, value in sorted(labels.items())]
    return short(",".join(shown), 80) or "none"


def _ports(view: ServiceView, live: ClusterSnapshot) -> Iterator[str]:
    declared = [port for container in live.containers for port in container.ports]
    numbers = {port.number for port in declared}
    names = {port.name for port in declared if port.name}
    for port in view.ports[:_MOST_PORTS]:
        there = port.target_port in (numbers if isinstance(port.target_port, int) else names)
        if declared and not there:
            known = " or ".join(str(number) for number in sorted(numbers)[:_MOST_PORTS])
            leads_to = short(str(port.target_port), 20)
            yield f"leads port {port.port} to {leads_to}, which no container has: they have {known}"


def variable_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Say which variables and which settings of ConfigMaps name a host that is nowhere."""
    for container in live.containers:
        for name, value in sorted(container.env.items()):
            if value and (near := _near(live, name, value)):
                yield wrong(f"{short(name, 60)} of {container.name} {near}")
    for config_map in live.config_map_names:
        for key, value in sorted(live.config_map(config_map).items()):
            if near := _near(live, key, value):
                yield wrong(f"{short(key, 60)} of config {config_map} {near}")


def _near(live: ClusterSnapshot, name: str, value: str) -> str:
    """Return the value and what is wrong with it; nothing when it names no missing Service."""
    if secret_name(name):
        return ""
    near = replaced_hosts(name, value, live.service_names, live.target.namespace)
    if not near:
        return ""
    there = " or ".join(short(one, 60) for one in near)
    return f"is {short(value, 80)}, which is no service: there is {there}"


def config_map_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Say what the ConfigMaps of the workload hold, where it is short."""
    for name in live.config_map_names[:_MOST_CONFIG_MAPS]:
        shown = [
            f"{short(key, 60)}={REDACTED if secret_name(key) else short(value, 40)}"
            for key, value in sorted(live.config_map(name).items())
            if len(value) <= _SHORT_VALUE
        ]
        if shown:
            yield fact(f"config {name}: {', '.join(shown[:_MOST_KEYS])}", Weight.NICE)
        yield from _not_as_applied(live, name)


def _not_as_applied(live: ClusterSnapshot, name: str) -> Iterator[Line]:
    """Say which keys are gone, or have another value than their owner gave them."""
    now = live.config_map(name)
    applied = unstructured.strings(live.last_applied_config(name), "data")
    differing = [key for key, value in sorted(applied.items()) if now.get(key) != value]
    for key in differing[:_MOST_CONFIG_MAPS]:
        was = REDACTED if secret_name(key) else short(applied[key], 60)
        if key not in now:
            yield wrong(
                f"key {short(key, 60)} of config {name} is gone, it was {was}", Weight.NEEDED
            )
        else:
            shown = REDACTED if secret_name(key) else short(now[key], 60)
            yield wrong(
                f"{short(key, 60)} of config {name} is {shown}, it was {was}", Weight.NEEDED
            )


def kubelet_probe_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Say how the kubelet asks the containers, where pods run and are not ready."""
    if not any(_refused(pod) for pod in live.pods):
        return
    restarted = any(pod.restarts for pod in live.pods)
    for container in live.containers[:2]:
        for kind, view in sorted(container.probes.items()):
            if kind == "liveness" and not restarted:
                continue  # it would have killed them
            asks = " ".join(str(part) for part in (view.handler, view.path, view.port) if part)
            yield fact(
                f"{kind} probe of {container.name}: {short(asks, 80)}"
                f" after {view.initial_delay_seconds}s every {view.period_seconds}s"
                f", timeout {view.timeout_seconds}s, fails after {view.failure_threshold}",
                Weight.USEFUL,
            )
            if not _asked_port_is_there(container, view.port):
                yield wrong(f"{kind} probe of {container.name} asks a port that it does not have")


def _refused(pod: PodView) -> bool:
    stuck = any(state.waiting for state in pod.containers)
    return pod.phase == "Running" and not (pod.ready or pod.deleting or stuck)


def _asked_port_is_there(container: ContainerView, port: int | str | None) -> bool:
    if port is None or not container.ports:
        return True
    return any(port in (known.number, known.name) for known in container.ports)


def event_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Say what Kubernetes reported of late: each reason once, the most frequent first."""
    by_reason: dict[str, EventLine] = {}
    total: dict[str, int] = {}
    told = {pod.unscheduled for pod in live.pods}
    recent = [e for e in live.events if (e.age_seconds or 0) <= _OLD_SECONDS]
    for event in recent:
        # What the lines about pods say already is not said twice.
        if event.warning and event.reason != "BackOff" and event.message not in told:
            by_reason[event.reason] = event  # the latest text of its kind
            total[event.reason] = total.get(event.reason, 0) + event.count
    order = sorted(by_reason, key=lambda reason: (-total[reason], reason))
    for reason in order[:_MOST_EVENTS]:
        said = quoted(short(by_reason[reason].message, 140))
        yield fact(f"event: {short(reason, 40)} {total[reason]} times: {said}")
