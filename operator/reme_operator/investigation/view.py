"""From a snapshot to the view of the coordinator. Pure.

Own faults are what is wrong with the target's own settings, Services and constraints: a repair of
the target can help. Symptoms, such as a crash or a failing probe, may have their cause elsewhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_api.probes import Probe, ProbeResult, ProbeVerdict
from reme_model.prompt.redact import short
from reme_model.prompt.sections import connections, related_objects, workload
from reme_model.prompt.sections.lines import Line, Tone
from reme_operator.investigation.coordinator import PossibleCause, Symptom
from reme_playbook.snapshot.dependency import Dependency, Place
from reme_playbook.snapshot.finding import FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.times import relative_to

RECENT = timedelta(minutes=10)
"""How long before the start of a fault a change may be and still be a likely cause."""

LONG_BEFORE = timedelta(hours=1)
"""What was so for that long before the fault began is not its cause."""

_MOST_FAULTS = 6
_MAX_FAULT = 200


def symptoms_of(snapshot: ClusterSnapshot, measured: Sequence[ProbeResult]) -> frozenset[Symptom]:
    """Return what the snapshot and the latest probe results show of the target."""
    return frozenset(_symptoms(snapshot, measured))


def _symptoms(snapshot: ClusterSnapshot, measured: Sequence[ProbeResult]) -> Iterator[Symptom]:
    pods = [pod for pod in snapshot.pods if not pod.deleting]
    states = [state for pod in pods for state in pod.containers]
    if any(result.verdict is ProbeVerdict.FAILED for result in measured):
        yield Symptom.PROBES_FAILING
    if any(pod.phase == "Running" and not pod.ready for pod in pods):
        yield Symptom.NOT_READY
    if any(state.terminated == "OOMKilled" for state in states):
        yield Symptom.OUT_OF_MEMORY
    if any(state.restarts or state.waiting == "CrashLoopBackOff" for state in states):
        yield Symptom.CRASHING
    if any(pod.phase == "Pending" and not pod.unscheduled for pod in pods):
        yield Symptom.INIT_FAILING
    if any(pod.unscheduled for pod in pods):
        yield Symptom.UNSCHEDULED
    if len(pods) < snapshot.replicas.desired:
        yield Symptom.PODS_MISSING
    if any(line.tone is Tone.WRONG for line in _usage_lines(snapshot)):
        yield Symptom.OVERLOADED
    if changed_recently(snapshot):
        yield Symptom.RECENT_CHANGE


def changed_recently(snapshot: ClusterSnapshot) -> bool:
    """Return whether the current revision came shortly before the fault began, or after that."""
    current, start = snapshot.current_revision, snapshot.fault_start
    if current is None or len(snapshot.revisions) < 2:
        return False
    created = _time(current.created)
    # Without a start of the fault, every release may be its cause.
    return start is None or created is None or created >= start - RECENT


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def own_faults(snapshot: ClusterSnapshot) -> tuple[str, ...]:
    """Return what is wrong with the target's own settings, Services and constraints."""
    sections = (
        connections.kubelet_probe_lines(snapshot),
        connections.config_map_lines(snapshot),
        connections.variable_lines(snapshot),
        connections.service_lines(snapshot),
        related_objects.related_object_lines(snapshot),
        _replica_lines(snapshot),
        _cause_lines(snapshot),
    )
    faults = [
        short(line.text, _MAX_FAULT)
        for section in sections
        for line in section
        if line.tone is Tone.WRONG
    ]
    return tuple(dict.fromkeys(faults))[:_MOST_FAULTS]


def _usage_lines(snapshot: ClusterSnapshot) -> Iterator[Line]:
    return workload.container_lines(snapshot, None)


def _replica_lines(snapshot: ClusterSnapshot) -> Iterator[Line]:
    """Yield what is wrong with the replicas as they are declared; unready pods are a symptom."""
    for line in workload.target_lines(snapshot):
        if "not ready" not in line.text:
            yield line


