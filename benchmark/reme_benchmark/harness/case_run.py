"""One case from a healthy system back to a healthy system."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reme_benchmark.diagnosis.gather import USERS_SECONDS, gather
from reme_benchmark.diagnosis.write import write
from reme_benchmark.harness.capabilities import Capabilities
from reme_benchmark.harness.fault_injection import Injection, InjectionError
from reme_benchmark.harness.metrics_wait import wait_for_metrics
from reme_benchmark.harness.run_lock import RunLock
from reme_benchmark.harness.system_instance import SystemInstance, SystemInstanceError
from reme_benchmark.injection.agent_client import AgentsError, FaultAgents
from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.methods.base import Method, MethodError, Task
from reme_benchmark.reports.failure_causes import cause_of
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults.model import Fault
from reme_benchmark.scenarios.faults.placeholders import FillError, case_values, fill
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.fault_effect import measure
from reme_benchmark.scoring.microremed import judge_microremed
from reme_benchmark.scoring.records import (
    CaseResult,
    MethodReport,
    State,
    Timing,
    UserImpact,
    Verdict,
)
from reme_benchmark.scoring.snapshot import Snapshot, take_snapshot
from reme_benchmark.scoring.strict import TamperCheck, judge, judge_control
from reme_benchmark.scoring.unintended_changes import find_changes
from reme_benchmark.scoring.user_sli import served_again
from reme_kube.errors import ClusterError

_FELT_SECONDS, _SHOWN_SECONDS = 2.0, 8.0
_COUNTED_SECONDS, _LAST_SECONDS = 8.0, 5
_GRACE_SECONDS = 20
"""How long a method may go on after its deadline before it is taken to hang."""


@dataclass(frozen=True)
class Harness:
    """What all cases of a run share."""

    cluster: Cluster
    agents: FaultAgents
    method: Method
    faults: Mapping[str, Fault]
    capabilities: Capabilities
    lock: RunLock
    method_seconds: float = 240


class _Watch:
    """Adds up where the time goes."""

    def __init__(self) -> None:
        self.timing = Timing()
        self._begun = self._mark = time.monotonic()

    def charge(self, part: str) -> None:
        now = time.monotonic()
        setattr(self.timing, part, getattr(self.timing, part) + now - self._mark)
        self._mark = now
        self.timing.total = now - self._begun


async def run_case(bench: Harness, instance: SystemInstance, case: Case) -> CaseResult:
    """Run one case; whatever goes wrong is in the result, and the system is brought back."""
    watch, begun = _Watch(), datetime.now(UTC)
    fault = bench.faults[case.fault] if case.fault else None

    def ended(state: State, message: str = "", **more: Any) -> CaseResult:
        return CaseResult(
            case=case,
            method=bench.method.name,
            state=state,
            message=message,
            timing=watch.timing,
            start_time=begun,
            completion_time=datetime.now(UTC),
            **more,
        )

    if fault is not None and (reason := bench.capabilities.why_not(fault)):
        return ended(State.NOT_APPLICABLE, reason)
    injection: Injection | None = None
    try:
        await instance.healthy()
        if fault is None:
            await instance.settled(USERS_SECONDS)
        context = await case_context(bench.cluster, bench.agents, instance, case, fault)
        tamper_check = await TamperCheck.record(context)
        # Not what was felt just now: that may still hold what the case before did to users.
        tamper_check.users = instance.usual
        watch.charge("reset")
        if fault is not None:
            injection = Injection(context, fault)
            await injection.begin()
            watch.charge("inject")
            if (missing := await bites(context, fault)) is not None:
                watch.charge("confirm")
                return ended(State.INJECTION_FAILED, missing)
            if case.control is None:
                await wait_for_metrics(context, fault)
            watch.charge("confirm")
        found = await gather(context)
        task = Task(write(case, fault, found, context.values), bench.method_seconds, context)
        await tamper_check.record_report_time(context)
        watch.charge("report")
        reported = time.time()
        method_report = await _asked(bench.method, task)
        watch.charge("method")
        references = _reference_playbooks(fault, context)
        if not bench.method.acts:
            return ended(State.ASKED, method_report=method_report, reference_playbooks=references)
        strict, published = await _judged(context, tamper_check)
        watch.charge("judge")
        now = await take_snapshot(bench.cluster, instance.namespace)
        result = ended(
            State.JUDGED,
            strict=strict,
            published=published,
            users=await _felt(instance, reported),
            changes=find_changes(context, now),
            method_report=method_report,
            reference_playbooks=references,
            report_time=datetime.fromtimestamp(reported, UTC),
            pods_replaced=replaced(context.before, now),
            restarts=restarted(context.before, now),
        )
        result.cause = cause_of(result, fault)
        return result
    except InjectionError as error:
        return ended(State.INJECTION_FAILED, str(error)[:1000])
    except (SystemInstanceError, AgentsError, ClusterError, FillError, MethodError) as error:
        return ended(State.HARNESS_ERROR, f"{type(error).__name__}: {error}"[:1000])
    finally:
        await asyncio.shield(_put_back(bench, instance, injection))
        watch.charge("reset")


def _reference_playbooks(fault: Fault | None, context: CaseContext) -> list[list[dict[str, Any]]]:
    """Return the known good playbooks for this target, as far as all of their values are known."""
    if fault is None or context.case.control is not None:
        return []
    found = []
    for repair in fault.repairs:
        with contextlib.suppress(FillError):
            found.append([fill(task, context.values) for task in repair.playbook])
    return found


async def case_context(
    cluster: Cluster, agents: FaultAgents, instance: SystemInstance, case: Case, fault: Fault | None
) -> CaseContext:
    """Return where a case takes place, as it is before the fault."""
    kinds = ("Deployment", "StatefulSet", "DaemonSet", "Service", "ConfigMap", "Node")
    objects = [item for kind in kinds for item in await cluster.list(kind, instance.namespace)]
    return CaseContext(
        cluster=cluster,
        agents=agents,
        users=instance.users,
        namespace=instance.namespace,
        system=instance.system,
        case=case,
        fault=fault,
        before=await take_snapshot(cluster, instance.namespace),
        values=case_values(case, instance.system, objects),
    )


async def bites(context: CaseContext, fault: Fault) -> str | None:
    """Wait until the fault's effect shows and stays; return why it does not.

    The same measurements that will have to hold for success must fail now: what the oracle cannot
    see is not a fault that it could find repaired. A rollout that is merely on its way also fails
    its check, so that one alone must fail for longer.
    """
    until, last = time.monotonic() + fault.bite_seconds, ""
    shown: float | None = None  # since when an effect shows, and since when one beside the rollout
    felt: float | None = None
    while True:
        now = time.monotonic()
        measured = await asyncio.gather(*(measure(c, context) for c in fault.oracle.effect))
        pairs = list(zip(fault.oracle.effect, measured, strict=True))
        failing = [check for check, m in pairs if m.ok is False]
        shown = (shown or now) if failing else None
        felt = (felt or now) if any(c.rollout is None for c in failing) else None
        if felt is not None and now - felt >= _FELT_SECONDS:
            return None
        if shown is not None and now - shown >= _SHOWN_SECONDS:
            return None
        last = "; ".join(f"{m.name} {m.value} {m.message}".strip() for m in measured)
        if now > until:
            return f"no lasting effect within {fault.bite_seconds:.0f} s: {last}"
        await asyncio.sleep(0.7)


async def _asked(method: Method, task: Task) -> MethodReport:
    """Ask the method; a crash or a hang is an answer too, and its own."""
    begun = time.monotonic()
    try:
        async with asyncio.timeout(task.deadline_seconds + _GRACE_SECONDS):
            method_report = await method.repair(task)
    except TimeoutError:
        took = time.monotonic() - begun
        return MethodReport(outcome="TimedOut", acted=True, error=f"no answer in {took:.0f} s")
    except MethodError:
        raise
    except Exception as error:  # noqa: BLE001 - a method may fail in any way
        text = f"{type(error).__name__}: {error}"[:1000]
        return MethodReport(outcome="Failed", acted=True, error=text)
    method_report.steps.setdefault("all", time.monotonic() - begun)
    return method_report


async def _judged(
    context: CaseContext, tamper_check: TamperCheck
) -> tuple[Verdict, Verdict | None]:
    if context.case.control is not None or context.fault is None:
        return await judge_control(context, tamper_check), None
    return await asyncio.gather(judge(context, tamper_check), judge_microremed(context))


async def _felt(instance: SystemInstance, reported: float) -> UserImpact:
    """Return what users felt from the report until now; their counts come seconds late."""
    now, until = time.time(), time.monotonic() + _COUNTED_SECONDS
    while (felt := await instance.users.between(reported, now)) is None:
        if time.monotonic() > until:
            return UserImpact(before_percent=round(instance.usual.percent, 1))
        await asyncio.sleep(0.5)
    last = [s for s in felt.seconds if s.time >= int(now) - _LAST_SECONDS]
    asked = sum(s.ok + s.failed for s in last)
    again = served_again(felt.seconds, reported)
    return UserImpact(
        before_percent=round(instance.usual.percent, 1),
        after_percent=round(100 * sum(s.ok for s in last) / asked, 1) if asked else None,
        failed_requests=felt.failed,
        served_again_seconds=round(again, 1) if again is not None else None,
    )


def replaced(before: Snapshot, now: Snapshot) -> int:
    """Return how many of the pods from before are gone."""
    return len({pod.uid for pod in before.pods} - {pod.uid for pod in now.pods})


def restarted(before: Snapshot, now: Snapshot) -> int:
    """Return how often containers were started anew, in old pods and in new ones."""
    old = {pod.uid: pod.restarts for pod in before.pods}
    return sum(max(0, pod.restarts - old.get(pod.uid, 0)) for pod in now.pods)


async def _put_back(bench: Harness, instance: SystemInstance, injection: Injection | None) -> None:
    """End the fault, remove what reme wrote down, and bring the system back.

    What fails here is not raised: the next case looks first, and says what is wrong. Does nothing
    after the run lock was lost: the system may be another run's by now.
    """
    if bench.lock.lost:
        return
    with contextlib.suppress(AgentsError, ClusterError):
        await _end(bench, injection)
    for kind in ("DiagnosisReport", "Remediation"):
        with contextlib.suppress(ClusterError):
            for item in await bench.cluster.list(kind, instance.namespace):
                await bench.cluster.delete(kind, item["metadata"]["name"], instance.namespace)
    with contextlib.suppress(SystemInstanceError, ClusterError):
        await instance.back()


async def _end(bench: Harness, injection: Injection | None) -> None:
    try:
        if injection is not None:
            await injection.end()
    except (AgentsError, ClusterError):
        # The agent itself may be gone, which is one of the attacks.
        ready = False
    else:
        ready = await bench.agents.ready()
    if not ready:
        await bench.agents.install()
        await bench.agents.sweep()
