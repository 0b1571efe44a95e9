"""Describes Services, host settings, ConfigMaps, kubelet probes and events of the workload."""

from collections.abc import Iterator, Mapping

from reme_model.prompt.redact import REDACTED, excerpt, secret_name, short, short_pair
from reme_model.prompt.sections.lines import Line, Weight, fact, normal, quoted, wrong
from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.current_events import current_events
from reme_playbook.snapshot.dependency import Mention
from reme_playbook.snapshot.missing_hosts import repaired_values
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.ownership import belongs_to_target
from reme_playbook.snapshot.probe_failures import port_number, probe_failures
from reme_playbook.snapshot.shared_services import narrowing_labels, unintended_workloads
from reme_playbook.snapshot.sibling_probes import working_probes
from reme_playbook.snapshot.snapshot import ClusterSnapshot, EventLine
from reme_playbook.snapshot.views import PROBE_KEYS, ContainerView, PodView, ProbeView, ServiceView

_MOST_SERVICES = 3
_MOST_PORTS = 3
_MOST_LABELS = 3
_MOST_OTHERS = 2
_MOST_CONFIG_MAPS = 2
_SHORT_VALUE = 200
_MOST_KEYS = 4
_MOST_EVENTS = 4
_MOST_PROBES = 2
_COMBINED = "(combined from similar events): "
_MAX_EVENT_AGE = 900
"""Older events are left out: their cause may be gone."""


def service_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Yield for each Service whether it selects the pods, and leads to an known port."""
    # A Service of another workload is included if the report mentions it.
    own = [v for v in live.services if belongs_to_target(_service_key(live, v.name), live)]
    views = sorted(own, key=lambda view: (view.name != live.target.name, view.name))
    for view in views[:_MOST_SERVICES]:
        faults = [*_selector(view, live), *_ports(view, live), *_others(view, live)]
        for text in faults:
            yield wrong(f"service {view.name} {text}", Weight.NEEDED)
        if not faults:
            yield normal(f"service {view.name}")


def _service_key(live: ClusterSnapshot, name: str) -> ObjectRef:
    return ObjectRef("Service", live.target.namespace, name)


def _selector(view: ServiceView, live: ClusterSnapshot) -> Iterator[str]:
    if not view.selects_target:
        other = {k: v for k, v in view.selector.items() if live.pod_labels.get(k) != v}
        own = {key: live.pod_labels[key] for key in other if key in live.pod_labels}
        # Where the pods have none of these labels: the labels that select them.
        shown = own or unstructured.strings(live.workload, "spec", "selector", "matchLabels")
        labels = _labels(shown or live.pod_labels)
        yield f"has selector {_labels(other)}, which matches no pod: their labels are {labels}"


def _others(view: ServiceView, live: ClusterSnapshot) -> Iterator[str]:
    """Yield the workloads that the Service also leads to, by mistake, and what tells them apart."""
    others = unintended_workloads(view, live)
    if others:
        names = " and ".join(key.name for key in others[:_MOST_OTHERS])
        own = narrowing_labels(view, live)
        apart = f": only its own have {_labels(own)}" if own else ""
        yield f"also leads to pods of {names}{apart}"


def _labels(labels: Mapping[str, str]) -> str:
    """Return a few labels, each as a whole."""
    shown = [f"{short(k, 80)}={short(v, 63)}" for k, v in sorted(labels.items())]
    more = [f"{len(shown) - _MOST_LABELS} more"] if len(shown) > _MOST_LABELS else []
    return ",".join([*shown[:_MOST_LABELS], *more]) or "none"


def _ports(view: ServiceView, live: ClusterSnapshot) -> Iterator[str]:
    declared = [port for container in live.containers for port in container.ports]
    numbers = {port.number for port in declared}
    names = {port.name for port in declared if port.name}
    for port in view.ports[:_MOST_PORTS]:
        exists = port.target_port in (numbers if isinstance(port.target_port, int) else names)
        if declared and not exists:
            known = " or ".join(str(number) for number in sorted(numbers)[:_MOST_PORTS])
            target = short(str(port.target_port), 20)
            yield f"leads port {port.port} to {target}, which no container has: they have {known}"


def variable_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Yield the variables and ConfigMap settings that name a missing host."""
    init_containers = views.template_containers(live.template, "initContainers")
    for container in (*live.containers, *init_containers):
        for name, value in sorted(container.env.items()):
            if value and (problem := _missing_host(live, Mention(container.name, name), value)):
                yield wrong(f"{short(name, 60)} of {container.name} {problem}")
    for config_map in live.config_map_names:
        for key, value in sorted(live.config_map(config_map).items()):
            if problem := _missing_host(live, Mention("", key, config_map), value):
                yield wrong(f"{short(key, 60)} of config {config_map} {problem}")


