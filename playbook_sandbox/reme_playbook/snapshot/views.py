"""Views of pods, containers and Services: what decisions and prompts need of the raw objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.quantity import (
    canonical_quota,
    cpu_millicores,
    format_cpu,
    format_memory,
    memory_bytes,
)

PROBE_KEYS = {"readiness": "readinessProbe", "liveness": "livenessProbe", "startup": "startupProbe"}
PROBE_TIMINGS: Mapping[str, str] = {
    "initial_delay_seconds": "initialDelaySeconds",
    "period_seconds": "periodSeconds",
    "timeout_seconds": "timeoutSeconds",
    "failure_threshold": "failureThreshold",
}
"""Fields of `ProbeView` in seconds, or as a count, and their names in the API."""
HANDLERS = ("httpGet", "tcpSocket", "grpc", "exec")


class ContainerPort(NamedTuple):
    """A port that a container declares."""

    number: int
    name: str = ""


class Resources(NamedTuple):
    """Canonical amounts; None where nothing is set."""

    cpu_limit: str | None = None
    memory_limit: str | None = None
    cpu_request: str | None = None
    memory_request: str | None = None


@dataclass(frozen=True)
class ProbeView:
    """One probe of a container, with the defaults of the API filled in."""

    handler: str
    path: str | None
    port: int | str | None
    initial_delay_seconds: int
    period_seconds: int
    timeout_seconds: int
    failure_threshold: int


@dataclass(frozen=True)
class ContainerView:
    """One container of a pod template."""

    name: str
    image: str
    resources: Resources
    env: Mapping[str, str | None]  # None: a reference (valueFrom)
    ports: tuple[ContainerPort, ...]
    probes: Mapping[str, ProbeView]
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()


@dataclass(frozen=True)
class Replicas:
    """How many pods are desired, and how many there are."""

    desired: int
    current: int
    updated: int
    ready: int
    available: int


@dataclass(frozen=True)
class ContainerState:
    """The state of one container of one pod."""

    name: str
    image: str
    ready: bool
    restarts: int
    waiting: str  # reason, such as ImagePullBackOff
    waiting_message: str
    terminated: str  # reason, such as OOMKilled, of the present or the last termination
    exit_code: int | None
    message: str = ""  # that it left when it terminated
    running: bool = False


@dataclass(frozen=True)
class PodView:
    """The state of one pod."""

    name: str
    phase: str
    ready: bool
    deleting: bool
    restarts: int
    unscheduled: str  # message of the scheduler if no node takes it
    containers: tuple[ContainerState, ...]
    init_containers: tuple[ContainerState, ...] = ()  # in their order, without sidecars

    @property
    def initializing(self) -> ContainerState | None:
        """The init container that the pod waits for; None if it waits for none."""
        if not any(state.waiting == "PodInitializing" for state in self.containers):
            return None
        return next(
            (s for s in self.init_containers if s.running or s.waiting or s.exit_code != 0), None
        )


class ServicePort(NamedTuple):
    """One port of a Service."""

    port: int
    target_port: int | str
    name: str = ""
    protocol: str = "TCP"


@dataclass(frozen=True)
class ServiceView:
    """One Service."""

    name: str
    type: str
    selector: Mapping[str, str]
    ports: tuple[ServicePort, ...]
    selects_target: bool


def canonical(resource: str, value: Any) -> str | None:
    """Return an amount of cpu or memory in its canonical form; None if it is invalid."""
    return _canonical(resource, str(value))


@lru_cache(maxsize=1024)
def _canonical(resource: str, text: str) -> str | None:
    try:
        if resource == "cpu":
            return format_cpu(cpu_millicores(text))
        return format_memory(memory_bytes(text))
    except ValueError:
        return None


def quota(key: str, value: Any) -> str | None:
    """Return an amount of a quota in its canonical form; None if it is invalid."""
    try:
        return canonical_quota(key, str(value))
    except ValueError:
        return None


def resources(container: Mapping[str, Any]) -> Resources:
    """Return limits and requests of a container."""
    limits = unstructured.mapping(container, "resources", "limits")
    requests = unstructured.mapping(container, "resources", "requests")
    return Resources(
        canonical("cpu", limits.get("cpu")),
        canonical("memory", limits.get("memory")),
        canonical("cpu", requests.get("cpu")),
        canonical("memory", requests.get("memory")),
    )


def _port(value: Any) -> int | str | None:
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def probe(container: Mapping[str, Any], kind: str) -> ProbeView | None:
    """Return a probe of a container, or None if it has none of that kind."""
    manifest = unstructured.mapping(container, PROBE_KEYS[kind])
    handler = next((name for name in HANDLERS if isinstance(manifest.get(name), Mapping)), None)
    if handler is None:
        return None
    action = unstructured.mapping(manifest, handler)
    return ProbeView(
        handler=handler,
        path=(unstructured.text(action, "path") or "/") if handler == "httpGet" else None,
        port=_port(action.get("port")),
        initial_delay_seconds=unstructured.number(manifest, "initialDelaySeconds"),
        period_seconds=unstructured.number(manifest, "periodSeconds", default=10),
        timeout_seconds=unstructured.number(manifest, "timeoutSeconds", default=1),
        failure_threshold=unstructured.number(manifest, "failureThreshold", default=3),
    )


def env(container: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the variables of a container; None for a reference (valueFrom)."""
    return {
        unstructured.text(entry, "name"): None
        if "valueFrom" in entry
        else unstructured.text(entry, "value")
        for entry in unstructured.items(container, "env")
        if unstructured.text(entry, "name")
    }


