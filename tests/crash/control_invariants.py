"""Invariants of approvals, manual rollbacks, the kill switch and report storms."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from reme_api.approval import Approval, ApprovalDecision, ApprovalRecord
from reme_api.conditions import find_condition
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import Mode
from reme_api.reasons import ConditionType, Outcome
from reme_api.remediation import ManualRollback, Remediation
from reme_operator.decision.conditions import SUCCESSES
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.execution.render import render
from tests.crash.history import JobCreation
from tests.crash.scenarios import SCENARIOS
from tests.crash.world import World
from tests.doubles.shop import NAMESPACE

_AT_ONCE_SECONDS = 0.1
"""A request may be in flight when its process observes the kill switch."""
_STOPPED_SECONDS = 6.0
"""Time in which an undisturbed operator aborts a run."""


def control_violations(world: World) -> Iterator[tuple[str, str]]:
    """Yield the kind and the description of each violation."""
    yield from _approvals(world)
    yield from _manual_rollbacks(world)
    yield from _switch(world)
    yield from _budgets(world)
    yield from _reports(world)


# approval ----------------------------------------------------------------------------------------


def _approvals(world: World) -> Iterator[tuple[str, str]]:
    decisions = [decision for _, decision in world.people.decisions]
    for remediation in world.finals.values():
        if remediation.spec.policy.spec.mode is not Mode.APPROVE:
            continue
        for attempt in remediation.status.attempts:
            name = f"{remediation.metadata.name}, attempt {attempt.number}"
            for record in attempt.approvals:
                if not any(_same(record, decision) for decision in decisions):
                    yield (
                        "untrue",
                        f"{name}: nobody decided {record.decision} of {record.plan_digest}",
                    )
            for one, other in pairwise(attempt.approvals):
                if _words(one) == _words(other):
                    yield "repeated", f"{name}: {one.decision} was recorded twice"
    for job in world.history.jobs:
        if job.remediation is not None and not job.run.endswith("-rollback"):
            yield from _allowed(world, job, job.remediation, decisions)


def _allowed(
    world: World, job: JobCreation, remediation: Remediation, decisions: list[Approval]
) -> Iterator[tuple[str, str]]:
    """Check the Job of a repair against the approvals at its creation."""
    attempt = remediation.status.attempts[-1]
    playbook = attempt.playbook and world.api.get("configmaps", NAMESPACE, attempt.playbook.name)
    # A Job that arrives when its run has been cleaned up has no playbook, and never runs.
    executed = any(
        e.run == job.run and e.claimed and e.started_at >= job.at for e in world.nodes.executions
    )
    if attempt.playbook and playbook and (job.playbook or executed):
        actions = compile_playbook(playbook["data"][attempt.playbook.key])
        if json.loads(job.playbook or "null") != render(actions, run_id=job.run):
            yield "untrue", f"{job.run} ran another playbook than the one that is recorded"
    if remediation.spec.policy.spec.mode is not Mode.APPROVE:
        return
    plan = (attempt.playbook and attempt.playbook.digest, attempt.plan and attempt.plan.digest)
    records = [r for r in attempt.approvals if r.decision is ApprovalDecision.APPROVE]
    if not any((r.playbook_digest, r.plan_digest) == plan for r in records):
        yield "untrue", f"{job.run} began, and no approval of its plan was recorded"
    if not any(
        d.decision is ApprovalDecision.APPROVE and (d.playbook_digest, d.plan_digest) == plan
        for d in decisions
    ):
        yield "untrue", f"{job.run} began, and nobody had approved its plan"


def _same(record: ApprovalRecord, decision: Approval) -> bool:
    mine = (record.decision, record.username, record.playbook_digest, record.plan_digest)
    return mine == (
        decision.decision,
        decision.username,
        decision.playbook_digest,
        decision.plan_digest,
    )


def _words(record: ApprovalRecord) -> tuple[Any, ...]:
    edit = record.edited_playbook.digest if record.edited_playbook else ""
    return (
        record.decision,
        record.username,
        record.playbook_digest,
        record.plan_digest,
        record.reason,
        edit,
    )


# manual rollbacks --------------------------------------------------------------------------------


def _manual_rollbacks(world: World) -> Iterator[tuple[str, str]]:
    for text in world.people.complaints:
        yield "untrue", text
    requests = {(uid, number) for _, uid, number in world.people.manual_rollbacks}
    for uid, remediation in world.finals.items():
        name, manual_rollbacks = remediation.metadata.name, remediation.status.manual_rollbacks
        numbers = Counter(entry.number for entry in manual_rollbacks)
        for number, times in numbers.items():
            if times > 1:
                yield "repeated", f"{name}: rollback {number} was started {times} times"
            if (uid, number) not in requests:
                yield "untrue", f"{name}: nobody requested rollback {number}"
        for _, number in sorted(key for key in requests if key[0] == uid):
            if number not in numbers:
                yield "lost", f"{name}: rollback {number} was requested and never started"
        for entry in manual_rollbacks:
            for text in _rollback_problems(world, entry):
                yield "incomplete", f"{name}, rollback {entry.number}: {text}"
    for target in sorted(world.history.concurrent_targets):
        yield "repeated", f"{target} was rolled back by hand while another remediation of it ran"


def _rollback_problems(world: World, entry: ManualRollback) -> Iterator[str]:
    if entry.outcome is None or entry.completion_time is None or not entry.message:
        yield "no outcome, message or end"
    wrote = [
        e for e in world.nodes.executions if entry.run and e.run == entry.run.name and e.applied
    ]
    if entry.outcome is Outcome.REJECTED and wrote:
        yield f"it is Rejected, and {wrote[0].applied} was applied"
    if entry.run is not None and entry.playbook is None:
        yield "a run without a playbook"
    if entry.verification is None:
        yield "it was not verified"


# the kill switch ---------------------------------------------------------------------------------


def _switch(world: World) -> Iterator[tuple[str, str]]:
    for sent in world.history.ignored_kill_switches:
        if sent.at - sent.observed_at > _AT_ONCE_SECONDS:
            delay = f"{sent.at - sent.observed_at:.1f} s after it observed the switch"
            yield "untrue", f"{sent.process} created a Job in {sent.what}, {delay}"
    for since, until in _stops(world):
        for one in world.nodes.executions:
            if any(since + _STOPPED_SECONDS < at < until for at in one.wrote):
                yield "untrue", f"{one.run} wrote long after the kill switch was to abort it"


def _stops(world: World) -> Iterator[tuple[float, float]]:
    """Yield the periods in which runs must be aborted: observed, and without later faults."""
    alive = {process.name for process in world.processes if not process.dead}
    kill_switch_changes = [*world.history.kill_switch_changes, (world.time(), "")]
    for (since, text), (until, _) in pairwise(kill_switch_changes):
        observed_at = [
            at for at, who in world.history.observed_by if since <= at < until and who in alive
        ]
        if text == "Abort" and observed_at:
            yield max([min(observed_at), *(at for at in world.faults_at if at < until)]), until


# budgets, locks, storms --------------------------------------------------------------------------


def _budgets(world: World) -> Iterator[tuple[str, str]]:
    scenario = SCENARIOS[world.schedule.scenario]
    budgets = next(iter(world.finals.values())).spec.policy.spec.budgets if world.finals else None
    for one in world.history.simulated_world:
        if one.of_target > 1:
            yield "repeated", f"{one.name} was created while another of {one.target} was open"
        if budgets is not None and one.total_open > budgets.max_concurrent:
            yield "untrue", f"{one.name} made {one.total_open} open at once"
        if budgets is not None and one.in_an_hour > budgets.max_per_hour:
            yield "untrue", f"{one.name} is number {one.in_an_hour} within an hour"
        most = scenario.settings.get("storm_max_concurrent")
        if most is None or one.reports <= scenario.settings["storm_threshold"]:
            continue
        if one.total_open > most:
            text = f"{one.name} made {one.total_open} open, and {one.reports} reports were waiting"
            yield "untrue", text


def _reports(world: World) -> Iterator[tuple[str, str]]:
    """Check the statuses of reports against their remediations."""
    for body in world.api.all("diagnosisreports"):
        report = DiagnosisReport.model_validate(body)
        uid, name = report.metadata.uid, report.metadata.name
        own = [r for r in world.finals.values() if r.spec.report_ref.uid == uid]
        condition = find_condition(report.status.conditions, ConditionType.REMEDIATED)
        if condition is None or not own or any(r.metadata.deletion_timestamp for r in own):
            continue
        last = max(own, key=lambda r: (str(r.metadata.creation_timestamp), r.metadata.name))
        if not any(r.metadata.uid == last.metadata.uid for r in world.remediations()):
            continue  # it was deleted, and its report says so
        helped = "True" if last.status.outcome in SUCCESSES else "False"
        expected = f"{last.metadata.name}: {last.status.outcome}"
        if (condition.status, condition.message) != (helped, expected):
            yield (
                "untrue",
                f"report {name} says {condition.status}, {condition.message}; it is {expected}",
            )
