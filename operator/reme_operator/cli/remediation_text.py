"""A remediation for people: state, plan, decisions, runs, times. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from reme_api.approval import SkippedField
from reme_api.investigation import FollowUp
from reme_api.reasons import Outcome
from reme_api.remediation import Attempt, Change, ManualRollback, Remediation, Run, Timing
from reme_operator.cli.investigation_text import round_lines
from reme_operator.cli.terminal import escape, labelled_line, new_table
from reme_operator.decision.plan_approval import waits_for_person

_GOOD = {Outcome.VERIFIED, Outcome.NO_ACTION_NEEDED}


def state(remediation: Remediation) -> str:
    """Return the outcome, or while there is none the reason of the condition Succeeded."""
    if remediation.status.outcome is not None:
        return remediation.status.outcome.value
    summary = next((c for c in remediation.status.conditions if c.type == "Succeeded"), None)
    return summary.reason.value if summary else "Pending"


def remediations_table(
    remediations: Sequence[Remediation], now: datetime, *, with_namespace: bool
) -> Table:
    """Return one row per remediation."""
    headings = ["NAME", "TARGET", "FAULT", "STATE", "AGE"]
    table = new_table(*(["NAMESPACE"] if with_namespace else []), *headings)
    for remediation in remediations:
        meta, spec = remediation.metadata, remediation.spec
        target = f"{spec.target.kind}/{spec.target.name}"
        cells = [Text(escape(cell, 64)) for cell in (meta.name, target, spec.fault.type)]
        if with_namespace:
            cells.insert(0, Text(escape(meta.namespace, 64)))
        age = Text(_age(meta.creation_timestamp, now))
        table.add_row(*cells, Text(state(remediation), style=_style(remediation)), age)
    return table


def remediation_lines(
    remediation: Remediation, full_changes: dict[int, Sequence[Change]] | None = None
) -> Iterator[Text]:
    """Return the record, line by line.

    `full_changes` are all changes of an attempt, by its number, where the record has room for some
    of them only.
    """
    meta, spec, status = remediation.metadata, remediation.spec, remediation.status
    yield Text.assemble(
        (escape(f"{meta.namespace}/{meta.name}"), "bold"),
        "  ",
        (state(remediation), _style(remediation)),
        f" ({status.reason})" if status.reason else "",
    )
    yield labelled_line("target", f"{spec.target.kind} {spec.target.name}")
    fault = f"{spec.fault.type}: {spec.fault.summary}" if spec.fault.summary else spec.fault.type
    yield labelled_line("fault", fault)
    yield labelled_line(
        "policy", f"{spec.policy.namespace}/{spec.policy.name}, {spec.policy.spec.mode}"
    )
    yield labelled_line("report", spec.report_ref.name)
    if link := spec.follow_up_of:
        yield labelled_line(
            "opened by", f"remediation {link.remediation}, to which this is the cause"
        )
    if status.start_time:
        yield labelled_line("started", f"{status.start_time:%Y-%m-%d %H:%M:%S}{_took(remediation)}")
    if status.message:
        yield labelled_line("message", status.message)
    if status.timings:
        yield labelled_line("times", _times(status.timings))
    for attempt in status.attempts:
        yield Text()
        yield from _attempt(attempt, (full_changes or {}).get(attempt.number, attempt.changes))
    if status.follow_up:
        yield Text()
        yield from _follow_up(status.follow_up)
    for rollback in status.manual_rollbacks:
        yield Text()
        yield from _manual_rollback(rollback)
    if waits_for_person(remediation):
        name = escape(f"{meta.name} -n {meta.namespace}")
        yield Text()
        yield Text(f"kubectl reme approve {name}")
        yield Text(f"kubectl reme reject {name} --reason …")


def change_lines(changes: Iterable[Change]) -> Iterator[Text]:
    """Return the changes as a diff, object by object."""
    last = ""
    for change in changes:
        name = f"{change.kind} {change.object_name}"
        if name != last:
            yield Text(f"    {escape(name)}")
            last = name
        yield Text(f"      {escape(change.field)}")
        if change.before:
            yield Text(f"      - {escape(change.before, 4096)}", style="red")
        if change.after:
            yield Text(f"      + {escape(change.after, 4096)}", style="green")


def _attempt(attempt: Attempt, changes: Sequence[Change]) -> Iterator[Text]:
    reason = f" ({attempt.reason})" if attempt.reason else ""
    ended = f"  {attempt.outcome}{reason}" if attempt.outcome else ""
    yield Text.assemble((f"Attempt {attempt.number}", "bold"), ended)
    yield from round_lines(attempt.investigation)
    for action in attempt.actions:
        yield labelled_line("action", action.summary)
    if attempt.generation and attempt.generation.abstention_reason:
        yield labelled_line("abstained", attempt.generation.abstention_reason)
    if attempt.rejection:
        yield labelled_line("rejected", f"{attempt.rejection.rule}: {attempt.rejection.message}")
    plan = attempt.plan
    if plan and plan.digest:
        omitted = plan.omitted_changes if len(changes) == len(attempt.changes) else 0
        more = (
            f", {omitted} more in ConfigMap {plan.full_changes.name}"
            if omitted and plan.full_changes
            else ""
        )
        yield labelled_line("plan", f"{plan.digest}, by dry run{more}")
    elif changes:
        yield labelled_line("plan", "no dry run yet; expected changes:")
    yield from change_lines(changes)
    yield from _decisions(attempt)
    yield from _runs(attempt)
    if attempt.message:
        yield labelled_line("message", attempt.message)
    if attempt.timings:
        yield labelled_line("times", _times(attempt.timings))


def _follow_up(follow_up: FollowUp) -> Iterator[Text]:
    ended = follow_up.outcome or ("NotAccepted" if follow_up.completion_time else "InProgress")
    cause = follow_up.cause
    yield Text.assemble(("Follow-up", "bold"), f"  {ended}")
    yield labelled_line("cause", f"{cause.kind} {cause.name}")
    for text in cause.evidence:
        yield labelled_line("evidence", text)
    yield labelled_line("report", follow_up.report)
    if follow_up.remediation:
        yield labelled_line("repaired by", follow_up.remediation)
    if follow_up.message:
        yield labelled_line("message", follow_up.message)


def _decisions(attempt: Attempt) -> Iterator[Text]:
    for record in attempt.approvals:
        decision = (
            f"{record.decision} by {record.username} at {record.decision_time:%Y-%m-%d %H:%M:%S}"
        )
        yield labelled_line(
            "decision", f"{decision}: {record.reason}" if record.reason else decision
        )
        if record.refusal_message:
            yield labelled_line("", f"refused: {record.refusal_message}")


def _runs(attempt: Attempt) -> Iterator[Text]:
    if attempt.run:
        yield labelled_line("run", _run(attempt.run))
    if attempt.verification and attempt.verification.verdict:
        yield labelled_line(
            "verified", f"{attempt.verification.verdict}: {attempt.verification.message}"
        )
    if attempt.rollback:
        yield labelled_line("rollback", _run(attempt.rollback))
    window = attempt.rollback_verification
    if window and window.verdict:
        yield labelled_line("verified", f"after the rollback {window.verdict}: {window.message}")
    yield from _skipped(attempt.skipped_fields)


def _manual_rollback(rollback: ManualRollback) -> Iterator[Text]:
    style = (
        "green"
        if rollback.outcome is Outcome.ROLLED_BACK
        else "red"
        if rollback.outcome
        else "yellow"
    )
    outcome = rollback.outcome.value if rollback.outcome else "InProgress"
    yield Text.assemble((f"Rollback {rollback.number}", "bold"), "  ", (outcome, style))
    requested = f"by {rollback.username} at {rollback.start_time:%Y-%m-%d %H:%M:%S}"
    yield labelled_line(
        "requested", f"{requested}: {rollback.reason}" if rollback.reason else requested
    )
    if rollback.attempt:
        yield labelled_line("of", f"attempt {rollback.attempt}")
    if rollback.run:
        yield labelled_line("run", _run(rollback.run))
    yield from _skipped(rollback.skipped_fields)
    if rollback.message:
        yield labelled_line("message", rollback.message)


def _skipped(fields: Iterable[SkippedField]) -> Iterator[Text]:
    for field in fields:
        yield labelled_line("skipped", field.message)


def _run(run: Run) -> str:
    tasks = f"{run.changed_task_count} of {run.task_count} tasks changed"
    summary = f"{run.name} {run.reason or 'InProgress'}, {tasks}"
    return f"{summary}: {run.message}" if run.message else summary


def _style(remediation: Remediation) -> str:
    outcome = remediation.status.outcome
    return "yellow" if outcome is None else "green" if outcome in _GOOD else "red"


def _times(timings: Iterable[Timing]) -> str:
    return "  ".join(f"{t.step} {t.duration_milliseconds / 1000:.2f}" for t in timings) + " s"


def _took(remediation: Remediation) -> str:
    start, end = remediation.status.start_time, remediation.status.completion_time
    return f", took {(end - start).total_seconds():.1f} s" if start and end else ""


def _age(since: datetime | None, now: datetime) -> str:
    seconds = max(0, int((now - since).total_seconds())) if since else 0
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
