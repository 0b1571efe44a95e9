"""A remediation as people read it: what it is, what it planned, who decided, how it went. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from reme_api.approval import SkippedField
from reme_api.policy import Mode
from reme_api.reasons import Outcome
from reme_api.remediation import Attempt, Change, ManualRollback, Remediation, Run, Timing
from reme_operator.cli.terminal import Paint, escaped

_GOOD = {Outcome.VERIFIED, Outcome.NO_ACTION_NEEDED}


def state(found: Remediation) -> str:
    """Return how far it is, in one word or two."""
    if found.status.outcome is not None:
        return found.status.outcome.value
    summary = next((c for c in found.status.conditions if c.type == "Succeeded"), None)
    return summary.reason.value if summary else "Pending"


def table(found: Sequence[Remediation], now: datetime, *, everywhere: bool) -> list[str]:
    """Return one line for each, under a line that says what is what."""
    head = ["NAME", "TARGET", "FAULT", "STATE", "AGE"]
    rows = [
        [
            found.metadata.name,
            f"{found.spec.target.kind}/{found.spec.target.name}",
            found.spec.fault.type,
            state(found),
            _age(found.metadata.creation_timestamp, now),
        ]
        for found in found
    ]
    if everywhere:
        head.insert(0, "NAMESPACE")
        for row, one in zip(rows, found, strict=True):
            row.insert(0, one.metadata.namespace)
    lines = [head, *([escaped(cell, 64) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    padded = ([c.ljust(w) for c, w in zip(line, widths, strict=True)] for line in lines)
    return ["   ".join(line).rstrip() for line in padded]


def show(
    found: Remediation, paint: Paint, plans: dict[int, Sequence[Change]] | None = None
) -> Iterator[str]:
    """Return the record, line by line; `plans` are changes for which it has no room."""
    meta, spec, status = found.metadata, found.spec, found.status
    colour = "yellow" if status.outcome is None else "green" if status.outcome in _GOOD else "red"
    reason = f" ({status.reason})" if status.reason else ""
    yield f"{paint(f'{meta.namespace}/{meta.name}', 'bold')}  {paint(state(found), colour)}{reason}"
    yield _line("target", f"{spec.target.kind} {spec.target.name}")
    fault = f"{spec.fault.type}: {spec.fault.summary}" if spec.fault.summary else spec.fault.type
    yield _line("fault", fault)
    yield _line("policy", f"{spec.policy.namespace}/{spec.policy.name}, {spec.policy.spec.mode}")
    yield _line("report", spec.report_ref.name)
    if status.start_time:
        yield _line("began", f"{status.start_time:%Y-%m-%d %H:%M:%S}{_took(found)}")
    if status.message:
        yield _line("message", status.message)
    if status.timings:
        yield _line("time", _times(status.timings))
    for attempt in status.attempts:
        changes = (plans or {}).get(attempt.number, attempt.changes)
        yield ""
        yield from _attempt(attempt, changes, paint)
    for undo in status.manual_rollbacks:
        yield ""
        yield from _hand_undo(undo, paint)
    yield from _hints(found)


def plan_lines(changes: Iterable[Change], paint: Paint) -> Iterator[str]:
    """Return the changes as a diff, object by object."""
    last = ""
    for change in changes:
        about = f"{change.kind} {change.object_name}"
        if about != last:
            yield f"    {escaped(about)}"
            last = about
        yield f"      {escaped(change.field)}"
        if change.before:
            yield paint(f"      - {escaped(change.before, 4096)}", "red")
        if change.after:
            yield paint(f"      + {escaped(change.after, 4096)}", "green")


def _attempt(attempt: Attempt, changes: Sequence[Change], paint: Paint) -> Iterator[str]:
    reason = f" ({attempt.reason})" if attempt.reason else ""
    came = f"  {attempt.outcome}{reason}" if attempt.outcome else ""
    yield paint(f"Attempt {attempt.number}", "bold") + came
    for action in attempt.actions:
        yield _line("action", action.summary)
    if attempt.generation and attempt.generation.abstained:
        yield _line("abstained", attempt.generation.abstained)
    if attempt.rejection:
        yield _line("rejected", f"{attempt.rejection.rule}: {attempt.rejection.message}")
    plan = attempt.plan
    if plan and plan.digest:
        omitted_changes = plan.omitted_changes if len(changes) == len(attempt.changes) else 0
        more = (
            f", {omitted_changes} more in ConfigMap {plan.text.name}"
            if omitted_changes and plan.text
            else ""
        )
        yield _line("plan", f"{plan.digest}, by dry run{more}")
    elif changes:
        yield _line("plan", "not made yet; as far as it can be told from the actions")
    yield from plan_lines(changes, paint)
    yield from _decided(attempt)
    yield from _ran(attempt)
    if attempt.message:
        yield _line("message", attempt.message)
    if attempt.timings:
        yield _line("time", _times(attempt.timings))


def _decided(attempt: Attempt) -> Iterator[str]:
    for record in attempt.approvals:
        words = f"{record.decision} by {record.by} at {record.time:%Y-%m-%d %H:%M:%S}"
        yield _line("decided", f"{words}: {record.reason}" if record.reason else words)
        if record.refusal:
            yield _line("", f"refused: {record.refusal}")


def _ran(attempt: Attempt) -> Iterator[str]:
    if attempt.run:
        yield _line("run", _run(attempt.run))
    for name, window in (
        ("verified", attempt.verification),
        ("undone", attempt.rollback_verification),
    ):
        if window and window.verdict:
            yield _line(name, f"{window.verdict}: {window.message}")
    if attempt.undo:
        yield _line("undo", _run(attempt.undo))
    yield from _kept(attempt.kept)


def _hand_undo(undo: ManualRollback, paint: Paint) -> Iterator[str]:
    colour = "green" if undo.outcome is Outcome.ROLLED_BACK else "red" if undo.outcome else "yellow"
    word = paint(undo.outcome.value if undo.outcome else "InProgress", colour)
    yield f"{paint(f'Undo {undo.number}', 'bold')}  {word}"
    yield _line("asked", f"by {undo.by} at {undo.start_time:%Y-%m-%d %H:%M:%S} {undo.reason}")
    if undo.attempt:
        yield _line("of", f"attempt {undo.attempt}")
    if undo.run:
        yield _line("run", _run(undo.run))
    yield from _kept(undo.kept)
    if undo.message:
        yield _line("message", undo.message)


def _kept(kept: Iterable[SkippedField]) -> Iterator[str]:
    for one in kept:
        yield _line("kept", one.message)


def _run(run: Run) -> str:
    how = run.reason or "InProgress"
    words = f"{run.name} {how}, {run.changed} of {run.tasks} tasks changed something"
    return f"{words}: {run.message}" if run.message else words


def _hints(found: Remediation) -> Iterator[str]:
    name = f"{found.metadata.name} -n {found.metadata.namespace}"
    if waits(found):
        yield ""
        yield f"kubectl reme approve {name}"
        yield f"kubectl reme reject {name} --reason …"


def waits(found: Remediation) -> bool:
    """Return whether a person has to decide about its plan."""
    last = found.status.attempts[-1] if found.status.attempts else None
    return (
        found.spec.policy.spec.mode is Mode.APPROVE
        and found.status.outcome is None
        and last is not None
        and last.outcome is None
        and last.rejection is None
        and last.run is None
        and last.playbook is not None
        and last.plan is not None
        and last.plan.completion_time is not None
    )


def _line(name: str, text: str) -> str:
    return f"  {name:<10}{escaped(text)}"


def _times(timings: Iterable[Timing]) -> str:
    return "  ".join(f"{t.step} {t.duration_milliseconds / 1000:.2f}" for t in timings) + " s"


def _took(found: Remediation) -> str:
    begun, ended = found.status.start_time, found.status.completion_time
    return f", took {(ended - begun).total_seconds():.1f} s" if begun and ended else ""


def _age(since: datetime | None, now: datetime) -> str:
    seconds = max(0, int((now - since).total_seconds())) if since else 0
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
