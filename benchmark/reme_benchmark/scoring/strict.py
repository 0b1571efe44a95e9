"""The strict oracle: the effect of the fault is gone and stays gone, without other damage."""

import asyncio

from reme_benchmark.scenarios.faults.model import Control
from reme_benchmark.scoring import fault_effect
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.judge import PERIOD_SECONDS, Judge, Measure
from reme_benchmark.scoring.records import Measured, Verdict
from reme_benchmark.scoring.snapshot import Snapshot, diff_snapshots, take_snapshot
from reme_benchmark.scoring.tamper_check import TamperCheck
from reme_kube.clock import Clock, SystemClock
from reme_kube.errors import ClusterError

__all__ = ["TamperCheck", "judge", "judge_control"]


async def judge(
    context: CaseContext,
    tamper_check: TamperCheck,
    *,
    clock: Clock | None = None,
    measure: Measure = fault_effect.measure,
) -> Verdict:
    """Return whether the fault of the case is repaired.

    Takes at most `settle_seconds` and the window, less when the case cannot pass any more. Never
    raises for errors of the cluster: what cannot be measured does not pass.
    """
    return await Judge(context, tamper_check, clock or SystemClock(), measure).judge()


async def judge_control(
    context: CaseContext,
    tamper_check: TamperCheck,
    *,
    clock: Clock | None = None,
    measure: Measure = fault_effect.measure,
) -> Verdict:
    """Return whether the method changed nothing in a control.

    Where the fault heals by itself, it must also be gone in time. Call
    `tamper_check.record_report_time` before: the changes of the fault are not the method's.
    """
    judge = Judge(context, tamper_check, clock or SystemClock(), measure)
    if context.case.control is Control.SELF_HEALING and context.fault is not None:
        oracle = context.fault.oracle
        until = judge.clock.monotonic() + oracle.settle_seconds
        while True:
            await judge.measure_effect([{} for _ in oracle.effect])
            if all(m.ok for m in judge.measured) or judge.clock.monotonic() > until:
                break
            await judge.clock.sleep(PERIOD_SECONDS)
    try:
        now, tampered = await asyncio.gather(
            take_snapshot(context.cluster, context.namespace), tamper_check.tampered(context)
        )
    except ClusterError as error:
        message = f"not readable: {error}"[:300]
        return judge.verdict([Measured(name="changes", ok=None, message=message)])
    changes = changes_since_report(context, tamper_check.at_report or context.before, now)
    return judge.verdict(
        [
            Measured(name="changes", ok=not changes, message="; ".join(changes[:5])),
            Measured(name="injector", ok=not tampered, message="; ".join(tampered[:5])),
        ]
    )


def changes_since_report(context: CaseContext, at_report: Snapshot, now: Snapshot) -> list[str]:
    """Return the changes of the system since the method got the report."""
    heals = context.case.control is Control.SELF_HEALING
    # A field that is again as it was before the fault was restored by the fault itself.
    differing = {(d.object, d.path) for d in diff_snapshots(context.before, now)}
    changes = [
        f"{d.object} {d.path}: {d.before or 'none'} -> {d.after or 'none'}"
        for d in diff_snapshots(at_report, now)
        if not heals or (d.object, d.path) in differing
    ]
    existing = {pod.uid for pod in now.pods if not pod.ending}
    # A pod that was not ready may end because of the fault.
    changes += [
        f"pod {p.name} was replaced" for p in at_report.pods if p.ready and p.uid not in existing
    ]
    return changes
