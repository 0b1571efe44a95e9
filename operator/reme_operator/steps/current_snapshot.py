"""The snapshot of a step: the cluster as it is now, with the findings of the investigation."""

from dataclasses import replace

from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_operator.investigation.recorded import findings_of, recorded_results
from reme_operator.snapshot.collect import collect_snapshot, read_report
from reme_operator.steps.context import StepContext
from reme_playbook.snapshot.dependencies import with_findings
from reme_playbook.snapshot.snapshot import ClusterSnapshot


async def current_snapshot(
    context: StepContext, report: DiagnosisReportSpec | None = None
) -> ClusterSnapshot:
    """Return a snapshot around the target, with what the rounds of this attempt have shown.

    Raises:
        TamperedError: stored results are gone, or do not match their digest.
        TargetVanishedError: the target does not exist.
        ClusterError: the API server could not be read.

    """
    cluster = context.deps.cluster
    report = report or await read_report(cluster, context.remediation)
    results = await recorded_results(cluster, context.namespace, context.observed.attempt)
    snapshot = await collect_snapshot(cluster, context.remediation, report, context.now())
    snapshot = replace(snapshot, has_prometheus=bool(context.deps.settings.prometheus_url))
    if not results:
        return snapshot
    findings = findings_of(results)
    dependencies = with_findings(snapshot.dependencies, findings)
    return replace(snapshot, findings=findings, dependencies=dependencies)