def _missing_host(live: ClusterSnapshot, mention: Mention, value: str) -> str:
    """Return the value and the likely host; empty if the value names no missing Service."""
    if secret_name(mention.variable):
        return ""
    candidates = repaired_values(live, mention)
    if not candidates:
        return ""
    hosts = " or ".join(short(host, 60) for host in candidates)
    return f"is {short(value, 80)}, which is no service: there is {hosts}"


def config_map_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Yield the short values of the workload's ConfigMaps."""
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
    """Yield the keys that are missing, or differ from the last applied configuration."""
    current = live.config_map(name)
    applied = unstructured.strings(live.last_applied_config(name), "data")
    differing = [key for key, value in sorted(applied.items()) if current.get(key) != value]
    for key in differing[:_MOST_CONFIG_MAPS]:
        old, new = short_pair(applied[key], current.get(key, applied[key]), 60)
        before = REDACTED if secret_name(key) else old
        if key not in current:
            yield wrong(
                f"key {short(key, 60)} of config {name} is gone, it was {before}", Weight.NEEDED
            )
        else:
            shown = REDACTED if secret_name(key) else new
            yield wrong(
                f"{short(key, 60)} of config {name} is {shown}, it was {before}", Weight.NEEDED
            )


def kubelet_probe_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Yield the kubelet's probes, if pods run without being ready."""
    if not any(_runs_unready(pod) for pod in live.pods):
        return
    restarted = any(pod.restarts for pod in live.pods)
    for container in live.containers[:2]:
        for kind, view in sorted(container.probes.items()):
            if kind == "liveness" and not restarted:
                continue  # a failing liveness probe would have restarted them
            asks = " ".join(str(part) for part in (view.handler, view.path, view.port) if part)
            yield fact(
                f"{kind} probe of {container.name}: {short(asks, 80)}"
                f" after {view.initial_delay_seconds}s every {view.period_seconds}s"
                f", timeout {view.timeout_seconds}s, fails after {view.failure_threshold}",
                Weight.USEFUL,
            )
            if not _has_port(container, view.port):
                yield wrong(f"{kind} probe of {container.name} asks a port that it does not have")


def probe_failure_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Yield the probes that get an HTTP error, with what they ask, and what works instead.

    Of other failures the event itself says path and port.
    """
    for failure in probe_failures(live)[:_MOST_PROBES]:
        view = live.container(failure.container)
        probe = view.probes.get(failure.kind) if view else None
        if view is None or probe is None or failure.status is None:
            continue
        text = f"{failure.kind} probe {_asks(view, probe)} of {view.name} fails with HTTP"
        text += f" {failure.status}"
        working = next(working_probes(live, view, failure.kind), None)
        if working is not None and failure.asks_nothing_that_exists:
            is_own = working.owner in PROBE_KEYS
            owner = f"the {working.owner} probe" if is_own else short(working.owner, 63)
            text += f", {_asks(view, working.probe)} of {owner} works"
        yield wrong(text, Weight.NEEDED)


def _asks(container: ContainerView, probe: ProbeView) -> str:
    """Return what a probe asks: GET /ready:8080."""
    port = port_number(container, probe) or short(str(probe.port or ""), 20)
    method = {"httpGet": "GET", "tcpSocket": "connect"}.get(probe.handler, probe.handler)
    return f"{method} {short(probe.path or '', 80)}:{port}"


def _runs_unready(pod: PodView) -> bool:
    stuck = any(state.waiting for state in pod.containers)
    return pod.phase == "Running" and not (pod.ready or pod.deleting or stuck)


def _has_port(container: ContainerView, port: int | str | None) -> bool:
    if port is None or not container.ports:
        return True
    return any(port in (declared.number, declared.name) for declared in container.ports)


def event_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Yield recent warnings, one line per reason, the most frequent first."""
    by_reason: dict[str, EventLine] = {}
    total: dict[str, int] = {}
    covered = {pod.unscheduled for pod in live.pods}
    recent = [e for e in current_events(live) if (e.age_seconds or 0) <= _MAX_EVENT_AGE]
    for event in recent:
        # Skip what the lines about pods already say.
        if event.warning and event.reason != "BackOff" and event.message not in covered:
            by_reason[event.reason] = event  # the latest message of each reason
            total[event.reason] = total.get(event.reason, 0) + event.count
    order = sorted(by_reason, key=lambda reason: (-total[reason], reason))
    for reason in order[:_MOST_EVENTS]:
        message = quoted(excerpt(by_reason[reason].message.removeprefix(_COMBINED), 180))
        yield fact(f"event: {short(reason, 40)} {total[reason]} times: {message}")
