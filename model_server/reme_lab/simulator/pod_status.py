"""Pod status: whether a pod runs and is ready, and what its probes and resource usage show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reme_lab.simulator.container_start import ContainerStart, start_container
from reme_lab.simulator.identity_cache import cache_by_identities
from reme_lab.simulator.program import Behaviour, Program, Stress
from reme_lab.simulator.template_facts import (
    cpu_or_zero,
    memory_or_zero,
    port_number,
    template_facts,
)
from reme_lab.simulator.world import GroundTruth, Pod
from reme_playbook.snapshot.views import ContainerView, ProbeView

_MIB = 2**20
_LEAK_PERCENT = 85
"""Percent of its memory limit that a leaking instance is observed to use."""
_SIDECAR_CPU = 2
_SIDECAR_MEMORY = 8 * _MIB
_THROTTLED_PERCENT = 90
"""Percent of the CPU limit from which requests are delayed."""
_MIN_MILLICORES = 10
"""Minimum that the kubelet grants, however low the limit: 1 ms per 100 ms."""
LONGEST_WAIT_MILLISECONDS = 30_000
"""How long a client waits for a response that never comes."""
_NO_STRESS = Stress()


@dataclass(frozen=True, eq=False)
class PodStatus:
    """The status of one pod."""

    behaviour: Behaviour
    stress: Stress
    running: bool = False
    """Whether the serving container runs most of the time."""
    ready: bool = False
    waiting: str = ""
    message: str = ""
    ended: str = ""
    """Reason of the last termination: Error, OOMKilled, Completed."""
    exit_code: int | None = None
    init: bool = False
    """Whether the init containers have not finished."""
    failing_probe: str = ""
    """The kind of probe that fails: readiness, liveness or startup."""
    probe_message: str = ""
    """The kubelet's message about the failing probe."""
    cpu: int = 0
    memory: int = 0
    load_percent: int = 0
    """CPU demand in percent of the limit; 0 without a limit."""

    @property
    def flaps(self) -> bool:
        """Whether the container terminates again and again."""
        return bool(self.ended)

    @property
    def crowded(self) -> bool:
        """Whether the container is throttled."""
        return self.load_percent >= _THROTTLED_PERCENT

    @property
    def queued_milliseconds(self) -> int:
        """How long a request is queued, once the queue has its final length."""
        return _queued_milliseconds(self.load_percent, self.stress)


@cache_by_identities
def pod_statuses(
    ground_truth: GroundTruth, program: Program, pods: tuple[Pod, ...], held: str
) -> tuple[PodStatus, ...]:
    """Return the statuses of a workload's pods; `held` keeps init containers waiting."""
    starts = [start_container(ground_truth, program, pod.template, pod.config_maps) for pod in pods]
    not_running = [
        _not_running_status(pod, started, held) for pod, started in zip(pods, starts, strict=True)
    ]
    running = sum(status is None for status in not_running) or 1
    return tuple(
        status or _running_status(program, pod, started, running, ground_truth.patience_seconds)
        for pod, started, status in zip(pods, starts, not_running, strict=True)
    )


def _not_running_status(pod: Pod, started: ContainerStart, held: str) -> PodStatus | None:
    """Return the status of a pod whose container does not run; None if it runs."""
    stress = pod.stress or started.recurring_stress or _NO_STRESS
    facts = template_facts(pod.template)
    if not pod.node:
        return PodStatus(started.behaviour, stress)
    if held and facts.awaited_words and not pod.initialized:
        return PodStatus(started.behaviour, stress, waiting="PodInitializing", init=True)
    if started.waiting:
        return PodStatus(
            started.behaviour, stress, waiting=started.waiting, message=started.message
        )
    if stress.failed:
        return _crash_loop(started.behaviour, stress, "StartError", 128)
    if started.behaviour.exit_code is not None:
        code = started.behaviour.exit_code
        return _crash_loop(started.behaviour, stress, "Error" if code else "Completed", code)
    return None


def _crash_loop(behaviour: Behaviour, stress: Stress, reason: str, code: int) -> PodStatus:
    return PodStatus(
        behaviour,
        stress,
        waiting="CrashLoopBackOff",
        message="back-off 5m0s restarting failed container",
        ended=reason,
        exit_code=code,
    )


