"""From a snapshot to the view of the coordinator. Pure.

Own faults are what is wrong with the target's own settings, Services and constraints: a repair of
the target can help. Symptoms, such as a crash or a failing probe, may have their cause elsewhere.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_api.probes import ProbeResult, ProbeVerdict
from reme_model.prompt.redact import short
from reme_model.prompt.sections import connections, related_objects, workload
from reme_model.prompt.sections.lines import Line, Tone
from reme_operator.investigation.coordinator import PossibleCause, Symptom
from reme_playbook.snapshot.dependency import Dependency, Place
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot

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
    snapshot: ClusterSnapshot, followed: Sequence[ObjectRef] = ()
) -> tuple[PossibleCause, ...]:
    """Return the workloads of the namespace behind the dependencies of the target.

    Those that were followed already are left out.
    """
    services: dict[ObjectRef, list[str]] = {}
    faults: dict[ObjectRef, list[str]] = {}
    for dependency in snapshot.dependencies:
        if dependency.place is not Place.NAMESPACE or not dependency.workloads:
            continue
        workload = dependency.workloads[0].ref
        if workload == snapshot.target or workload in followed:
            continue
        services.setdefault(workload, []).append(dependency.service)
        if dependency.problem and not _was_so_before(dependency, snapshot):
            faults.setdefault(workload, []).append(f"{dependency.name} {dependency.problem}")
    return tuple(
        PossibleCause(
            workload=workload,
            services=tuple(dict.fromkeys(names)),
            faults=tuple(
                short(text, _MAX_FAULT) for text in dict.fromkeys(faults.get(workload, ()))
            ),
        )
        for workload, names in services.items()
    )


def _was_so_before(dependency: Dependency, snapshot: ClusterSnapshot) -> bool:
    """Return whether the dependency had no pods long before the fault: it is not needed."""
    start, changed = snapshot.fault_start, dependency.last_change
    if not dependency.problem.startswith("has no pods") or start is None or changed is None:
        return False
    return changed < start - LONG_BEFORE


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
