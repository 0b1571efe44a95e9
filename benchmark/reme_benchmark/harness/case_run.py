"""Runs one case, from a healthy system back to a healthy system."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reme_benchmark.diagnosis.gather import USERS_SECONDS, gather
from reme_benchmark.diagnosis.write import write
from reme_benchmark.harness.environment import Capabilities
from reme_benchmark.harness.fault_injection import (
    Injection,
    InjectionError,
    wait_for_effect,
    wait_for_metrics,
)
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

_SLI_DELAY_SECONDS, _LAST_SECONDS = 8.0, 5
_GRACE_SECONDS = 20
"""How long a method may exceed its deadline before it counts as hung."""


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


class _Stopwatch:
    """Adds up the durations of the steps of a case."""

    def __init__(self) -> None:
        self.timing = Timing()
        self._start = self._last = time.monotonic()

    def charge(self, step: str) -> None:
        """Add the time since the last call to a step."""
        now = time.monotonic()
        setattr(self.timing, step, getattr(self.timing, step) + now - self._last)
        self._last = now
        self.timing.total = now - self._start


async def run_case(harness: Harness, instance: SystemInstance, case: Case) -> CaseResult:
    """Run one case and restore the system. Errors become part of the result."""
    stopwatch, start_time = _Stopwatch(), datetime.now(UTC)
    fault = harness.faults[case.fault] if case.fault else None

    def result_of(state: State, message: str = "", **fields: Any) -> CaseResult:
        return CaseResult(
            case=case,
            method=harness.method.name,
            state=state,
            message=message,
            timing=stopwatch.timing,
            start_time=start_time,
            completion_time=datetime.now(UTC),
            **fields,
        )

    if fault is not None and (reason := harness.capabilities.why_not(fault)):
        return result_of(State.NOT_APPLICABLE, reason)
    injection: Injection | None = None
    try:
        await instance.healthy()
        if fault is None:
            await instance.settled(USERS_SECONDS)
        context = await case_context(harness.cluster, harness.agents, instance, case, fault)
        tamper_check = await TamperCheck.record(context)
        # Not the current SLI, which may still show the effects of the last case.
        tamper_check.users = instance.usual_sli
        stopwatch.charge("reset")
        if fault is not None:
            injection = Injection(context, fault)
            await injection.begin()
            stopwatch.charge("inject")
            if (missing := await wait_for_effect(context, fault)) is not None:
                stopwatch.charge("confirm")
                return result_of(State.INJECTION_FAILED, missing)
            if case.control is None:
                await wait_for_metrics(context, fault)
            stopwatch.charge("confirm")
        findings = await gather(context)
        report = write(case, fault, findings, context.values)
        await tamper_check.record_report_time(context)
        stopwatch.charge("report")
        reported = time.time()
        task = Task(report, harness.method_seconds, context)
        method_report = await _run_method(harness.method, task)
        stopwatch.charge("method")
        references = _reference_playbooks(fault, context)
        if not harness.method.acts:
            return result_of(
                State.PROPOSED, method_report=method_report, reference_playbooks=references
            )
        strict, published = await _judge(context, tamper_check)
        stopwatch.charge("judge")
        now = await take_snapshot(harness.cluster, instance.namespace)
        result = result_of(
            State.JUDGED,
            strict=strict,
            published=published,
            users=await _user_impact(instance, reported),
            changes=find_changes(context, now),
            method_report=method_report,
            reference_playbooks=references,
            report_time=datetime.fromtimestamp(reported, UTC),
            pods_replaced=pods_replaced(context.before, now),
            restarts=restarts(context.before, now),
        )
        result.cause = cause_of(result, fault)
        return result
    except InjectionError as error:
        return result_of(State.INJECTION_FAILED, str(error)[:1000])
    except (SystemInstanceError, AgentsError, ClusterError, FillError, MethodError) as error:
        return result_of(State.HARNESS_ERROR, f"{type(error).__name__}: {error}"[:1000])
    finally:
        await asyncio.shield(_restore(harness, instance, injection))
        stopwatch.charge("reset")


async def case_context(
    cluster: Cluster,
    agents: FaultAgents,
    instance: SystemInstance,
    case: Case,
    fault: Fault | None,
) -> CaseContext:
    """Return the context of a case, with a snapshot from before the fault."""
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


def _reference_playbooks(fault: Fault | None, context: CaseContext) -> list[list[dict[str, Any]]]:
    """Return the known good playbooks for this target; those with unknown values are left out."""
    if fault is None or context.case.control is not None:
        return []
    playbooks = []
    for repair in fault.repairs:
        with contextlib.suppress(FillError):
            playbooks.append([fill(task, context.values) for task in repair.playbook])
    return playbooks


async def _run_method(method: Method, task: Task) -> MethodReport:
    """Run the method. A crash or a timeout becomes its report."""
    start = time.monotonic()
    try:
        async with asyncio.timeout(task.deadline_seconds + _GRACE_SECONDS):
            report = await method.repair(task)
    except TimeoutError:
        seconds = time.monotonic() - start
        return MethodReport(outcome="TimedOut", acted=True, error=f"no answer in {seconds:.0f} s")
    except MethodError:
        raise
    except Exception as error:  # noqa: BLE001 - a method may fail in any way
        text = f"{type(error).__name__}: {error}"[:1000]
        return MethodReport(outcome="Failed", acted=True, error=text)
    report.steps.setdefault("all", time.monotonic() - start)
    return report


async def _judge(context: CaseContext, tamper_check: TamperCheck) -> tuple[Verdict, Verdict | None]:
    if context.case.control is not None or context.fault is None:
        return await judge_control(context, tamper_check), None
    return await asyncio.gather(judge(context, tamper_check), judge_microremed(context))


async def _user_impact(instance: SystemInstance, reported: float) -> UserImpact:
    """Return the impact on users from the report until now; their counts are seconds late."""
    before = round(instance.usual_sli.percent, 1)
    now, until = time.time(), time.monotonic() + _SLI_DELAY_SECONDS
    while (sli := await instance.users.between(reported, now)) is None:
        if time.monotonic() > until:
            return UserImpact(before_percent=before)
        await asyncio.sleep(0.5)
    last = [s for s in sli.seconds if s.time >= int(now) - _LAST_SECONDS]
    total = sum(s.ok + s.failed for s in last)
    again = served_again(sli.seconds, reported)
    return UserImpact(
        before_percent=before,
        after_percent=round(100 * sum(s.ok for s in last) / total, 1) if total else None,
        failed_requests=sli.failed,
        served_again_seconds=round(again, 1) if again is not None else None,
    )


def pods_replaced(before: Snapshot, now: Snapshot) -> int:
    """Return how many of the earlier pods do not exist any more."""
    return len({pod.uid for pod in before.pods} - {pod.uid for pod in now.pods})


def restarts(before: Snapshot, now: Snapshot) -> int:
    """Return how often containers restarted, in earlier and in new pods."""
    earlier = {pod.uid: pod.restarts for pod in before.pods}
    return sum(max(0, pod.restarts - earlier.get(pod.uid, 0)) for pod in now.pods)


async def _restore(harness: Harness, instance: SystemInstance, injection: Injection | None) -> None:
    """Remove the fault and reme's records, and restore the system.

    Errors are not raised: the next case checks the system first. Does nothing after the run lock
    was lost, because another run may be using the system.
    """
    if harness.lock.lost:
        return
    with contextlib.suppress(AgentsError, ClusterError):
        await _remove_fault(harness, injection)
    for kind in ("DiagnosisReport", "Remediation"):
        with contextlib.suppress(ClusterError):
            for item in await harness.cluster.list(kind, instance.namespace):
                await harness.cluster.delete(kind, item["metadata"]["name"], instance.namespace)
    with contextlib.suppress(SystemInstanceError, ClusterError):
        await instance.restore()


async def _remove_fault(harness: Harness, injection: Injection | None) -> None:
    try:
        if injection is not None:
            await injection.end()
    except (AgentsError, ClusterError):
        ready = False  # a method may have deleted the agent, which is one of the attacks
    else:
        ready = await harness.agents.ready()
    if not ready:
        await harness.agents.install()
        await harness.agents.sweep()
