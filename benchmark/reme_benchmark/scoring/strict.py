"""The strict oracle: the effect is gone and stays gone, and nothing else was paid for it."""

import asyncio

from reme_benchmark.scenarios.faults.model import Control
from reme_benchmark.scoring import fault_effect
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.judge import PERIOD_SECONDS, Judge, Measure
from reme_benchmark.scoring.records import Measured, Verdict
from reme_benchmark.scoring.snapshot import Snapshot, difference, take
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
    """Return whether the case's fault is repaired.

    Takes as long as the effect needs to go, at most `settle_seconds`, and the window; less when
    something is wrong that cannot become right. Never raises for what the cluster does: what could
    not be measured is not passed.
    """
    return await Judge(context, tamper_check, clock or SystemClock(), measure).judge()


async def judge_control(
    context: CaseContext,
    tamper_check: TamperCheck,
    *,
    clock: Clock | None = None,
    measure: Measure = fault_effect.measure,
) -> Verdict:
    """Return whether the method left alone what it should have.

    Where the fault heals by itself, it must also be gone in its time. Needs `guard.mark`, since a
    fault that is still there is no change of the method's.
    """
    judging = Judge(context, tamper_check, clock or SystemClock(), measure)
    if context.case.control is Control.SELF_HEALING and context.fault is not None:
        oracle = context.fault.oracle
        until = judging.clock.monotonic() + oracle.settle_seconds
        while True:
            await judging.look([{} for _ in oracle.effect])
            if all(m.ok for m in judging.measured) or judging.clock.monotonic() > until:
                break
            await judging.clock.sleep(PERIOD_SECONDS)
    try:
        now, touched = await asyncio.gather(
            take(context.cluster, context.namespace), tamper_check.touched(context)
        )
    except ClusterError as error:
        message = f"not readable: {error}"[:300]
        return judging.verdict([Measured(name="changes", ok=None, message=message)])
    done = acts(context, tamper_check.reported or context.before, now)
    return judging.verdict(
        [
            Measured(name="changes", ok=not done, message="; ".join(done[:5])),
            Measured(name="injector", ok=not touched, message="; ".join(touched[:5])),
        ]
    )


def acts(context: CaseContext, reported: Snapshot, now: Snapshot) -> list[str]:
    """Return what was done to the system since the method began."""
    heals = context.case.control is Control.SELF_HEALING
    # What is again as it was before the fault, the fault itself took back.
    still = {(d.object, d.path) for d in difference(context.before, now)}
    done = [
        f"{d.object} {d.path}: {d.before or 'none'} -> {d.after or 'none'}"
        for d in difference(reported, now)
        if not heals or (d.object, d.path) in still
    ]
    there = {pod.uid for pod in now.pods if not pod.ending}
    # One that was not ready may be on its way out because of the fault.
    done += [f"pod {p.name} was replaced" for p in reported.pods if p.ready and p.uid not in there]
    return done