def _words(value: Any) -> tuple[str, ...]:
    return tuple(str(word) for word in value) if isinstance(value, list | tuple) else ()


def container(manifest: Mapping[str, Any]) -> ContainerView:
    """Return the view of a container of a template."""
    probes = {kind: probe(manifest, kind) for kind in PROBE_KEYS}
    return ContainerView(
        name=unstructured.text(manifest, "name"),
        image=unstructured.text(manifest, "image"),
        resources=resources(manifest),
        env=env(manifest),
        ports=tuple(
            ContainerPort(unstructured.number(p, "containerPort"), unstructured.text(p, "name"))
            for p in unstructured.items(manifest, "ports")
            if unstructured.number(p, "containerPort")
        ),
        probes={kind: view for kind, view in probes.items() if view is not None},
        command=_words(manifest.get("command")),
        args=_words(manifest.get("args")),
    )


def template_containers(
    template: Mapping[str, Any], kind: str = "containers"
) -> tuple[ContainerView, ...]:
    """Return the containers of a pod template; its init containers if the kind says so."""
    return tuple(
        container(c)
        for c in unstructured.items(template, "spec", kind)
        if unstructured.text(c, "name")
    )


def any_container(template: Mapping[str, Any], name: str) -> ContainerView | None:
    """Return a container or an init container of a pod template, or None."""
    for kind in ("containers", "initContainers"):
        manifest = unstructured.by_name(template, "spec", kind, name=name)
        if manifest and name:
            return container(manifest)
    return None


def service(manifest: Mapping[str, Any], labels: Mapping[str, str]) -> ServiceView:
    """Return the view of a Service, and whether it selects pods with these labels."""
    selector = unstructured.strings(manifest, "spec", "selector")
    ports = []
    for entry in unstructured.items(manifest, "spec", "ports"):
        number = unstructured.number(entry, "port")
        target_port = _port(entry.get("targetPort"))
        ports.append(
            ServicePort(
                number,
                number if target_port is None else target_port,
                unstructured.text(entry, "name"),
                unstructured.text(entry, "protocol") or "TCP",
            )
        )
    return ServiceView(
        name=unstructured.text(manifest, "metadata", "name"),
        type=unstructured.text(manifest, "spec", "type") or "ClusterIP",
        selector=selector,
        ports=tuple(ports),
        selects_target=selects(selector, labels),
    )


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Return whether a Service with this selector selects pods with these labels."""
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _state(manifest: Mapping[str, Any]) -> ContainerState:
    terminated = unstructured.mapping(manifest, "state", "terminated") or unstructured.mapping(
        manifest, "lastState", "terminated"
    )
    return ContainerState(
        name=unstructured.text(manifest, "name"),
        image=unstructured.text(manifest, "image"),
        ready=manifest.get("ready") is True,
        restarts=unstructured.number(manifest, "restartCount"),
        waiting=unstructured.text(manifest, "state", "waiting", "reason"),
        waiting_message=unstructured.text(manifest, "state", "waiting", "message"),
        terminated=unstructured.text(terminated, "reason"),
        exit_code=unstructured.number(terminated, "exitCode") if "exitCode" in terminated else None,
        message=unstructured.text(terminated, "message"),
        running=isinstance(unstructured.at(manifest, "state", "running"), Mapping),
    )


def pod(manifest: Mapping[str, Any]) -> PodView:
    """Return the state of a pod."""
    conditions = {
        unstructured.text(c, "type"): c
        for c in unstructured.items(manifest, "status", "conditions")
    }
    scheduled = conditions.get("PodScheduled", {})
    states = tuple(_state(s) for s in unstructured.items(manifest, "status", "containerStatuses"))
    sidecars = {
        unstructured.text(container, "name")
        for container in unstructured.items(manifest, "spec", "initContainers")
        if container.get("restartPolicy") == "Always"
    }
    initial = (_state(s) for s in unstructured.items(manifest, "status", "initContainerStatuses"))
    return PodView(
        name=unstructured.text(manifest, "metadata", "name"),
        phase=unstructured.text(manifest, "status", "phase") or "Unknown",
        ready=unstructured.text(conditions.get("Ready"), "status") == "True",
        deleting=bool(unstructured.text(manifest, "metadata", "deletionTimestamp")),
        restarts=sum(state.restarts for state in states),
        unscheduled=unstructured.text(scheduled, "message")
        if scheduled.get("status") == "False"
        else "",
        containers=states,
        init_containers=tuple(state for state in initial if state.name not in sidecars),
    )


def replicas(workload: Mapping[str, Any]) -> Replicas:
    """Return how many pods a workload desires and has; a DaemonSet counts nodes."""
    status = unstructured.mapping(workload, "status")
    if "desiredNumberScheduled" in status:
        return Replicas(
            desired=unstructured.number(status, "desiredNumberScheduled"),
            current=unstructured.number(status, "currentNumberScheduled"),
            updated=unstructured.number(status, "updatedNumberScheduled"),
            ready=unstructured.number(status, "numberReady"),
            available=unstructured.number(status, "numberAvailable"),
        )
    return Replicas(
        desired=unstructured.number(workload, "spec", "replicas", default=1),
        current=unstructured.number(status, "replicas"),
        updated=unstructured.number(status, "updatedReplicas"),
        ready=unstructured.number(status, "readyReplicas"),
        available=unstructured.number(status, "availableReplicas"),
    )