def _running_status(
    program: Program, pod: Pod, started: ContainerStart, sharing: int, patience: int
) -> PodStatus:
    behaviour, stress = started.behaviour, pod.stress or started.recurring_stress or _NO_STRESS
    facts = template_facts(pod.template)
    container = facts.container(program.container)
    limits = container.resources if container else None
    memory_limit = memory_or_zero((limits and limits.memory_limit) or "")
    cpu_limit = cpu_or_zero((limits and limits.cpu_limit) or "")
    memory_used = behaviour.memory_bytes + stress.memory_bytes
    if memory_limit and behaviour.memory_bytes > memory_limit:
        return _crash_loop(behaviour, stress, "OOMKilled", 137)
    demand = behaviour.cpu_millicores // sharing
    load_percent = 100 * demand // cpu_limit if cpu_limit else 0
    if stress.cpu:
        load_percent = max(load_percent, 100 + load_percent)
    cpu_used = min(demand, cpu_limit) if cpu_limit else demand
    if stress.cpu:
        cpu_used = cpu_limit or 1000
    leaking = behaviour.leaks
    if leaking:
        memory_used = memory_limit * _LEAK_PERCENT // 100 if memory_limit else memory_used * 4
    elif memory_limit:
        memory_used = min(memory_used, memory_limit * 97 // 100)
    refusal = _probe_failure(behaviour, stress, container, cpu_limit, patience)
    if not refusal and pod.overloaded:
        refusal = _queued_probe_failure(
            _queued_milliseconds(load_percent, stress), container, behaviour
        )
    probe, probe_message = refusal or ("", "")
    killed = probe in ("liveness", "startup")
    return PodStatus(
        behaviour,
        stress,
        running=not killed,
        ready=not probe,
        waiting="CrashLoopBackOff" if killed else "",
        message="back-off 5m0s restarting failed container" if killed else "",
        ended="OOMKilled" if leaking and memory_limit else ("Error" if killed else ""),
        exit_code=137 if (leaking and memory_limit) or killed else None,
        failing_probe=probe,
        probe_message=probe_message,
        cpu=cpu_used,
        memory=memory_used,
        load_percent=load_percent,
    )


def _queued_milliseconds(load_percent: int, stress: Stress) -> int:
    if load_percent <= 100 or stress.cpu:
        return 0
    # Demand exceeds capacity: the queue grows until clients give up.
    return min(LONGEST_WAIT_MILLISECONDS, 20 * (load_percent - 100) + 1500)


def _queued_probe_failure(
    queued: int, container: ContainerView | None, behaviour: Behaviour
) -> tuple[str, str] | None:
    """Return the failure of a readiness probe that is queued too long; None if it passes."""
    view = container.probes.get("readiness") if container else None
    if view is None or view.handler != "httpGet" or queued <= view.timeout_seconds * 1000:
        return None
    return "readiness", _kubelet_message(view, "context deadline exceeded", behaviour)


def startup_seconds(behaviour: Behaviour, most_cpu: int) -> float:
    """Return how long a start takes at a CPU limit in millicores; 0 means no limit."""
    work = behaviour.startup_cpu_milliseconds
    granted = max(most_cpu, _MIN_MILLICORES) if most_cpu else 1000
    return behaviour.startup_seconds + work / granted


def _probe_failure(
    behaviour: Behaviour,
    stress: Stress,
    container: ContainerView | None,
    most_cpu: int,
    patience: int,
) -> tuple[str, str] | None:
    """Return the kind of probe that keeps failing and the kubelet's message; None if all pass."""
    probes: Mapping[str, ProbeView] = container.probes if container else {}
    takes = startup_seconds(behaviour, most_cpu)
    killer = "startup" if "startup" in probes else "liveness"
    if killer in probes:
        view = probes[killer]
        allowed = view.initial_delay_seconds + view.period_seconds * view.failure_threshold
        if takes > allowed:
            return killer, _kubelet_message(view, "connection refused", behaviour)
    if takes > patience:
        view = probes.get("readiness") or ProbeView("exec", None, None, 0, 10, 1, 3)
        return "readiness", _kubelet_message(view, "connection refused", behaviour)
    for kind in ("startup", "liveness", "readiness"):
        if kind in probes and (
            problem := _probe_error(probes[kind], kind, behaviour, stress, container)
        ):
            return kind, _kubelet_message(probes[kind], problem, behaviour)
    return None


def _probe_error(
    view: ProbeView,
    kind: str,
    behaviour: Behaviour,
    stress: Stress,
    container: ContainerView | None,
) -> str:
    """Return the error of a single probe; empty if it passes."""
    if view.handler == "exec":
        return ""
    if port_number(container, view.port) != behaviour.port:
        return "connection refused"
    if not stress.spares_probes:
        if stress.delay_milliseconds > view.timeout_seconds * 1000:
            return "context deadline exceeded"
        if stress.loss_percent >= 50:
            return "context deadline exceeded"
    if view.handler != "httpGet":
        return ""
    if view.path not in behaviour.paths and not behaviour.any_path:
        return "HTTP probe failed with statuscode: 404"
    if behaviour.unready and kind == "readiness" and view.path in behaviour.ready_paths:
        return "HTTP probe failed with statuscode: 503"
    return ""


def _kubelet_message(view: ProbeView, problem: str, behaviour: Behaviour) -> str:
    if problem.startswith("HTTP") or view.handler == "exec":
        return problem
    port = view.port or behaviour.port
    if view.handler == "tcpSocket":
        return f"dial tcp 10.244.0.9:{port}: connect: {problem}"
    request = f'Get "http://10.244.0.9:{port}{view.path or ""}"'
    if problem == "connection refused":
        return f"{request}: dial tcp 10.244.0.9:{port}: connect: {problem}"
    return f"{request}: {problem}"


def count_ready(statuses: Sequence[PodStatus]) -> int:
    """Return how many pods are ready."""
    return sum(status.ready for status in statuses)