def _cause_lines(snapshot: ClusterSnapshot) -> Iterator[Line]:
    """Yield what names the cause of a pod's problem: memory, images, an unknown image."""
    for line in workload.pod_lines(snapshot):
        if not line.text.startswith("pod ") or "which no revision has" in line.text:
            yield line


def possible_causes(
    snapshot: ClusterSnapshot,
    probes: Sequence[Probe] = (),
    measured: Sequence[ProbeResult] = (),
    followed: Sequence[ObjectRef] = (),
) -> tuple[PossibleCause, ...]:
    """Return the workloads of the namespace behind the dependencies of the target.

    `measured` are the latest results of the report's probes: one of them may ask a dependency.
    Workloads that were followed already are left out.
    """
    dependencies: dict[ObjectRef, list[Dependency]] = {}
    for dependency in snapshot.dependencies:
        if dependency.place is Place.NAMESPACE and dependency.workloads:
            dependencies.setdefault(dependency.workloads[0].ref, []).append(dependency)
    failed = list(_failed_requests(probes, measured))
    return tuple(
        _possible_cause(workload, named, failed, snapshot.fault_start)
        for workload, named in dependencies.items()
        if workload not in (snapshot.target, *followed)
    )


def _possible_cause(
    workload: ObjectRef,
    named: Sequence[Dependency],
    failed: Sequence[tuple[str, str]],
    fault_start: datetime | None,
) -> PossibleCause:
    services = tuple(dict.fromkeys(dependency.service for dependency in named))
    faulty = [one for one in named if one.problem]
    partly = [one for one in faulty if one.problem_kind is FindingKind.WORKLOAD_NOT_READY]
    faults = [f"{one.name} {one.problem}" for one in faulty if one not in partly]
    requests = [text for service, text in failed if service in services]
    changes = [one.last_change for one in named if one.last_change is not None]
    recent = ""
    if fault_start and changes and max(changes) >= fault_start - RECENT:
        recent = f"{workload} was changed {relative_to(max(changes), fault_start)}"
    return PossibleCause(
        workload=workload,
        services=services,
        faults=_texts(faults),
        failed_requests=_texts(requests),
        partly_ready="".join(_texts(f"{one.name} {one.problem}" for one in partly)[:1]),
        recent_change=recent,
    )


def _failed_requests(
    probes: Sequence[Probe], measured: Sequence[ProbeResult]
) -> Iterator[tuple[str, str]]:
    """Yield the Service and the result of each failed request of a probe."""
    by_name = {probe.name: probe for probe in probes}
    for result in measured:
        probe = by_name.get(result.name)
        if probe and probe.request and result.verdict is ProbeVerdict.FAILED:
            service = probe.request.service
            problem = result.message.removeprefix(f"{service} ") or "fails"
            yield service, f"probe {result.name}: {service} {problem}"


def failing_outside(snapshot: ClusterSnapshot) -> tuple[str, ...]:
    """Return the dependencies outside of the namespace that logs or the report say fail."""
    return _texts(
        f"{dependency.name} {dependency.problem}"
        for dependency in snapshot.dependencies
        if dependency.problem and dependency.problem_kind is FindingKind.DEPENDENCY_OUTSIDE
    )


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(short(text, _MAX_FAULT) for text in dict.fromkeys(texts))[:_MOST_FAULTS]


def fault_text(report: DiagnosisReportSpec) -> str:
    """Return the reported fault on one line."""
    summary = short(report.fault.summary, 160)
    return f"{report.fault.type}: {summary}" if summary else report.fault.type


def is_part_of(subject: ObjectRef, cause: PossibleCause) -> bool:
    """Return whether an object is that workload, one of its pods or a Service that leads to it."""
    if subject == cause.workload:
        return True
    if subject.kind == "Service":
        return subject.name in cause.services
    return subject.kind == "Pod" and subject.name.startswith(f"{cause.workload.name}-")
