"""The figures of the path benchmark come from the record alone."""

from datetime import UTC, datetime, timedelta

from reme_api.base import ObjectMeta
from reme_api.diagnosis_report import Fault, Target, TargetKind
from reme_api.policy import RemediationPolicySpec
from reme_api.reasons import Step
from reme_api.remediation import (
    Attempt,
    PolicySnapshot,
    Remediation,
    RemediationSpec,
    RemediationStatus,
    ReportReference,
    Run,
    Timing,
)
from reme_benchmark.cli.path_timing import Row, rows_of, steps_of, to_first_task

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def remediation(*timings: Timing, run: Run | None = None) -> Remediation:
    spec = RemediationSpec(
        report_ref=ReportReference(name="r", uid="u"),
        target=Target(kind=TargetKind.DEPLOYMENT, name="cart"),
        fault=Fault(type="oom"),
        probes=[],
        policy=PolicySnapshot(name="p", namespace="n", spec=RemediationPolicySpec()),
    )
    attempt = Attempt(number=1, start_time=T0, timings=list(timings), run=run)
    status = RemediationStatus(
        start_time=T0,
        completion_time=T0 + timedelta(seconds=9),
        attempts=[attempt],
        timings=[Timing(step=Step.BASELINE, start_time=T0, duration_milliseconds=2000)],
    )
    metadata = ObjectMeta(name="r", creation_timestamp=T0)
    return Remediation(metadata=metadata, spec=spec, status=status)


def test_a_step_that_was_taken_twice_is_summed() -> None:
    first = Timing(
        step=Step.GENERATE, start_time=T0, duration_milliseconds=1000, operator_milliseconds=5
    )
    assert steps_of(remediation(first, first)) == {
        Step.BASELINE: (2.0, 0.0),
        Step.GENERATE: (2.0, 0.01),
    }


def test_the_first_task_is_counted_from_the_creation_of_the_job() -> None:
    run = Run(
        name="run",
        namespace="n",
        created_time=T0,
        first_task_time=T0 + timedelta(milliseconds=3500),
    )
    assert to_first_task(remediation(run=run)) == 3.5
    assert to_first_task(remediation()) is None


def test_the_percentile_of_few_samples_is_the_highest() -> None:
    assert Row("x", (1.0, 3.0, 2.0)).p95 == 3.0
    assert Row("x", tuple(float(n) for n in range(1, 101))).p95 == 95.0
    assert Row("x", (1.0, 3.0, 2.0)).median == 2.0


def test_rows_end_with_the_whole() -> None:
    rows = rows_of([remediation()])
    assert [r.name for r in rows] == ["Baseline", "operator's own work", "report to outcome"]
    assert rows[-1].samples == (9.0,)
