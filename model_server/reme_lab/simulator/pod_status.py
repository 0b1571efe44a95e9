"""How the kubelet gets on with the pods of a workload: the life that each of them leads."""

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
_LEAKED = 85
"""Per cent of its limit that a leaking instance holds when one looks."""
_SIDECAR_CPU = 2
_SIDECAR_MEMORY = 8 * _MIB
_CROWDED = 90
"""Per cent of the CPU limit above which requests wait."""
_LEAST_MILLICORES = 10
"""What the kubelet grants at least, however low the limit: 1 ms in every 100 ms."""
LONGEST_WAIT_MILLISECONDS = 30_000
"""How long something waits for who never answers."""
_CALM = Stress()


@dataclass(frozen=True, eq=False)
class PodStatus:
    """How one pod is doing."""

    behaviour: Behaviour
    stress: Stress
    running: bool = False
    """Whether the container that serves runs most of the time."""
    ready: bool = False
    waiting: str = ""
    message: str = ""
    ended: str = ""
    """Reason of its last end: Error, OOMKilled, Completed."""
    exit_code: int | None = None
    init: bool = False
    """Whether it has not got past its init containers."""
    refused: str = ""
    """The kind of probe that fails: readiness, liveness or startup."""
    why: str = ""
    """What the kubelet says of that."""
    cpu: int = 0
    memory: int = 0
    load_percent: int = 0
    """CPU that it would use, as a share of its limit; 0 without one."""

    @property
    def flaps(self) -> bool:
        """Whether its container ends again and again."""
        return bool(self.ended)

    @property
    def crowded(self) -> bool:
        """Whether it is throttled."""
        return self.load_percent >= _CROWDED

    @property
    def queued_milliseconds(self) -> int:
        """How long a request waits for its turn, once the queue is as long as it gets."""
        return _queued(self.load_percent, self.stress)


@cache_by_identities
def pod_statuses(
    ground_truth: GroundTruth, program: Program, pods: tuple[Pod, ...], held: str
) -> tuple[PodStatus, ...]:
    """Return the lives of a workload's pods; `held` says what keeps those with init containers."""
    starts = [start_container(ground_truth, program, pod.template, pod.config_maps) for pod in pods]
    first = [_first(pod, found, held) for pod, found in zip(pods, starts, strict=True)]
    running = sum(life is None for life in first) or 1
    return tuple(
        life or _running(program, pod, found, running, ground_truth.patience_seconds)
        for pod, found, life in zip(pods, starts, first, strict=True)
    )


def _first(pod: Pod, found: ContainerStart, held: str) -> PodStatus | None:
    """Return the life of a pod whose container does not run; None for one that does."""
    stress = pod.stress or found.recurring_stress or _CALM
    seen = template_facts(pod.template)
    if not pod.node:
        return PodStatus(found.behaviour, stress)
    if held and seen.awaited_words and not pod.initialized:
        return PodStatus(found.behaviour, stress, waiting="PodInitializing", init=True)
    if found.waiting:
        return PodStatus(found.behaviour, stress, waiting=found.waiting, message=found.message)
    if stress.failed:
        return _crashing(found.behaviour, stress, "StartError", 128)
    if found.behaviour.exit_code is not None:
        code = found.behaviour.exit_code
        return _crashing(found.behaviour, stress, "Error" if code else "Completed", code)
    return None


def _crashing(behaviour: Behaviour, stress: Stress, reason: str, code: int) -> PodStatus:
    return PodStatus(
        behaviour,
        stress,
        waiting="CrashLoopBackOff",
        message="back-off 5m0s restarting failed container",
        ended=reason,
        exit_code=code,
    )


