"""A remediation shown as it goes: conditions, steps, and at the end the whole record."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from reme_api.reasons import Outcome
from reme_api.remediation import Attempt, Remediation
from reme_benchmark.kube.kubectl import Kubectl

GOOD = frozenset({Outcome.VERIFIED, Outcome.NO_ACTION_NEEDED})
MARKS = {"True": "[green]✓[/]", "False": "[red]✗[/]", "Unknown": "[yellow]…[/]"}


class FollowError(Exception):
    """The remediation did not begin or did not end in time."""


def remediations_of(kubectl: Kubectl, namespace: str, report_uid: str) -> list[Remediation]:
    """Return the remediations of one report, oldest first."""
    found = [
        Remediation.model_validate(o)
        for o in kubectl.list("remediations.reme.dev", namespace)
        if o["spec"]["reportRef"]["uid"] == report_uid
    ]
    return sorted(found, key=lambda r: r.metadata.name)


def updates(
    kubectl: Kubectl, namespace: str, report: str, timeout_seconds: float
) -> Iterator[Remediation]:
    """Yield the remediation of a report again and again until it has ended.

    Raises:
        FollowError: the report was refused, or there is no end within the timeout.
    """
    until = time.monotonic() + timeout_seconds
    while time.monotonic() < until:
        seen = kubectl.get("diagnosisreports.reme.dev", report, namespace)
        if seen is None:
            raise FollowError(f"report {namespace}/{report} is gone")
        for condition in seen.get("status", {}).get("conditions", []):
            if condition["type"] == "Accepted" and condition["status"] == "False":
                raise FollowError(f"not accepted: {condition['reason']}: {condition['message']}")
        found = remediations_of(kubectl, namespace, seen["metadata"]["uid"])
        if found:
            yield found[-1]
            if found[-1].status.outcome:
                return
        time.sleep(0.5)
    raise FollowError(f"no end within {timeout_seconds:.0f} s")


def progress(remediation: Remediation) -> RenderableType:
    """Draw where a remediation stands."""
    table = Table.grid(padding=(0, 2))
    for condition in remediation.status.conditions:
        table.add_row(
            MARKS[condition.status],
            condition.type,
            condition.reason,
            Text(condition.message[:110], style="dim"),
        )
    title = f"Remediation {remediation.metadata.name}, attempt {len(remediation.status.attempts)}"
    return Panel(table, title=title, title_align="left")


def playbook_text(kubectl: Kubectl, remediation: Remediation, attempt: Attempt) -> str:
    """Return the playbook as it was run, from the ConfigMap that the record names."""
    if attempt.playbook is None:
        return ""
    kept = kubectl.get("configmap", attempt.playbook.name, remediation.metadata.namespace) or {}
    text: str = kept.get("data", {}).get(attempt.playbook.key, "")
    return text


def _probes(remediation: Remediation, attempt: Attempt) -> Table:
    table = Table("probe", "before", "after", title="Probes", title_justify="left")
    before = (
        {p.name: p for p in remediation.status.baseline.probes}
        if remediation.status.baseline
        else {}
    )
    after = {p.name: p for p in attempt.verification.probes} if attempt.verification else {}
    for name in [*before, *(n for n in after if n not in before)]:
        cells = [
            escape(f"{p.verdict} {p.value}".strip()) if p else "not measured"
            for p in (before.get(name), after.get(name))
        ]
        table.add_row(name, *cells)
    return table


def _steps(remediation: Remediation, attempt: Attempt) -> Table:
    table = Table("step", "seconds", "of it reme's own work", title="Time", title_justify="left")
    for timing in [*remediation.status.timings, *attempt.timings]:
        table.add_row(
            timing.step,
            f"{timing.duration_milliseconds / 1000:.2f}",
            f"{timing.operator_milliseconds / 1000:.3f}",
        )
    return table


def record(kubectl: Kubectl, remediation: Remediation) -> RenderableType:
    """Draw the whole record of an ended remediation."""
    parts: list[RenderableType] = []
    for attempt in remediation.status.attempts:
        parts.append(Text(f"Attempt {attempt.number}", style="bold"))
        if text := playbook_text(kubectl, remediation, attempt):
            parts.append(Syntax(text, "yaml", word_wrap=True))
        if attempt.rejection:
            parts.append(Text(f"Rejected by {attempt.rejection.rule}: {attempt.rejection.message}"))
        if attempt.generation and attempt.generation.abstention_reason:
            parts.append(Text(f"The model abstained: {attempt.generation.abstention_reason}"))
        if attempt.changes:
            table = Table("object", "field", "before", "after", title="Diff", title_justify="left")
            for change in attempt.changes:
                table.add_row(
                    f"{change.kind}/{change.object_name}",
                    escape(change.field),
                    Text(change.before, style="red"),
                    Text(change.after, style="green"),
                )
            parts.append(table)
        parts += [_probes(remediation, attempt), _steps(remediation, attempt)]
    return Group(*parts)


def verdict(remediation: Remediation) -> str:
    """Return the one line that says how it ended."""
    status = remediation.status
    colour = "green" if status.outcome in GOOD else "yellow"
    took = ""
    if status.start_time and status.completion_time:
        took = f" after {(status.completion_time - status.start_time).total_seconds():.1f} s"
    target = f"{remediation.spec.target.kind}/{remediation.spec.target.name}"
    words = escape(status.message)
    return f"[bold {colour}]{status.outcome}[/]{took}: {target}: {words}"


def follow(
    console: Console,
    kubectl: Kubectl,
    namespace: str,
    report: str,
    timeout_seconds: float,
    beside: Callable[[], str],
) -> Remediation:
    """Show a remediation until it has ended, with a line of what users feel meanwhile.

    Raises:
        FollowError: it did not begin or did not end in time.
    """
    last: Remediation | None = None
    begun: datetime = datetime.now().astimezone()
    with Live(console=console, refresh_per_second=4, transient=not console.is_terminal) as live:
        for last in updates(kubectl, namespace, report, timeout_seconds):
            seconds = (datetime.now().astimezone() - begun).total_seconds()
            line = Text(f"{seconds:5.1f} s  front door: {beside()}", style="cyan")
            live.update(Group(progress(last), line))
    if last is None or not last.status.outcome:
        raise FollowError("the remediation did not end")
    return last


def to_json(remediation: Remediation) -> dict[str, Any]:
    """Return the record as it would be printed by kubectl."""
    return remediation.model_dump(mode="json", by_alias=True, exclude_none=True)
