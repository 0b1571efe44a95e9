"""Describes an incident and its cluster in a few plain lines.

The model was trained on these lines. They are deterministic and bounded, and values that look like
secrets are redacted. Quoted text is untrusted data. Each line says whether the value is normal: a
small model does not know that 299m of 300m is too much.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_api.probes import ProbeResult
from reme_model.prompt.redact import excerpt
from reme_model.prompt.sections import (
    connections,
    dependencies,
    evidence,
    findings,
    probe_results,
    related_objects,
    timeline,
    workload,
)
from reme_model.prompt.sections.lines import Line, Weight, fact, quoted, render_lines
from reme_playbook.snapshot.snapshot import ClusterSnapshot

MAX_LINES = 25
MAX_CHARACTERS = 2600
_MOST_ATTEMPTS = 3
_LONGEST_SUMMARY = 240


@dataclass(frozen=True)
class AttemptSummary:
    """What an earlier attempt did, and its result."""

    number: int
    actions: tuple[str, ...] = ()
    """`Action.summary()` of each action; empty if nothing ran."""
    result: str = ""
    """The result in a few words, such as `rejected: Bounds`."""
    message: str = ""
    """Details of the validation, the run or the probes."""
    ruled_out: str = ""
    """What cannot be the only cause, because its removal did not help."""


def describe_incident(
    live: ClusterSnapshot,
    report: DiagnosisReportSpec,
    previous: Sequence[AttemptSummary] = (),
    measured: Sequence[ProbeResult] = (),
) -> str:
    """Return the incident in at most 25 short lines; abnormal findings come last.

    `measured` are the latest results of the report's probes.
    """
    return render_lines(_lines(live, report, previous, measured), MAX_LINES, MAX_CHARACTERS)


def _lines(
    live: ClusterSnapshot,
    report: DiagnosisReportSpec,
    previous: Sequence[AttemptSummary],
    measured: Sequence[ProbeResult],
) -> Iterator[Line]:
    yield fact(f"reported fault: {_fault(report)}", Weight.NEEDED)
    yield from workload.target_lines(live)
    healthy = probe_results.healthy_percentages(report.probes)
    yield from workload.container_lines(live, report.target.container, healthy)
    yield from workload.revision_lines(live)
    yield from timeline.timeline_lines(live)
    yield from workload.pod_lines(live)
    yield from connections.kubelet_probe_lines(live)
    yield from connections.probe_failure_lines(live)
    yield from connections.config_map_lines(live)
    yield from connections.event_lines(live)
    yield from evidence.evidence_lines(report.evidence)
    for attempt in previous[-_MOST_ATTEMPTS:]:
        yield fact(_attempt(attempt), Weight.NEEDED)
        if attempt.ruled_out:
            text = f"attempt {attempt.number} rules out: {excerpt(attempt.ruled_out, 120)}"
            yield fact(text, Weight.USEFUL)
    yield from connections.variable_lines(live)
    yield from dependencies.dependency_lines(live)
    yield from connections.service_lines(live)
    yield from related_objects.related_object_lines(live)
    yield from findings.finding_lines(live)
    yield from probe_results.probe_result_lines(live, report.probes, measured)


def _fault(report: DiagnosisReportSpec) -> str:
    summary = excerpt(report.fault.summary, _LONGEST_SUMMARY)
    location = f" in container {report.target.container}" if report.target.container else ""
    return f"{report.fault.type}{location}" + (f": {quoted(summary)}" if summary else "")


def _attempt(attempt: AttemptSummary) -> str:
    actions = "; ".join(excerpt(action, 100) for action in attempt.actions[:3]) or "nothing was run"
    result = ", ".join(excerpt(part, 120) for part in (attempt.result, attempt.message) if part)
    return f"attempt {attempt.number}: {actions}" + (f"; {result}" if result else "")