def _running(
    program: Program, pod: Pod, found: ContainerStart, sharing: int, patience: int
) -> PodStatus:
    behaviour, stress = found.behaviour, pod.stress or found.recurring_stress or _CALM
    seen = template_facts(pod.template)
    container = seen.container(program.container)
    limits = container.resources if container else None
    most_memory = memory_or_zero((limits and limits.memory_limit) or "")
    most_cpu = cpu_or_zero((limits and limits.cpu_limit) or "")
    held = behaviour.memory_bytes + stress.memory_bytes
    if most_memory and behaviour.memory_bytes > most_memory:
        return _crashing(behaviour, stress, "OOMKilled", 137)
    wanted = behaviour.cpu_millicores // sharing
    load = 100 * wanted // most_cpu if most_cpu else 0
    if stress.cpu:
        load = max(load, 100 + load)
    used = min(wanted, most_cpu) if most_cpu else wanted
    if stress.cpu:
        used = most_cpu or 1000
    leaking = behaviour.leaks
    if leaking:
        held = most_memory * _LEAKED // 100 if most_memory else held * 4
    elif most_memory:
        held = min(held, most_memory * 97 // 100)
    refusal = _refusal(behaviour, stress, container, most_cpu, patience)
    if not refusal and pod.overloaded:
        refusal = _too_late(_queued(load, stress), container, behaviour)
    probe, why = refusal or ("", "")
    killed = probe in ("liveness", "startup")
    return PodStatus(
        behaviour,
        stress,
        running=not killed,
        ready=not probe,
        waiting="CrashLoopBackOff" if killed else "",
        message="back-off 5m0s restarting failed container" if killed else "",
        ended="OOMKilled" if leaking and most_memory else ("Error" if killed else ""),
        exit_code=137 if (leaking and most_memory) or killed else None,
        refused=probe,
        why=why,
        cpu=used,
        memory=held,
        load_percent=load,
    )


def _queued(load_percent: int, stress: Stress) -> int:
    if load_percent <= 100 or stress.cpu:
        return 0
    # More comes in than is done: the queue grows until askers give up.
    return min(LONGEST_WAIT_MILLISECONDS, 20 * (load_percent - 100) + 1500)


def _too_late(
    queued: int, container: ContainerView | None, behaviour: Behaviour
) -> tuple[str, str] | None:
    """Return that the readiness probe has to queue for too long, and gives up; None if not."""
    view = container.probes.get("readiness") if container else None
    if view is None or view.handler != "httpGet" or queued <= view.timeout_seconds * 1000:
        return None
    return "readiness", _said(view, "context deadline exceeded", behaviour)


def startup_seconds(behaviour: Behaviour, most_cpu: int) -> float:
    """Return how long a start takes with so many millicores; 0 for no limit."""
    work = behaviour.startup_cpu_milliseconds
    given = max(most_cpu, _LEAST_MILLICORES) if most_cpu else 1000
    return behaviour.startup_seconds + work / given


def _refusal(
    behaviour: Behaviour,
    stress: Stress,
    container: ContainerView | None,
    most_cpu: int,
    patience: int,
) -> tuple[str, str] | None:
    """Return which probe fails for good, and what the kubelet says; None if all pass."""
    probes: Mapping[str, ProbeView] = container.probes if container else {}
    takes = startup_seconds(behaviour, most_cpu)
    killer = "startup" if "startup" in probes else "liveness"
    if killer in probes:
        view = probes[killer]
        allowed = view.initial_delay_seconds + view.period_seconds * view.failure_threshold
        if takes > allowed:
            return killer, _said(view, "connection refused", behaviour)
    if takes > patience:
        view = probes.get("readiness") or ProbeView("exec", None, None, 0, 10, 1, 3)
        return "readiness", _said(view, "connection refused", behaviour)
    for kind in ("startup", "liveness", "readiness"):
        if kind in probes and (problem := _asked(probes[kind], kind, behaviour, stress, container)):
            return kind, _said(probes[kind], problem, behaviour)
    return None


def _asked(
    view: ProbeView,
    kind: str,
    behaviour: Behaviour,
    stress: Stress,
    container: ContainerView | None,
) -> str:
    """Return what goes wrong when the kubelet asks; empty if nothing does."""
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


def _said(view: ProbeView, problem: str, behaviour: Behaviour) -> str:
    if problem.startswith("HTTP") or view.handler == "exec":
        return problem
    port = view.port or behaviour.port
    if view.handler == "tcpSocket":
        return f"dial tcp 10.244.0.9:{port}: connect: {problem}"
    asked = f'Get "http://10.244.0.9:{port}{view.path or ""}"'
    if problem == "connection refused":
        return f"{asked}: dial tcp 10.244.0.9:{port}: connect: {problem}"
    return f"{asked}: {problem}"


def count_ready(found: Sequence[PodStatus]) -> int:
    """Return how many are ready."""
    return sum(life.ready for life in found)
