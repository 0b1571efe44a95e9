"""What reme promises of approvals, undos by hand, the kill switch and storms: held to the facts."""

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
"""A process may have sent what it decided on before it was told otherwise."""
_STOPPED_SECONDS = 6.0
"""How long a run may go on that an undisturbed operator ends."""


def broken(world: World) -> Iterator[tuple[str, str]]:
    """Return every promise that was not kept: what kind of mistake it is, and what happened."""
    yield from _approvals(world)
    yield from _hand_undos(world)
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
                    yield "repeated", f"{name}: {one.decision} was taken note of twice"
    for job in world.chronicle.jobs:
        if job.remediation is not None and not job.run.endswith("-rollback"):
            yield from _allowed(world, job, job.remediation, decisions)


def _allowed(
    world: World, job: JobCreation, remediation: Remediation, decisions: list[Approval]
) -> Iterator[tuple[str, str]]:
    """Hold a Job that is no undo against what was approved when it came to be."""
    attempt = remediation.status.attempts[-1]
    playbook = attempt.playbook and world.api.get("configmaps", NAMESPACE, attempt.playbook.name)
    if attempt.playbook and playbook:
        actions = compile_playbook(playbook["data"][attempt.playbook.key])
        if json.loads(job.playbook or "null") != render(actions, run_id=job.run):
            yield "untrue", f"{job.run} ran another playbook than the one that is recorded"
    if remediation.spec.policy.spec.mode is not Mode.APPROVE:
        return
    plan = (attempt.playbook and attempt.playbook.digest, attempt.plan and attempt.plan.digest)
    records = [r for r in attempt.approvals if r.decision is ApprovalDecision.APPROVE]
    if not any((r.playbook_digest, r.plan_digest) == plan for r in records):
        yield "untrue", f"{job.run} began, and no approval of its plan was taken note of"
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


# undo by hand ------------------------------------------------------------------------------------


def _hand_undos(world: World) -> Iterator[tuple[str, str]]:
    for text in world.people.complaints:
        yield "untrue", text
    requests = {(uid, number) for _, uid, number in world.people.manual_rollbacks}
    for uid, remediation in world.finals.items():
        name, manual_rollbacks = remediation.metadata.name, remediation.status.manual_rollbacks
        numbers = Counter(undo.number for undo in manual_rollbacks)
        for number, times in numbers.items():
            if times > 1:
                yield "repeated", f"{name}: undo {number} was begun {times} times"
            if (uid, number) not in requests:
                yield "untrue", f"{name}: nobody asked for undo {number}"
        for _, number in sorted(key for key in requests if key[0] == uid):
            if number not in numbers:
                yield "lost", f"{name}: undo {number} was asked for and never begun"
        for undo in manual_rollbacks:
            for text in _of_undo(world, undo):
                yield "incomplete", f"{name}, undo {undo.number}: {text}"
    for target in sorted(world.chronicle.both):
        yield "repeated", f"{target} was undone by hand while another remediation of it ran"


def _of_undo(world: World, undo: ManualRollback) -> Iterator[str]:
    if undo.outcome is None or undo.completion_time is None or not undo.message:
        yield "no outcome, message or end"
    wrote = [e for e in world.nodes.executions if undo.run and e.run == undo.run.name and e.applied]
    if undo.outcome is Outcome.REJECTED and wrote:
        yield f"it is said that nothing was done, and {wrote[0].applied} was"
    if undo.run is not None and undo.playbook is None:
        yield "a run without a playbook"
    if undo.verification is None:
        yield "it was not looked at"


# the kill switch ---------------------------------------------------------------------------------


def _switch(world: World) -> Iterator[tuple[str, str]]:
    for sent in world.chronicle.disregarded:
        if sent.at - sent.seen > _AT_ONCE_SECONDS:
            late = sent.at - sent.seen
            text = f"{sent.process} made a Job in {sent.what}, {late:.1f} s after it saw the switch"
            yield "untrue", text
    for since, until in _stops(world):
        for one in world.nodes.executions:
            if any(since + _STOPPED_SECONDS < at < until for at in one.wrote):
                yield "untrue", f"{one.run} wrote long after everything was to stop"


def _stops(world: World) -> Iterator[tuple[float, float]]:
    """Return when all had to stand still: somebody was told, and nothing went wrong since."""
    alive = {process.name for process in world.processes if not process.dead}
    switched = [*world.chronicle.switched, (world.time(), "")]
    for (since, text), (until, _) in pairwise(switched):
        observed_at = [
            at for at, who in world.chronicle.told if since <= at < until and who in alive
        ]
        if text == "Abort" and observed_at:
            yield max([min(observed_at), *(at for at in world.faults_at if at < until)]), until


# budgets, locks, storms --------------------------------------------------------------------------


def _budgets(world: World) -> Iterator[tuple[str, str]]:
    story = SCENARIOS[world.schedule.scenario]
    budgets = next(iter(world.finals.values())).spec.policy.spec.budgets if world.finals else None
    for one in world.chronicle.opened:
        if one.of_target > 1:
            yield "repeated", f"{one.name} was opened beside another of {one.target}"
        if budgets is not None and one.altogether > budgets.max_concurrent:
            yield "untrue", f"{one.name} made {one.altogether} open at once"
        if budgets is not None and one.in_an_hour > budgets.max_per_hour:
            yield "untrue", f"{one.name} is number {one.in_an_hour} within an hour"
        most = story.settings.get("storm_max_concurrent")
        if most is None or one.reports <= story.settings["storm_threshold"]:
            continue
        if one.altogether > most:
            text = f"{one.name} made {one.altogether} open, and {one.reports} reports were waiting"
            yield "untrue", text


def _reports(world: World) -> Iterator[tuple[str, str]]:
    """Hold what the reports say against their remediations."""
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
